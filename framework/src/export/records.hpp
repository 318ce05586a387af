// A run's records in long form, for other programs: a record a line.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "report/chosen.hpp"

namespace khost {

enum class RecordForm { csv, jsonl };

// What stands above them; "" where there is nothing. Without an end.
std::string record_head(RecordForm form);

// csv: a line of records.csv. jsonl: {"base", "arm", "draw", "seed", "probe", "name", "step", "value", "unit"}; step null of the
// whole trial, value null when it is missing, "inf" or "-inf" when it is infinite. Without an end.
std::string record_line(RecordForm form, const TrialKey& trial, const Record& record);

// Head and lines, each with `end` behind it, in pieces of about a megabyte. Throws as each_chosen() does, before anything is
// given.
void each_piece(const RunReader& reader, const Run& run, const RecordChoice& choice, RecordForm form, std::string_view end,
                const std::function<void(std::string_view)>& take);

// Trials of the choice that are not finished: "arm K64, base trained, seed 3: failed: the loss became NaN", or "...: running".
std::vector<std::string> unfinished(const Run& run, const RecordChoice& choice);

}  // namespace khost
