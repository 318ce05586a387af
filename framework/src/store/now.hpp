// The time, as khost writes it down.
#pragma once

#include <string>

namespace khost {

std::string utc_now();  // "2026-11-27 02:40:11 UTC"

}  // namespace khost
