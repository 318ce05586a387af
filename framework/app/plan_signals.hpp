// khost plan --signals: who reads what and when, and who changes what, in each arm.
#pragma once

#include <string>

#include "run/session.hpp"

namespace khost {

std::string plan_signals_text(const Session& session);
Json plan_signals_json(const Session& session);

}  // namespace khost
