// What there is to say of plugins and signals, on a terminal.
#pragma once

#include <cstddef>
#include <string>

#include "inspect/about.hpp"

namespace khost {

std::string text_of(const About& about, std::size_t width);

// All signals, and what policies can change.
std::string signals_text(std::size_t width);

}  // namespace khost
