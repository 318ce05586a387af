// Names of records, and paths to them: [@BASE/]ARM/PROBE/RECORD.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace khost {

struct RecordPath {
  std::string base;  // "" when the path names none: every base
  std::string arm, probe, record;
};

// Nothing when the text has not the form.
std::optional<RecordPath> parse_record_path(std::string_view text);

// Does `name` fit a declared name, in which a part in <> stands for any text without '/'? "drift/<group>" fits "drift/0".
bool matches_record(std::string_view declared, std::string_view name);

}  // namespace khost
