// What unit a claim's measure has.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/unit.hpp"
#include "khost/error.hpp"

namespace khost {

// The unit of a measure that Measure has accepted. `names` has, of each name in "let", the units of its records. Only what has
// one unit is added, subtracted, compared or averaged, except that a plain number fits any. Throws a usage Error at `place` that
// names both units.
Unit unit_of_measure(const std::string& measure, const std::vector<std::pair<std::string, std::vector<std::string>>>& names,
                     const Place& place);

}  // namespace khost
