// Names of records, and paths to them: [@BASE/]ARM/PROBE/RECORD.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "manifest/experiment.hpp"
#include "plugin/record_names.hpp"

namespace khost {

struct RecordPath {
  std::string base;  // "" when the path names none: every base
  std::string arm, probe, record;
};

// Nothing when the text has not the form.
std::optional<RecordPath> parse_record_path(std::string_view text);

// Where a probe's declared or made name stands: "drift/0" of instance snr under snr; "/grad/mean/0", beside it, under grad. An
// instance with a name of its own ("as") keeps the latter to itself, as NAME/grad/mean/0: an arm may have several.
struct RecordName {
  std::string probe, name;
};
RecordName record_name(const Component& probe, std::string_view name);

}  // namespace khost
