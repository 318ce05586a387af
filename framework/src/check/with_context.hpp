// What the constructors of models and data sources are given.
#pragma once

#include <functional>

#include "check/test.hpp"

namespace khost::check {

// Calls with a ModelContext*, a DataContext* whose artifacts lie in the check's own folder, or null, by the plugin's kind; valid
// during the call.
void with_context(const Subject& of, const std::function<void(void* context)>& call);

}  // namespace khost::check
