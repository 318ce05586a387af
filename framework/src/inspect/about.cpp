#include "inspect/about.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>

#include "artifact/share.hpp"
#include "graph/tape.hpp"
#include "inspect/example.hpp"
#include "manifest/keys.hpp"
#include "plugin/signal_table.hpp"

namespace khost {
namespace {

// What tensors are made for here. The extents are primes, so that a shape tells which of them it has.
constexpr std::int64_t vocabulary = 15013, sequence = 127, rows = 1009, columns = 757, rank = 13;
constexpr std::array<std::pair<std::int64_t, const char*>, 5> letters = {
    {{vocabulary, "V"}, {sequence, "T"}, {rows, "m"}, {columns, "n"}, {rank, "K"}}};

std::string in_letters(const Shape& shape) {
  std::string text;
  for (const std::int64_t extent : shape) {
    const auto letter = std::ranges::find(letters, extent, [](const auto& l) { return l.first; });
    text += (text.empty() ? "" : ", ") + (letter == letters.end() ? std::to_string(extent) : letter->second);
  }
  return "[" + text + "]";
}

// "layer.<l>.attn.qkv" of "layer.3.attn.qkv": the first number between dots.
std::string without_layer(const std::string& name) {
  for (std::size_t at = 0; at < name.size();) {
    const std::size_t end = std::min(name.find('.', at), name.size());
    if (end > at && name.find_first_not_of("0123456789", at) >= end) return name.substr(0, at) + "<l>" + name.substr(end);
    at = end + 1;
  }
  return name;
}

void add_model(About& about, const Json& config) {
  ModelContext context{vocabulary, sequence};
  const auto model = create<Model>(*about.plugin, config, &context);
  std::vector<WeightSlot> slots;
  for (const Parameter& p : model->parameters()) {
    slots.push_back({p, nullptr, nullptr, nullptr, true});
    AboutTensor tensor{p.layer < 0 ? p.name : without_layer(p.name), in_letters(p.shape), p.adaptable, p.layer < 0 ? 0 : 1};
    const auto same = [&](const AboutTensor& t) { return t.name == tensor.name && t.shape == tensor.shape; };
    if (const auto found = std::ranges::find_if(about.tensors, same); found != about.tensors.end())
      ++found->layers;
    else
      about.tensors.push_back(std::move(tensor));
  }
  Tape tape(std::move(slots), 1, sequence);
  model->forward(tape);
  for (const Tape::Exposed& e : tape.exposed)
    if (std::string name = without_layer(e.name); std::ranges::find(about.exposed, name) == about.exposed.end())
      about.exposed.push_back(std::move(name));
}

void add_adapter(About& about, const Json& config) {
  AdapterTensors tensors;
  create<Adapter>(*about.plugin, config)->tensors(tensors, {"W", rows, columns, rank});
  for (const AdapterTensors::Tensor& t : tensors.all()) about.tensors.push_back({t.name, in_letters(t.shape)});
}

void add_core(About& about, const Json& config) {
  const auto core = create<Core>(*about.plugin, config);
  about.tensors.push_back({"alpha", in_letters(core->alpha(rank))});
  if (core->trains_factors()) about.tensors.insert(about.tensors.end(), {{"U", "[m, K]"}, {"V", "[n, K]"}});
}

// What only an instance knows.
void add_made(About& about) {
  try {
    const Json config = config_in(about.example, *about.plugin, about.description.schema);
    if (about.plugin->kind() == Kind::model) add_model(about, config);
    if (about.plugin->kind() == Kind::adapter) add_adapter(about, config);
    if (about.plugin->kind() == Kind::core) add_core(about, config);
    if (about.plugin->kind() == Kind::optimizer) about.slots = create<Optimizer>(*about.plugin, config)->slots();
  } catch (const Error& e) {
    if (e.kind() == ErrorKind::interrupted) throw;
    about.unmade = e.what();
  }
}

std::vector<Field> keys_beside(Kind kind) {
  std::vector<Field> keys;
  const auto add = [&](const Schema& schema) { keys.insert(keys.end(), schema.fields.begin(), schema.fields.end()); };
  add(schema_of<ComponentKeys>());
  if (kind == Kind::probe) add(schema_of<ProbeKeys>());
  if (kind == Kind::data) add(schema_of<DataKeys>());
  if (kind == Kind::adapter) add(schema_of<WrittenAdapterKeys>());
  return keys;
}

// docs/plugins/NAME.md beside the share folder of a checkout, share/doc of an installed khost.
std::string page_of(const std::string& name) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  for (const std::string& share : share_folders()) {
    const fs::path folder = fs::canonical(share, ignored);
    if (folder.empty()) continue;
    for (const fs::path& docs : {folder / "doc", folder.parent_path() / "doc" / "khost", folder.parent_path() / "docs"})
      if (const fs::path page = docs / "plugins" / (name + ".md"); fs::is_regular_file(page, ignored)) return page;
  }
  return "";
}

std::string counted(std::int64_t count, std::string_view what) {
  const bool hisses = what.ends_with("s") || what.ends_with("ch");
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : hisses ? "es" : "s");
}

}  // namespace

About about(const Plugin& plugin) {
  About about{.plugin = &plugin, .description = describe(plugin, nullptr), .host_keys = keys_beside(plugin.kind())};
  about.example = example_of(plugin, about.description.schema);
  about.page = page_of(plugin.name());
  add_made(about);
  return about;
}

std::vector<std::string> costs_of(const About& about) {
  std::vector<std::string> costs;
  const Signals& signals = about.description.signals;
  for (const Signals::Need& need : signals.needs)
    if (const KnownSignal* known = find_signal(need.name); known && !known->cost.empty())
      costs.push_back(fmt::format("where it reads {}: {}", need.name, known->cost));
  for (const Part part : {Part::train, Part::calibration, Part::held_out})
    if (const std::int64_t count = signals.evaluation_count(part))
      costs.push_back(
          part == Part::train
              ? fmt::format("after the last step {} on the trial's batch", counted(count, "forward pass"))
              : fmt::format("after the last step {} on all windows of the {} part", counted(count, "loss"), name_of(part)));
  if (signals.gradient_count)
    costs.push_back(
        fmt::format("after the last step forward and backward passes on {}", counted(signals.gradient_count, "further batch")));
  if (signals.decomposition_count > 0)
    costs.push_back(fmt::format("{} decompositions of all adaptable matrices", signals.decomposition_count));
  if (about.slots)
    costs.push_back(*about.slots == 0 ? "no state"
                                      : fmt::format("state: {} as large as what is trained", counted(*about.slots, "array")));
  if (about.plugin->kind() == Kind::probe && costs.empty()) costs.emplace_back("nothing but its own arithmetic");
  return costs;
}

std::string kind_words(const Plugin& plugin) { return plugin.policy() ? "policy" : name_of(plugin.kind()); }

}  // namespace khost
