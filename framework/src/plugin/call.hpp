// The one place through which the host calls a plugin. It is core's, since compute backends are called from below this folder.
#pragma once

#include "core/call.hpp"
