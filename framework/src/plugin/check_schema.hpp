// What a plugin's parameters must be whatever the manifest: checked when they are described, before anything runs.
#pragma once

#include <string_view>

#include "khost/schema.hpp"

namespace khost {

// `owner` begins the message: "probe 'snr'". Throws a plugin Error for a parameter that is declared twice, a name that no
// manifest and no --set could write plainly, or a default that its own bounds, choices or type refuse.
void check_schema(const Schema& schema, std::string_view owner);

}  // namespace khost
