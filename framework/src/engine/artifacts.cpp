#include "engine/artifacts.hpp"

#include <algorithm>

#include "khost/error.hpp"
#include "khost/hash.hpp"
#include "khost/safetensors.hpp"

namespace khost {

TrialArtifacts::TrialArtifacts(const PlannedTrial& planned, const TrialInfo& info, std::string folder)
    : folder_(std::move(folder)), metadata_{{"trial", planned.key.text()}, {"recipe", planned.identity.canonical()}} {
  const Arm& arm = *planned.arm;
  if (arm.adapter) metadata_["basis"] = info.basis, metadata_["core"] = info.core;
  if (arm.adapter && arm.adapter->written) metadata_["adapter"] = text_of(arm.adapter->component);
  // Each under its own key: n_head, lr, ...
  for (const Json* config : {&arm.model.config, &arm.optimizer.config})
    for (const JsonMember& m : config->as_object()) metadata_[m.key] = m.value.is_string() ? m.value.as_string() : m.value.text();
}

void TrialArtifacts::write(const std::string& name, std::span<const NamedArray> arrays) {
  const std::string file = name + ".safetensors";
  if (std::ranges::find(written_, file, &Artifact::file) != written_.end())
    throw Error(ErrorKind::plugin, "the artifact '" + name + "' was written twice in this trial");
  std::map<std::string, std::string> metadata = metadata_;
  metadata["khost"] = "artifact " + name;
  write_safetensors(folder_ + "/" + file, arrays, metadata);
  written_.push_back({file, sha256_file(folder_ + "/" + file)});
}

}  // namespace khost
