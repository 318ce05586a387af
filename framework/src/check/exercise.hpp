// One call of each function of a plugin's instance, as it is: the host's own way of calling puts back some of what a plugin
// changes, and says where it was.
#pragma once

#include <functional>
#include <string>

#include "check/test.hpp"

namespace khost::check {

// `after` is told of each call when it is over: "update()". A probe's are made by a trial (check/watched.hpp).
void exercise(const Subject& of, void* instance, const std::function<void(const std::string& call)>& after);

}  // namespace khost::check
