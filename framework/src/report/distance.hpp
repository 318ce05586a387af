// How far a run's figures lie, taken together, from the published ones.
#pragma once

#include <string>
#include <vector>

#include "report/figures.hpp"

namespace khost {

// Of one base. A figure's distance is the log of its ratio to what is printed; a loss that its paper reports as a fall below
// another (PublishedFigure::below) counts by that fall. Over figures the root of the weighted mean square: a figure weighs 1 /
// (0.1^2 + r^2), r the printed number's own rounding (its last digit's sd, relative), so that what is printed with one digit
// counts less. Beyond a factor of 10, and where the ratio is not positive, a figure counts as a factor of 10. Counts of
// parameters do not count.
//
// Each seed has a distance of its own: the papers' figures are of one run, and so is a seed. Of a base of several draws the
// interval is over draws. `apart` is what two seeds of one draw are apart by the same measure, mean over pairs: what is as near
// as that could be another window of the same. A seed counts that has all figures which the base has.
struct Distance {
  std::string base;
  int figures = 0;
  // Of all figures; of the 1st, 3rd, ... and of the 2nd, 4th, ... of those that can count, in the order of share/published.
  Interval whole, odd, even;
  double apart = 0;  // NaN of one seed
};

// Of each base that has seeds on which all of its arms finished; none without published figures.
std::vector<Distance> distances_of(const std::vector<BaseFigures>& bases, const std::vector<PublishedFigure>& published);

// "0.213 (0.181 .. 0.245)"
std::string distance_text(const Interval& interval);

inline constexpr const char* distance_definition =
    "rms over figures of ln(khost / published), by seed; weighted by the printed precision; losses as falls below the base's";

}  // namespace khost
