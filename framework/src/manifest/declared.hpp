// Which records an arm will have, and whether a path names one of them.
#pragma once

#include <string>

#include "manifest/arms.hpp"
#include "manifest/record_path.hpp"

namespace khost {

// Throws a usage Error at `place`, its message begun with `said`, unless a probe of `in`, or khost itself, declares a record that
// path.probe and path.record fit. The record may have parts in <> and *. Gives its unit, of several that fit the first's.
std::string expect_record(const ReadArm& in, const RecordPath& path, const Place& place, const std::string& said);

}  // namespace khost
