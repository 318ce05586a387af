// What there is to say of plugins and signals, for scripts.
#pragma once

#include "inspect/about.hpp"

namespace khost {

Json json_of(const About& about);
Json json_of(const When& when);
Json signals_json();

}  // namespace khost
