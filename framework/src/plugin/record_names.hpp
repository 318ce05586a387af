// The grammar of records' names: what a claim, a manifest's pattern and a reader of records.csv can name again.
//
//   NAME      = PARTS | "/" INSTANCE "/" PARTS     the latter beside the instance that made it: "/grad/mean/0"
//   PARTS     = PART { "/" PART }
//   PART      = one or more of A-Z a-z 0-9 _ . -   and in a declared name any number of <PLACEHOLDER>, for a text without '/'
//   INSTANCE  = a part without placeholder, and none of khost's own: loss, parameters
#pragma once

#include <string>
#include <string_view>

namespace khost {

enum class NameForm { declared, made };

// Why the text is not such a name, "" when it is one.
std::string fault_of_name(std::string_view name, NameForm form);

// Records under these are the engine's.
bool is_engine_name(std::string_view instance);

// Is there a name that fits both? In each a part in <> stands for some text without '/', and * for any or none: "in_basis/layer*"
// meets "in_basis/layer<l>". With a plain name for one of them: does it fit the other?
bool patterns_meet(std::string_view a, std::string_view b);

}  // namespace khost
