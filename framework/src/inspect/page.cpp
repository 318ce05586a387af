#include "inspect/page.hpp"

#include <fmt/format.h>

#include "inspect/example.hpp"
#include "inspect/words.hpp"
#include "plugin/signal_table.hpp"
#include "report/text.hpp"

namespace khost {
namespace {

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) out += (c == '*' || c == '|' || c == '<' || c == '\\' ? "\\" : "") + std::string(1, c);
  return out;
}

std::string code(std::string_view text) { return text.empty() ? "" : "`" + std::string(text) + "`"; }

std::string type_cell(const Field& field) {
  std::string words = type_words(field);
  if (field.type == FieldType::any && !field.shape.empty() && field.shape.front() == '[') words = code(words);
  for (const std::string& choice : field.choices) words = (&choice == &field.choices[0] ? "" : words + ", ") + code(choice);
  const std::string range = range_words(field);
  return range.empty() ? words : words + ", " + range;
}

std::string default_cell(const Field& field) {
  if (field.required) return "required";
  return field.default_value.is_null() ? "" : code(default_words(field));
}

void add_rows(std::string& out, const std::vector<Field>& fields, const std::string& within) {
  for (const Field& f : fields) {
    out += fmt::format("| `{}{}` | {} | {} | {}{}{} |\n", within, f.name, type_cell(f), default_cell(f), escaped(f.doc),
                       f.operational ? "; changes no figure" : "",
                       f.deprecated.empty() ? "" : "; deprecated: " + escaped(f.deprecated));
  }
}

std::string unit_cell(std::string_view unit) { return unit.empty() ? "" : escaped(unit); }

// Of all records, or of those that differ.
std::string null_cell(const Signals& signals, const Signals::Emit& emit) {
  const Signals::Null* null = signals.null_of(emit.name);
  return !null ? "not said" : !null->drawn ? "none" : null->fresh_only ? "on fresh batches" : "drawn";
}

void add_records(std::string& out, const Signals& signals) {
  if (signals.emits.empty()) {
    out += "It makes no records.\n\n";
    return;
  }
  out += "| record | unit | noise | |\n|---|---|---|---|\n";
  for (const Signals::Emit& e : signals.emits)
    out += fmt::format("| `{}` | {} | {} | {} |\n", e.name, unit_cell(e.unit), null_cell(signals, e), escaped(e.doc));
  out += "\nWhat noise alone would give:\n\n";
  for (const Signals::Null& null : nulls_of(signals))
    out += fmt::format("- {}: {}{}\n", null.record == "*" ? rest_words(signals) : code(null.record), null.drawn ? "" : "none; ",
                       escaped(null.text));
  out += "\n";
}

void add_signals(std::string& out, const Signals& signals) {
  if (!signals.needs.empty()) out += "Reads, with the default parameters (steps count from 0; [signals.md](signals.md)): ";
  for (const Signals::Need& need : signals.needs)
    out += fmt::format("{}`{}`, {}", &need == &signals.needs.front() ? "" : "; ", need.name, when_words(need.when));
  if (!signals.needs.empty()) out += ".\n\n";
  for (const std::string& path : signals.reads)
    out += fmt::format("Reads the record `{}` of an arm that its arm needs.\n\n", path);
  for (const std::string& thing : signals.modifies)
    for (const Changeable& known : changeable_things())
      if (known.name == thing) out += fmt::format("Changes `{}`: {}.\n\n", thing, escaped(known.what));
}

void add_made(std::string& out, const About& about) {
  if (about.tensors.empty()) return;
  const bool model = about.plugin->kind() == Kind::model;
  out += model ? "Its tensors, with the default parameters, for V tokens and sequences of T:\n\n"
               : "Trained for a matrix W [m, n] with K of the manifest:\n\n";
  out += model ? "| tensor | shape | layers | |\n|---|---|---|---|\n" : "| tensor | shape |\n|---|---|\n";
  for (const AboutTensor& t : about.tensors)
    out += model ? fmt::format("| `{}` | {} | {} | {} |\n", t.name, t.shape, t.layers ? fmt::format("0 to {}", t.layers - 1) : "",
                               t.adaptable ? "adaptable" : "")
                 : fmt::format("| `{}` | {} |\n", t.name, t.shape);
  out += "\n";
  if (!about.exposed.empty()) out += "It shows to probes, as `activation` and `activation.grad`: ";
  for (const std::string& name : about.exposed) out += (&name == &about.exposed.front() ? "" : ", ") + code(name);
  if (!about.exposed.empty()) out += ".\n\n";
}

}  // namespace

std::string keys_table(const std::vector<Field>& fields) {
  std::string out = "| key | type | default | |\n|---|---|---|---|\n";
  add_rows(out, fields, "");
  return out;
}

std::string made_part(const About& about) {
  const Plugin& plugin = *about.plugin;
  std::string out = fmt::format("*{}*\n\n", escaped(plugin.descriptor->summary));
  out +=
      about.description.schema.fields.empty() ? "It has no parameters.\n\n" : keys_table(about.description.schema.fields) + "\n";
  for (const Field& f : about.description.schema.fields)
    if (!f.members.empty()) {
      out += fmt::format("Within `{}`:\n\n", f.name);
      out += keys_table(f.members) + "\n";
    }
  add_made(out, about);
  if (plugin.kind() == Kind::probe) {
    add_signals(out, about.description.signals);
    add_records(out, about.description.signals);
  }
  const auto costs = costs_of(about);
  for (const std::string& cost : costs) out += (&cost == &costs.front() ? "Costs: " : "; ") + escaped(cost);
  if (!costs.empty()) out += ".\n\n";
  return out + "In a manifest:\n\n" + indented(example_text(about.example), 4);
}

std::string signals_part() {
  std::string out = "| signal | shape | unit | |\n|---|---|---|---|\n";
  for (const KnownSignal& s : known_signals())
    out += fmt::format("| `{}` | {} | {} | {} ({}); of {}{} |\n", s.name, escaped(s.shape), unit_cell(s.unit), escaped(s.what),
                       escaped(s.arrays), escaped(s.from), s.cost.empty() ? "" : fmt::format("; costs {}", escaped(s.cost)));
  out += "\n| what a policy can change | by | |\n|---|---|---|\n";
  for (const Changeable& c : changeable_things()) out += fmt::format("| `{}` | `{}()` | {} |\n", c.name, c.by, escaped(c.what));
  return out;
}

std::string index_part(std::span<const Plugin* const> plugins) {
  std::string out;
  for (const char* kind : {"probe", "policy", "optimizer", "adapter", "core", "model", "data", "compute"}) {
    std::string rows;
    for (const Plugin* p : plugins)
      if (kind_words(*p) == kind) rows += fmt::format("| [{0}]({0}.md) | {1} |\n", p->name(), escaped(p->descriptor->summary));
    if (!rows.empty()) out += fmt::format("{0}| [{1}]({1}.md) | |\n|---|---|\n{2}", out.empty() ? "" : "\n", kind, rows);
  }
  return out;
}

std::string with_part(const std::string& page, std::string_view what, const std::string& part) {
  const std::string mark = fmt::format("<!-- made: {} -->\n", what), end = "<!-- end -->";
  const std::size_t at = page.find(mark), stop = at == std::string::npos ? at : page.find(end, at);
  if (stop == std::string::npos)
    throw Error(ErrorKind::usage, fmt::format("the page has no lines '{}' and '{}' with what is made between them",
                                              mark.substr(0, mark.size() - 1), end));
  return page.substr(0, at + mark.size()) + part + page.substr(stop);
}

}  // namespace khost
