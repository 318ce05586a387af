#include "manifest/declared.hpp"

#include <algorithm>

#include "manifest/parts.hpp"

namespace khost {
namespace {

// The engine's own records.
std::vector<std::string> own_records(const Arm& arm, const std::string& probe) {
  if (probe == "parameters") return {"adapter", "adapter_mean", "trainable", "trainable_mean"};
  if (probe != "loss") return {};
  std::vector<std::string> names = {"base", "final", "held_out_base", "held_out_final", "train_last"};
  for (const char* kind : {"at", "held_out_at"})
    for (const std::int64_t step : arm.record_at) names.push_back(kind + std::to_string(step));
  return names;
}

// "640" of "at640" and "held_out_at640", else "".
std::string step_of(std::string_view record) {
  for (const std::string_view kind : {"at", "held_out_at"})
    if (record.starts_with(kind) && record.size() > kind.size() &&
        record.find_first_not_of("0123456789", kind.size()) == std::string_view::npos)
      return std::string(record.substr(kind.size()));
  return "";
}

}  // namespace

std::string expect_record(const ReadArm& in, const RecordPath& path, const Place& place, const std::string& said) {
  const auto absent = [&](const std::string& what, const std::string& name, const std::vector<std::string>& names,
                          const std::string& all) {
    Error error(ErrorKind::usage, place, said + "there is no " + what + " called '" + name + "'");
    return error.hint(nearest_and_all(name, names, all));
  };
  std::vector<std::string> declared = own_records(in.arm, path.probe), probes = {"loss", "parameters"};
  std::vector<std::string> units(declared.size(), path.probe == "loss" ? "nats" : "parameters");
  bool found = !declared.empty();
  for (std::size_t i = 0; i < in.arm.probes.size(); ++i)
    for (const Signals::Emit& emit : in.signals[i].emits) {
      RecordName name = record_name(in.arm.probes[i], emit.name);
      if (std::find(probes.begin(), probes.end(), name.probe) == probes.end()) probes.push_back(name.probe);
      if (name.probe != path.probe) continue;
      found = true;
      declared.push_back(std::move(name.name));
      units.push_back(emit.unit);
    }
  if (!found) throw absent("probe in arm '" + path.arm + "'", path.probe, probes, "probes of the arm");
  for (std::size_t i = 0; i < declared.size(); ++i)
    if (patterns_meet(declared[i], path.record)) return units[i];
  Error error = absent("record of '" + path.probe + "'", path.record, declared, "records of '" + path.probe + "'");
  if (const std::string step = step_of(path.record); path.probe == "loss" && !step.empty())
    error.hint("\"record_at\": [" + step + "] in arm '" + path.arm + "' makes it");
  throw error;
}

}  // namespace khost
