// Part of the SDK: plugins keep their artifacts in this format too.
#pragma once
#include "khost/safetensors.hpp"
