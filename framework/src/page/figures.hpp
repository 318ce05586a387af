// A run's pictures as files for a paper.
#pragma once

#include <string>

#include "page/run_page.hpp"

namespace khost {

// Into `folder`, which is made: each picture as ID.svg and ID.pdf, with its data as ID.csv. Returns how many. Draws with the
// programs node and rsvg-convert; throws a usage Error that says how to get one that is not there, or what it complained of.
std::size_t write_figures(const std::string& folder, const Run& run, const RunReader& reader, const Published& published);

}  // namespace khost
