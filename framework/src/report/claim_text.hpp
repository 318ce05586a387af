// What is said of one claim on one base, from its JSON.
#pragma once

#include <string>
#include <string_view>

#include "khost/json.hpp"

namespace khost {

// "0.948, falsified", or without its words "0.948"; "" when its paper gives nothing.
std::string published_text(const Json& claim, bool words = true);
std::string estimate_text(const Json& claim);        // "-" without one
std::string claim_interval_text(const Json& claim);  // "0.965 .. 1.064"; "" without one
std::string short_verdict(const Json& claim);        // "falsified"; "post hoc, confirmed"

// What is shown of one claim on one base.
struct ClaimRow {
  std::string base, estimate, interval, noise, verdict;  // verdict with its look, its reason, or what would decide
};
ClaimRow claim_row(const Json& claim);

// Of a claim that was not fixed before its data, or that was changed: why; else "".
std::string post_hoc_text(const Json& claim);

double number_at(const Json& object, std::string_view key);     // NaN where there is none
std::string text_at(const Json& object, std::string_view key);  // "" where there is none

}  // namespace khost
