// What the host hands over of a manifest's options.
#pragma once

#include <string>

namespace khost::blas {

// The string under `key` of a flat JSON object, "" when it is absent or null. `json` is well formed: the host wrote it.
std::string string_of(const char* json, const char* key);

}  // namespace khost::blas
