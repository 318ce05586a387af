// Names of records, and paths to them: [@BASE/]ARM/PROBE/RECORD.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "manifest/experiment.hpp"

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

// Is there a name that fits both? In each a part in <> stands for some text without '/', and * for any or none: "in_basis/layer*"
// meets "in_basis/layer<l>". With a plain name for one of them: does it fit the other?
bool patterns_meet(std::string_view a, std::string_view b);

}  // namespace khost
