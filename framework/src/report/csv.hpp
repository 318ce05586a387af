// A line of records.csv, wherever one is written: without its end, "\r\n" in a file.
#pragma once

#include <string>

#include "engine/result.hpp"

namespace khost {

inline constexpr const char* records_csv_head = "base,arm,draw,seed,probe,name,step,value,unit";

std::string csv_field(const std::string& text);  // between quotes where it has to be

// What a trial's lines begin with; `line` is the rest.
std::string csv_trial(const TrialKey& key);
std::string csv_line(const std::string& trial, const Record& record);

}  // namespace khost
