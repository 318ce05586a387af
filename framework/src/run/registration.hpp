// Registration of claims: at the start of a run, and by `khost register` without one.
#pragma once

#include <map>
#include <string>

#include "run/session.hpp"
#include "stats/claims.hpp"
#include "store/shown.hpp"

namespace khost {

// Enters the experiment's claims into the ledger, unless they are there, and tells how each stands to its trials. Call before the
// first of them; in a series, for all its experiments before the first trial of any.
std::map<std::string, Standing> register_claims(const Session& session);

}  // namespace khost
