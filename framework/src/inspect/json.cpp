#include "inspect/json.hpp"

#include "inspect/example.hpp"
#include "inspect/words.hpp"
#include "plugin/signal_table.hpp"

namespace khost {
namespace {

Json optional_number(const std::optional<double>& value) { return value ? Json(*value) : Json(); }

Json names(const std::vector<std::string>& all) { return Json::List(all.begin(), all.end()); }

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
    each.set("choices", names(f.choices));
    each.set("shape", f.shape);
    each.set("doc", f.doc);
    each.set("deprecated", f.deprecated);
    if (f.type == FieldType::object) each.set("members", json_of(f.members));
  }
  return list;
}

Json json_of(const Signals::Null& null) {
  return Json::object({{"drawn", null.drawn}, {"only_fresh", null.fresh_only}, {"text", null.text}});
}

void add_signals(Json& all, const Signals& signals) {
  Json::List needs, records;
  for (const Signals::Need& need : signals.needs) {
    Json& each = needs.emplace_back(json_of(need.when));
    each.set("signal", need.name);
  }
  for (const Signals::Emit& emit : signals.emits) {
    Json& each = records.emplace_back(Json::object({{"name", emit.name}, {"unit", emit.unit}, {"doc", emit.doc}}));
    const Signals::Null* null = signals.null_of(emit.name);
    each.set("null", null ? json_of(*null) : Json());
  }
  all.set("needs", std::move(needs));
  all.set("reads", names(signals.reads));
  all.set("modifies", names(signals.modifies));
  all.set("records", std::move(records));
  Json evaluations{Json::Object{}};
  for (const Part part : {Part::train, Part::calibration, Part::held_out})
    evaluations.set(name_of(part), signals.evaluation_count(part));
  all.set("evaluations", std::move(evaluations));
  all.set("gradients", signals.gradient_count);
  all.set("decompositions", signals.decomposition_count);
}

void add_made(Json& all, const About& about) {
  if (!about.tensors.empty()) {
    Json::List tensors;
    for (const AboutTensor& t : about.tensors)
      tensors.push_back(Json::object({{"name", t.name}, {"shape", t.shape}, {"adaptable", t.adaptable}, {"layers", t.layers}}));
    all.set("tensors", std::move(tensors));
  }
  if (about.plugin->kind() == Kind::model) all.set("exposes", names(about.exposed));
  if (about.slots) all.set("slots", *about.slots);
  if (!about.unmade.empty()) all.set("unmade", about.unmade);
}

}  // namespace

Json json_of(const When& when) {
  return Json::object(
      {{"when", when_words(when)}, {"period", when.period}, {"steps", Json::List(when.steps.begin(), when.steps.end())}});
}

Json json_of(const About& about) {
  const Plugin& plugin = *about.plugin;
  Json all = Json::object({{"name", plugin.name()},
                           {"kind", name_of(plugin.kind())},
                           {"policy", plugin.policy()},
                           {"summary", plugin.descriptor->summary},
                           {"path", plugin.path},
                           {"page", about.page.empty() ? Json() : Json(about.page)},
                           {"numerics", static_cast<std::int64_t>(plugin.descriptor->numerics)},
                           {"parameters", json_of(about.description.schema.fields)},
                           {"host_parameters", json_of(about.host_keys)}});
  if (plugin.kind() == Kind::compute) all.set("score", score_of(plugin));
  if (plugin.kind() == Kind::probe) add_signals(all, about.description.signals);
  add_made(all, about);
  all.set("costs", names(costs_of(about)));
  all.set("example", about.example);
  return all;
}

Json signals_json() {
  Json::List signals, changeable;
  for (const KnownSignal& s : known_signals())
    signals.push_back(Json::object({{"name", s.name},
                                    {"arrays", s.arrays},
                                    {"shape", s.shape},
                                    {"unit", s.unit},
                                    {"what", s.what},
                                    {"from", s.from},
                                    {"cost", s.cost}}));
  for (const Changeable& c : changeable_things())
    changeable.push_back(Json::object({{"name", c.name}, {"by", c.by}, {"what", c.what}}));
  return Json::object({{"signals", std::move(signals)}, {"changeable", std::move(changeable)}});
}

}  // namespace khost
