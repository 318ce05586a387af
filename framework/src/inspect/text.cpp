#include "inspect/text.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "inspect/example.hpp"
#include "inspect/words.hpp"
#include "plugin/signal_table.hpp"
#include "report/text.hpp"

namespace khost {
namespace {

class Text {
 public:
  explicit Text(std::size_t width) : width_(width) {}

  void title(std::string_view title) { out_ += fmt::format("\n{}\n", title); }
  // A name and what is known of it, and below that what it means.
  void entry(std::string_view name, std::string_view known, std::string_view body, std::size_t indent = 2) {
    const std::string spaces(indent, ' ');
    if (known.empty())
      line(name, indent);
    else
      add_lines(out_, known, width_, spaces + std::string(name) + "  ", spaces + "    ");
    line(body, indent + 4);
  }
  void line(std::string_view text, std::size_t indent = 2) {
    const std::string spaces(indent, ' ');
    if (!text.empty()) add_lines(out_, text, width_, spaces, spaces);
  }
  void row(std::string_view name, std::string_view value) {
    add_lines(out_, value, width_, fmt::format("  {:<9} ", name), std::string(12, ' '));
  }
  void raw(std::string_view text) { out_ += text; }
  const std::string& text() const { return out_; }

 private:
  std::size_t width_;
  std::string out_;
};

void fields(Text& out, const std::vector<Field>& all, std::size_t indent) {
  for (const Field& f : all) {
    std::string known = type_words(f) + ", ";
    known += f.required || f.default_value.is_null() ? default_words(f) : "default " + default_words(f);
    if (const std::string range = range_words(f); !range.empty()) known += ", " + range;
    if (!f.choices.empty()) known += fmt::format(", one of {}", fmt::join(f.choices, " | "));
    if (f.operational) known += ", changes no figure";
    if (f.path) known += ", a path relative to the manifest";
    out.entry(f.name, known, f.doc, indent);
    if (f.type == FieldType::list && !f.shape.empty() && !f.elements.empty() && f.elements.front().type != FieldType::any)
      out.line("as " + f.shape, indent + 4);
    if (!f.deprecated.empty()) out.line("deprecated: " + f.deprecated, indent + 4);
    fields(out, f.members, indent + 4);
  }
}

std::string names_of(const std::vector<Field>& keys) {
  std::string names;
  for (const Field& key : keys)
    if (key.name != "plugin") names += (names.empty() ? "" : ", ") + key.name;
  return names;
}

std::string unit_words(std::string_view unit) { return unit == "1" ? "a bare number" : "in " + std::string(unit); }

void signals(Text& out, const Signals& declared) {
  if (!declared.needs.empty()) out.title("reads (with the default parameters; steps count from 0)");
  for (const Signals::Need& need : declared.needs) {
    const KnownSignal* known = find_signal(need.name);
    out.entry(need.name, when_words(need.when),
              fmt::format("{}, {}{}", known->arrays, known->shape, known->unit.empty() ? "" : ", " + unit_words(known->unit)));
  }
  if (!declared.reads.empty()) out.title("reads of other arms");
  for (const std::string& path : declared.reads) out.line(path);
  if (!declared.modifies.empty()) out.title("changes");
  for (const std::string& thing : declared.modifies) {
    const auto known = std::ranges::find(changeable_things(), thing, &Changeable::name);
    out.entry(thing, fmt::format("by {}()", known->by), known->what);
  }
}

void records(Text& out, const Signals& declared) {
  if (declared.emits.empty()) return;
  out.title("records");
  for (const Signals::Emit& emit : declared.emits) out.entry(emit.name, unit_words(emit.unit), emit.doc);
  out.title("what noise alone would give");
  for (const Signals::Null& null : nulls_of(declared))
    out.entry(null.record == "*" ? rest_words(declared) : null.record,
              !null.drawn       ? "none"
              : null.fresh_only ? "drawn where every step has a batch of its own (\"reuse\": \"fresh\")"
                                : "drawn",
              null.text);
  for (const Signals::Emit& emit : declared.emits)
    if (!declared.null_of(emit.name)) out.entry(emit.name, "not said: null() or no_null() in its declare() would", "");
}

void made(Text& out, const About& about) {
  if (!about.unmade.empty()) {
    out.title("made with its defaults");
    out.line("it was not, and so its tensors or its state are not listed: " + about.unmade);
  }
  if (about.tensors.empty()) return;
  const Kind kind = about.plugin->kind();
  out.title(kind == Kind::model
                ? "tensors, as \"train\", \"rank\" and a base's file name them (with the default parameters; V tokens, "
                  "sequences of T)"
                : "trains for a matrix W [m, n], with K of the manifest");
  for (const AboutTensor& t : about.tensors) {
    std::string known = t.shape;
    if (t.layers) known += fmt::format(", l = 0 .. {}", t.layers - 1);
    if (t.adaptable) known += ", adaptable";
    out.entry(t.name, known, "");
  }
  if (kind != Kind::model) return;
  out.line("\"@matrices\" means the adaptable ones; * in a pattern stands for anything: layer.*.mlp.up");
  if (about.exposed.empty()) return;
  out.title("shows to probes, as signals activation and activation.grad [B*T, C]");
  for (const std::string& name : about.exposed) out.line(name);
}

void compute(Text& out, const Plugin& plugin) {
  const khost_compute& table = *plugin.descriptor->compute;
  out.title("on this CPU");
  const int score = score_of(plugin);
  out.line(
      fmt::format("score {}{}", score, score > 0 ? "; the highest is used where nobody names a backend" : ": it cannot be used"));
  out.line(fmt::format("matrix products {}, weights laid out once {}", table.gemm ? "yes" : "declined",
                       table.pack && table.gemm_packed ? "yes" : "no"));
}

}  // namespace

std::string text_of(const About& about, std::size_t width) {
  const Plugin& plugin = *about.plugin;
  Text out(width);
  out.raw(fmt::format("{}: {}\n\n", plugin.name(), plugin.descriptor->summary));
  out.row("kind", plugin.policy() ? "policy, a probe that also changes something" : name_of(plugin.kind()));
  out.row("numerics", fmt::format("version {}, {}", plugin.descriptor->numerics, numerics_words));
  out.row("file", plugin.path);
  if (!about.page.empty()) out.row("page", about.page);
  if (plugin.kind() == Kind::compute) compute(out, plugin);
  out.title("parameters");
  if (about.description.schema.fields.empty()) out.line("none");
  fields(out, about.description.schema.fields, 2);
  if (const std::string beside = names_of(about.host_keys); !beside.empty())
    out.line(fmt::format("and khost's own beside them: {} (docs/concepts/manifest.md)", beside));
  made(out, about);
  signals(out, about.description.signals);
  records(out, about.description.signals);
  if (const auto costs = costs_of(about); !costs.empty()) {
    out.title("costs");
    for (const std::string& cost : costs) out.line(cost);
  }
  out.title("in a manifest");
  out.raw(indented(example_text(about.example), 2));
  return out.text();
}

std::string signals_text(std::size_t width) {
  Text out(width);
  out.raw(
      "Signals: what a probe can read at each step, after the backward pass and before the update. need(NAME, WHEN) in its\n"
      "declare() asks for one; what nobody asks for is neither computed nor kept. B windows of T tokens; W [m, n] a matrix, K "
      "its\n"
      "rank.\n\n");
  for (const KnownSignal& s : known_signals()) {
    out.entry(s.name, fmt::format("{}{}", s.shape, s.unit.empty() ? "" : ", " + unit_words(s.unit)), s.what);
    out.line(fmt::format("{}; of {}{}{}", s.arrays, s.from, s.cost.empty() ? "" : "; costs ", s.cost), 6);
  }
  out.title("What a policy can change, once it declares modify(NAME)");
  for (const Changeable& c : changeable_things()) out.entry(c.name, fmt::format("by {}()", c.by), c.what);
  return out.text();
}

}  // namespace khost
