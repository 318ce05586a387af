// Which compute backend a run uses, and with how many threads.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "compute/backend.hpp"
#include "manifest/experiment.hpp"
#include "plan/keys.hpp"

namespace khost {

// A backend plugin with its options: makes one Backend per job.
struct BackendChoice {
  std::string name;
  const khost_compute* table = nullptr;
  std::string options = "{}";

  std::unique_ptr<Backend> make(int threads) const;
  // For artifacts: on so many threads (artifact_parts at most), whose number changes no bit.
  std::unique_ptr<Backend> make_in_parts(int threads) const;
};

// By name when given (command line before manifest), else the usable one with the highest score. Throws a plugin Error when the
// named one cannot run here, and when one is to be chosen while the file of a backend that comes with khost is refused: another
// would be taken in its place. `doubt`: a sentence about other files that were refused, each of which may have been a backend.
BackendChoice choose_backend(Registry& registry, const std::optional<std::string>& name, const std::optional<Component>& manifest,
                             std::string* doubt = nullptr);

// Bases and other artifacts come from this one, whatever the run's, so that the same artifacts serve all.
inline constexpr const char* backend_of_artifacts = "onednn";

Environment environment_of(const BackendInfo& info, int threads, int jobs);

}  // namespace khost
