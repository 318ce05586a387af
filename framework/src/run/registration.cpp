#include "run/registration.hpp"

#include "artifact/temporary.hpp"
#include "store/claim_ledger.hpp"
#include "store/trial_store.hpp"

namespace khost {

std::map<std::string, Standing> register_claims(const Session& session) {
  own_temporaries(session.cache.root());  // of entries: who is killed while one is written must be known to the next run
  const TrialStore store(session.cache.root());
  return ClaimLedger(session.cache.root())
      .enter(session.experiment, session.plan, *session.registry, Shown(session.plan, *session.registry),
             [&](const std::string& hash) { return store.has(hash); });
}

}  // namespace khost
