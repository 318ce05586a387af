#include "session_options.hpp"

#include "completes.hpp"
#include "expected.hpp"

namespace khost {

void declare(Command& command, SessionOptions& to) {
  command.argument("MANIFEST", to.manifest, "the experiment's manifest", {completes::manifests, expect_manifest});
  command.option("set", "KEY=VALUE", to.set, "change a key of the manifest: adapter.rank=16; may be repeated",
                 completes::settings);
  command.option("seeds", "N", to.seeds, {1, 100000}, "how many seeds, from 0");
  command.option("backend", "NAME", to.backend, "the compute backend; `khost list` shows them", completes::backends);
  command.option("threads", "N", to.threads, {1, 1024}, "threads of each trial");
  command.option("jobs", "N", to.jobs, {1, 1024}, "trials at a time");
}

}  // namespace khost
