// Tensors picked by name, as manifests write it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "khost/error.hpp"
#include "khost/model.hpp"

namespace khost {

// With * for any run of characters.
bool wildcard(std::string_view pattern, std::string_view name);

// `pattern` with * for any run of characters; "@matrices" is every adaptable parameter.
bool name_matches(std::string_view pattern, const Parameter& parameter);

// Which parameters any of the patterns picks. Throws a usage Error at `place`, which begins with `owner`, for a pattern that
// picks nothing or stands there twice.
std::vector<bool> chosen(const std::vector<std::string>& patterns, const std::vector<Parameter>& parameters,
                         const std::string& owner, const Place& place);

}  // namespace khost
