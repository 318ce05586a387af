// What a schema and a declaration say, in words: the same on a terminal and on a page.
#pragma once

#include <string>
#include <vector>

#include "khost/schema.hpp"
#include "khost/signal.hpp"

namespace khost {

std::string plain_number(double value);         // 1 and not 1.0
std::string type_words(const Field& field);     // "integer", "list of integers", the form that a plugin's own .shape() says
std::string range_words(const Field& field);    // "0 to 1", "at least 1"; "" without bounds
std::string default_words(const Field& field);  // "required", "not set", or the value
std::string when_words(const When& when);       // "every step", "every 2 steps", "steps 0, 9"; "after the last step" of at({})

// As declared, but "*", all that nothing else names, last.
std::vector<Signals::Null> nulls_of(const Signals& signals);
inline const char* rest_words(const Signals& signals) { return signals.nulls.size() == 1 ? "all" : "all others"; }

// `Json` on a line, as people write it: {"plugin": "snr", "groups": [[0, 20], [20, "K"]]}
std::string written_out(const Json& json);

}  // namespace khost
