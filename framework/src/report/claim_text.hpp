// What is said of one claim on one base, from its JSON.
#pragma once

#include <string>

#include "khost/json.hpp"

namespace khost {

// "0.948, falsified", or without its words "0.948"; "" when its paper gives nothing.
std::string published_text(const Json& claim, bool words = true);
std::string estimate_text(const Json& claim);  // "-" without one
std::string short_verdict(const Json& claim);  // "falsified"; "post hoc, confirmed"

}  // namespace khost
