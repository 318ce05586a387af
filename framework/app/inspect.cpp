// khost inspect NAME: what one plugin is, takes, needs and records.
#include <fmt/format.h>

#include <iostream>
#include <memory>
#include <optional>

#include "commands.hpp"
#include "plugin/registry.hpp"

namespace khost {
namespace {

// ---- in words ----

std::string type_words(const Field& field) {
  if (field.type != FieldType::list || field.elements.empty() || field.elements.front().type == FieldType::any)
    return name_of(field.type);
  return "list of " + type_words(field.elements.front());
}

std::string range_words(const Field& field) {
  if (field.low && field.high) return fmt::format("{} to {}", *field.low, *field.high);
  if (field.low) return fmt::format("at least {}", *field.low);
  if (field.high) return fmt::format("at most {}", *field.high);
  return "";
}

std::string when_words(const When& when) {
  std::string words;
  if (when.period == 1) return "every step";
  if (when.period > 1) words = fmt::format("every {} steps", when.period);
  if (!when.steps.empty()) {
    words += words.empty() ? "at steps " : " and at steps ";
    for (std::size_t i = 0; i < when.steps.size(); ++i) words += fmt::format("{}{}", i ? ", " : "", when.steps[i]);
  }
  return words.empty() ? "at the end" : words;
}

void print_fields(const std::vector<Field>& fields, const std::string& indent) {
  for (const Field& f : fields) {
    std::string line = fmt::format("{}{}  {}", indent, f.name, type_words(f));
    if (f.required)
      line += ", required";
    else
      line += ", default " + (f.nullable && f.default_value.is_null() ? "not set" : f.default_value.text());
    if (const std::string range = range_words(f); !range.empty()) line += ", " + range;
    if (!f.choices.empty()) line += ", one of " + fmt::format("{}", fmt::join(f.choices, " | "));
    if (f.operational) line += ", does not change results";
    if (f.path) line += ", a path relative to the manifest";
    std::cout << line << '\n';
    if (!f.doc.empty()) std::cout << indent << "    " << f.doc << '\n';
    if (!f.shape.empty()) std::cout << indent << "    as " << f.shape << '\n';
    if (!f.deprecated.empty()) std::cout << indent << "    deprecated: " << f.deprecated << '\n';
    print_fields(f.members, indent + "    ");
  }
}

void print_signals(const Signals& signals) {
  if (!signals.needs.empty()) std::cout << "\nneeds (with the default parameters)\n";
  for (const auto& need : signals.needs) std::cout << fmt::format("  {}  {}\n", need.name, when_words(need.when));
  std::string costs;
  if (signals.evaluation_count() || signals.gradient_count)
    costs +=
        fmt::format("  {} forward passes, {} forward and backward passes\n", signals.evaluation_count(), signals.gradient_count);
  for (const Part part : {Part::calibration, Part::held_out})
    if (signals.evaluation_count(part))
      costs += fmt::format("  {} losses on the {} part\n", signals.evaluation_count(part), name_of(part));
  if (!costs.empty()) std::cout << "\ncosts at the end of a trial\n" << costs;
  if (!signals.modifies.empty()) std::cout << fmt::format("\nchanges\n  {}\n", fmt::join(signals.modifies, ", "));
  if (!signals.emits.empty()) std::cout << "\nrecords\n";
  for (const auto& emit : signals.emits) {
    std::cout << fmt::format("  {}  [{}]\n", emit.name, emit.unit);
    if (!emit.doc.empty()) std::cout << "      " << emit.doc << '\n';
  }
}

void print_compute(const Plugin& plugin) {
  const khost_compute& table = *plugin.descriptor->compute;
  std::cout << fmt::format("\ncompute table\n  score on this CPU  {}\n  gemm               {}\n  packed weights     {}\n",
                           score_of(plugin), table.gemm ? "yes" : "declined", table.pack && table.gemm_packed ? "yes" : "no");
}

void print_text(const Plugin& plugin) {
  const Description description = describe(plugin, nullptr);
  std::cout << fmt::format("{}: {}\n\n  kind      {}{}\n  path      {}\n  numerics  {}\n", plugin.name(),
                           plugin.descriptor->summary, name_of(plugin.kind()), plugin.policy() ? " (policy)" : "", plugin.path,
                           plugin.descriptor->numerics);
  if (plugin.kind() == Kind::compute) print_compute(plugin);
  std::cout << "\nparameters\n";
  if (description.schema.fields.empty()) std::cout << "  none\n";
  print_fields(description.schema.fields, "  ");
  print_signals(description.signals);
}

// ---- as JSON ----

Json optional_number(const std::optional<double>& value) { return value ? Json(*value) : Json(); }

Json json_of(const std::vector<Field>& fields) {
  Json::List list;
  for (const Field& f : fields) {
    Json& each = list.emplace_back(Json::Object{});
    each.set("name", f.name);
    each.set("type", name_of(f.type));
    if (f.type == FieldType::list && !f.elements.empty()) each.set("element", type_words(f.elements.front()));
    each.set("required", f.required);
    if (!f.required) each.set("default", f.default_value);
    each.set("nullable", f.nullable);
    each.set("operational", f.operational);
    each.set("path", f.path);
    each.set("low", optional_number(f.low));
    each.set("high", optional_number(f.high));
    Json::List choices(f.choices.begin(), f.choices.end());
    each.set("choices", Json(std::move(choices)));
    each.set("shape", f.shape);
    each.set("doc", f.doc);
    each.set("deprecated", f.deprecated);
    if (f.type == FieldType::object) each.set("members", json_of(f.members));
  }
  return Json(std::move(list));
}

Json json_of(const Plugin& plugin) {
  const Description description = describe(plugin, nullptr);
  Json all{Json::Object{}};
  all.set("name", plugin.name());
  all.set("kind", name_of(plugin.kind()));
  all.set("policy", plugin.policy());
  all.set("summary", plugin.descriptor->summary);
  all.set("path", plugin.path);
  all.set("numerics", static_cast<std::int64_t>(plugin.descriptor->numerics));
  all.set("parameters", json_of(description.schema.fields));
  if (plugin.kind() == Kind::compute) {
    all.set("score", score_of(plugin));
    return all;
  }

  Json::List needs, records, modifies;
  for (const auto& need : description.signals.needs) {
    Json& each = needs.emplace_back(Json::Object{});
    each.set("signal", need.name);
    each.set("period", need.when.period);
    each.set("steps", Json(Json::List(need.when.steps.begin(), need.when.steps.end())));
  }
  for (const auto& emit : description.signals.emits) {
    Json& each = records.emplace_back(Json::Object{});
    each.set("name", emit.name);
    each.set("unit", emit.unit);
    each.set("doc", emit.doc);
  }
  for (const std::string& what : description.signals.modifies) modifies.emplace_back(what);
  all.set("needs", Json(std::move(needs)));
  all.set("records", Json(std::move(records)));
  all.set("modifies", Json(std::move(modifies)));
  Json evaluations{Json::Object{}};
  for (const Part part : {Part::train, Part::calibration, Part::held_out})
    evaluations.set(name_of(part), description.signals.evaluation_count(part));
  all.set("evaluations", std::move(evaluations));
  all.set("gradients", description.signals.gradient_count);
  return all;
}

void inspect(const std::string& name, bool json) {
  const Registry registry(Registry::default_folders());
  const bool is_path = name.find('/') != std::string::npos;
  const std::span<const Plugin> plugins = is_path ? load_plugin_file(name) : registry.find(name);
  if (json) {
    // One object; a list only for a file that holds several components.
    Json::List all;
    for (const Plugin& plugin : plugins) all.push_back(json_of(plugin));
    std::cout << (all.size() == 1 ? all.front() : Json(std::move(all))).pretty() << '\n';
    return;
  }
  for (const Plugin& plugin : plugins) {
    if (&plugin != &plugins.front()) std::cout << "\n";
    print_text(plugin);
  }
}

}  // namespace

Command inspect_command() {
  Command command("inspect", "one plugin's parameters, signals and records");
  struct Options {
    std::string name;
    bool json = false;
  };
  auto& o = command.values<Options>();
  command.argument("PLUGIN", o.name, "a plugin's name, or the path of its file");
  command.flag("json", o.json, "as JSON, for scripts");
  command.example("inspect snr");
  command.does([&o] { inspect(o.name, o.json); });
  return command;
}

}  // namespace khost
