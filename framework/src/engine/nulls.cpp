#include "engine/nulls.hpp"

#include <algorithm>
#include <deque>
#include <limits>
#include <mutex>
#include <set>

#include "core/interrupt.hpp"
#include "core/team.hpp"
#include "engine/probes.hpp"
#include "khost/parallel.hpp"
#include "khost/probe.hpp"
#include "khost/safetensors.hpp"
#include "manifest/record_path.hpp"
#include "plan/code_identity.hpp"
#include "plugin/call.hpp"

namespace khost {

namespace {

// Results that all draws of a probe share; see NullDraw::pick().
class Pools {
 public:
  explicit Pools(std::string instance) : instance_(std::move(instance)) {}

  // Entry `index` of a pool of at least `size`. Each has a stream of its own, so that neither who asks first nor for how many
  // changes it; and it stays where it is when a later draw asks for a larger pool.
  const std::vector<double>& entry(const std::string& name, std::int64_t size, std::uint64_t index, const NullDraw::Make& make) {
    const std::lock_guard lock(mutex_);  // others wait: they would need it too
    auto& pool = pools_[name];
    for (auto i = static_cast<std::int64_t>(pool.size()); i < size; ++i) {
      Random random(static_cast<std::uint64_t>(i), instance_, "null pool " + name);
      pool.push_back(make(random));
    }
    return pool[index];
  }

 private:
  std::string instance_;
  std::mutex mutex_;
  std::map<std::string, std::deque<std::vector<double>>> pools_;  // neither moves what it has when it grows
};

class Draw final : public NullDraw {
 public:
  // `most`: pools have so many entries at most.
  Draw(const TrialInfo& info, const Signals& declared, const Component& component, Pools& pools,
       std::int64_t most = std::numeric_limits<std::int64_t>::max())
      : info_(info),
        declared_(declared),
        component_(component),
        pools_(pools),
        random_(info.seed, component.name, "null"),
        most_(most) {}

  const TrialInfo& trial() const override { return info_; }
  const Signals& declared() const override { return declared_; }
  Random& random() override { return random_; }
  const std::vector<double>& pick(const std::string& name, std::int64_t size, const Make& make) override {
    if (size < 1) throw Error(ErrorKind::plugin, "pick() from the pool '" + name + "' of " + std::to_string(size) + " entries");
    const std::int64_t entries = std::min(size, most_);
    return pools_.entry(name, entries, random_.below(static_cast<std::uint64_t>(entries)), make);
  }
  void record(std::string_view name, double value) override {
    const Signals::Null* null = declared_.null_of(name);
    if (!null || !null->drawn_for(info_.fresh))
      return;  // a probe that runs as it would in a trial also makes records without a null
    if (std::ranges::none_of(declared_.emits, [&](const Signals::Emit& emit) { return matches_record(emit.name, name); }))
      throw Error(ErrorKind::plugin, "the record '" + std::string(name) + "' of the null was not declared");
    const RecordName full = record_name(component_, name);
    if (!records.emplace(full.probe + "/" + full.name, value).second)
      throw Error(ErrorKind::plugin, "the record '" + std::string(name) + "' was made twice in one draw of its null");
  }
  void record(std::string_view, std::int64_t, double) override {}

  std::map<std::string, double> records;

 private:
  const TrialInfo& info_;
  const Signals& declared_;
  const Component& component_;
  Pools& pools_;
  Random random_;
  std::int64_t most_;
};

using Drawn = std::map<std::string, std::vector<float>>;

Drawn by_record(const std::vector<std::map<std::string, double>>& each) {
  std::set<std::string> names;
  for (const auto& records : each)
    for (const auto& [name, value] : records) names.insert(name);
  Drawn out;
  for (const std::string& name : names) {
    auto& values = out[name];
    for (const auto& records : each) {
      const auto found = records.find(name);
      values.push_back(found == records.end() ? std::numeric_limits<float>::quiet_NaN() : static_cast<float>(found->second));
    }
  }
  return out;
}

Json recipe_of(const Plugin& plugin, const Component& component, const TrialInfo& info, int count) {
  Json::List matrices;
  for (const AdaptedMatrix& m : info.matrices)
    matrices.push_back(
        Json::List{m.name, m.rows, m.cols, m.rank, static_cast<std::int64_t>(m.layer), detail::to_json(info.alpha_shape(m))});
  return Json::object({{"name", component.name},  // its streams are named by it
                       {"probe", component_identity(plugin, component.config)},
                       {"code", code_identity()},
                       {"matrices", std::move(matrices)},
                       {"steps", info.steps},
                       {"batch", info.batch},
                       {"sequence", info.sequence},
                       {"basis", info.basis},
                       {"core", info.core},
                       {"fresh", info.fresh},
                       {"draws", count}});
}

// The name that the probe gave the record `label` of its arm, its own or one beside its instance; "" when it is not the probe's.
std::string given_name(const Component& component, const Signals& declared, const std::string& label) {
  const std::string rest = label.substr(label.find('/') + 1);
  for (const std::string& name : {rest, "/" + rest, "/" + label}) {
    if (!fault_of_name(name, NameForm::made).empty()) continue;  // "/keep2" would be beside nothing
    const RecordName full = record_name(component, name);
    const auto fits = [&](const Signals::Emit& emit) { return matches_record(emit.name, name); };
    if (full.probe + "/" + full.name == label && std::ranges::any_of(declared.emits, fits)) return name;
  }
  return "";
}

// Normals that a draw of gradients takes, about.
double gradient_entries(const TrialInfo& info) {
  double entries = 0;
  for (const AdaptedMatrix& m : info.matrices)
    if (m.rank > 0) entries += static_cast<double>(element_count(info.alpha_shape(m)));
  return entries * static_cast<double>(info.steps);
}

constexpr double affordable = 1e7;  // in a rehearsal: a part of a second

}  // namespace

void rehearse_null(const Plugin& plugin, const Component& component, const Signals& declared, const TrialInfo& info,
                   std::set<std::string>& rehearsed) {
  const auto drawn = [&](const Signals::Null& n) { return n.drawn_for(info.fresh); };
  if (std::ranges::none_of(declared.nulls, drawn) || gradient_entries(info) > affordable) return;
  if (!rehearsed.insert(recipe_of(plugin, component, info, 1).canonical()).second) return;
  Pools pools(component.name);
  Draw draw(info, declared, component, pools, 1);
  const auto probe = create<Probe>(plugin, component.config);
  call_plugin({"probe", component.name, "null"}, [&] { probe->null(draw); });
}

std::vector<std::map<std::string, double>> joint_draws(const Component& component, const Signals& declared, const TrialInfo& info,
                                                       int count, const std::function<std::shared_ptr<Probe>()>& make) {
  Pools pools(component.name);
  std::vector<std::map<std::string, double>> each(static_cast<std::size_t>(count));
  Activity draws("draws of " + component.name + "'s null", Activity::Kind::dropped, count);
  parallel_for(count, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      check_interrupt();
      TrialInfo own = info;
      own.seed = static_cast<std::uint64_t>(i);
      Draw draw(own, declared, component, pools);
      const std::shared_ptr<Probe> probe = make();
      const std::string function = "null, draw " + std::to_string(i);
      call_plugin({"probe", component.name, function}, [&] { probe->null(draw); });
      each[static_cast<std::size_t>(i)] = std::move(draw.records);
      draws.advance();
    }
  });
  return each;
}

NullDraws null_draws(const Materials& materials, const Arm& arm, Cache& cache, int count, int threads) {
  set_team(threads);
  const TrialInfo info = info_of({}, arm, materials.arm(arm));
  NullDraws out;
  out.count = count;
  for (const Component& component : arm.probes) {
    const Plugin& plugin = materials.registry().get(Kind::probe, component.plugin);
    const Signals declared = describe(plugin, &component.config).signals;
    for (const Signals::Null& n : declared.nulls)
      if (n.drawn && !n.drawn_for(info.fresh)) {
        const RecordName full = record_name(component, n.record);
        out.nothing_sampled.push_back(full.probe + "/" + full.name);
      }
    if (std::ranges::none_of(declared.nulls, [&](const Signals::Null& n) { return n.drawn_for(info.fresh); })) continue;
    const Json recipe = recipe_of(plugin, component, info, count);
    // The trials are done: what fails here costs their figures the comparison, not the report.
    try {
      const std::string path =
          cache.get("null", recipe, "null of " + arm.key() + "/" + component.name, [&](const std::string& to) {
            const Drawn drawn =
                by_record(joint_draws(component, declared, info, count, [&] { return create<Probe>(plugin, component.config); }));
            std::vector<NamedArray> arrays;
            for (const auto& [name, values] : drawn)
              arrays.push_back({name, {DType::f32, values.data(), {static_cast<std::int64_t>(values.size())}}});
            write_safetensors(to, arrays, {{"khost", "null draws"}, {"recipe", recipe.canonical()}});
          });
      const SafetensorsFile file(path);
      for (const std::string& name : file.names()) {
        const auto values = file.get(name).f32();
        out.records[name].assign(values.begin(), values.end());
      }
    } catch (const Error& e) {
      if (e.kind() == ErrorKind::interrupted && interrupted()) throw;
      out.failed.emplace(component.name, e.what());
    } catch (const std::exception& e) {
      out.failed.emplace(component.name, e.what());
    }
  }
  return out;
}

std::vector<std::string> nulls_not_made(const Materials& materials, const Arm& arm, const NullDraws& made,
                                        const std::vector<TrialResult>& trials) {
  std::set<std::string> have, out;
  for (const TrialResult& trial : trials)
    if (trial.key.arm == arm.name && arm.runs_on(trial.key.base))
      for (const RecordSeries& s : trial.series)
        if (s.has_whole()) have.insert(s.label());
  for (const Component& component : arm.probes) {
    if (made.failed.contains(component.name)) continue;
    const Signals declared = describe(materials.registry().get(Kind::probe, component.plugin), &component.config).signals;
    for (const std::string& label : have) {
      const std::string given = given_name(component, declared, label);
      const Signals::Null* null = given.empty() ? nullptr : declared.null_of(given);
      if (null && null->drawn_for(arm.data.fresh) && !made.records.contains(label)) out.insert(label);
    }
  }
  return {out.begin(), out.end()};
}

}  // namespace khost
