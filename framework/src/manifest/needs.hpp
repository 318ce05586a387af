// What arms need of each other: "needs" of the manifest, and what policies say that they read.
#pragma once

#include "manifest/arms.hpp"

namespace khost {

// Throws a usage Error for an arm that is not there, a circle, too few seeds, or a read that nothing answers.
// `arms` are those of one base, one of each name; `seeds`: how many the experiment has.
void check_needs(const Reading& reading, const std::vector<const ReadArm*>& arms, std::int64_t seeds);

}  // namespace khost
