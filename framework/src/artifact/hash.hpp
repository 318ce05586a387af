// Part of the SDK: data plugins name their artifacts by it too.
#pragma once
#include "khost/hash.hpp"
