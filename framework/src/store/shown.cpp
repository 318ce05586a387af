#include "store/shown.hpp"

#include <algorithm>

#include "khost/hash.hpp"
#include "manifest/record_path.hpp"

namespace khost {
namespace {

// An identity without what tells one machine, build or seed from another.
Json essence(const Json& identity) {
  if (identity.is_list()) {
    Json::List out;
    for (const Json& each : identity.as_list()) out.push_back(essence(each));
    return out;
  }
  if (!identity.is_object()) return identity;
  const Json *plugin = identity.find("plugin"), *config = identity.find("config");
  if (plugin && config) return Json::object({{"plugin", *plugin}, {"config", *config}});
  Json out{Json::Object{}};
  for (const JsonMember& m : identity.as_object())
    if (m.key != "khost" && m.key != "code" && m.key != "environment" && m.key != "numerics" && m.key != "seed" &&
        m.key != "draw")
      out.set(m.key, essence(m.value));
  return out;
}

}  // namespace

Shown::Shown(const Plan& plan, const Registry& registry) : plan_(plan), registry_(registry) {
  for (const PlannedTrial& trial : plan.trials) hashes(trial);
}

const Shown::Hashes& Shown::hashes(const PlannedTrial& trial) {
  const auto key = std::pair(trial.key.arm, trial.key.base);
  if (const auto known = hashes_.find(key); known != hashes_.end()) return known->second;
  const Json& identity = trial.identity;
  Json training = essence(identity);
  const Json& made = plan_.bases[trial.base].identity;
  Json base = essence(made);
  if (const Json* seed = made.find("seed")) base.set("seed", *seed);  // another base, not another draw of it
  training.set("base", std::move(base));
  Json::List needs, policies;
  for (const std::size_t n : trial.needs) needs.push_back(hashes(plan_.trials[n]).losses);
  training.set("needs", std::move(needs));
  // A probe that only reads leaves a training as it is; so do losses that are looked at on the way, and on other text.
  training.erase("record_at");
  if (Json* data = training.find("data")) data->erase("held_out_windows"), data->erase("calibration_windows");
  // A core without keys of its own was a word before it was a plugin, and its losses are the same.
  if (Json* adapter = training.find("adapter"))
    if (Json* core = adapter->is_object() ? adapter->find("core") : nullptr;
        core && core->is_object() && core->at("config").as_object().empty())
      *core = Json(core->at("plugin"));
  const Json::List& probes = identity.at("probes").as_list();
  for (std::size_t i = 0; i < probes.size(); ++i)
    if (registry_.get(Kind::probe, trial.arm->probes[i].plugin).policy()) policies.push_back(essence(probes[i]));
  training.set("probes", std::move(policies));

  Hashes out;
  out.losses = short_hash(training.canonical());
  for (std::size_t i = 0; i < probes.size(); ++i) {
    const Component& c = trial.arm->probes[i];
    const std::string hash = short_hash(Json::object({{"training", out.losses}, {"probe", essence(probes[i])}}).canonical());
    out.probes.emplace(c.name, hash);
    for (const Signals::Emit& emit : describe(registry_.get(Kind::probe, c.plugin), &c.config).signals.emits)
      out.probes.emplace(record_name(c, emit.name).probe, hash);
  }
  return hashes_.emplace(key, std::move(out)).first->second;
}

const std::string& Shown::of(const PlannedTrial& trial, const std::string& probe) const {
  const Hashes& hashes = hashes_.at({trial.key.arm, trial.key.base});
  const auto found = hashes.probes.find(probe);
  return found == hashes.probes.end() ? hashes.losses : found->second;
}

std::vector<std::string> Shown::all(const PlannedTrial& trial) const {
  const Hashes& hashes = hashes_.at({trial.key.arm, trial.key.base});
  std::vector<std::string> out{hashes.losses};
  for (const auto& [name, hash] : hashes.probes)
    if (std::ranges::find(out, hash) == out.end()) out.push_back(hash);
  return out;
}

}  // namespace khost
