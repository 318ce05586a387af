// What the host shows of each signal: names and shapes of its arrays.
#pragma once

#include <string_view>

#include "khost/probe.hpp"

namespace khost {

// Throws a plugin Error when the signal has not the arrays that a trial of these shapes shows under that name (Signal, in
// khost/signal.hpp, says which). `rank`: the dims asked of a base's own basis.
void check_shown(std::string_view name, const Signal& signal, const TrialInfo& trial, std::int64_t rank);

}  // namespace khost
