#include "manifest/arms.hpp"

#include <algorithm>

#include "core/shown.hpp"
#include "manifest/needs.hpp"
#include "manifest/overlay.hpp"
#include "manifest/parts.hpp"
#include "manifest/record_path.hpp"
#include "plugin/check_signals.hpp"

namespace khost {
namespace {

constexpr const char* arms_example = R"("arms": {"K32": {}, "K64": {"adapter": {"rank": 64}}})";
constexpr const char* probes_example = R"("probes": [{"plugin": "snr"}])";

// "basis" is the arm's own; "basis.svd" and "basis.random" are the base's, adapter or not.
bool is_of_the_adapter(std::string_view thing) {
  return thing == "basis" || thing.starts_with("alpha") || thing.starts_with("adapter");
}

ReadProbe read_probe(Reading& reading, const Json& given, bool in_arm) {
  static const std::vector<Field> restriction = schema_of<ProbeKeys>().fields;
  if (in_arm && given.is_object())
    for (const JsonMember& m : given.as_object())
      if (m.key == "arms")
        throw Error(ErrorKind::usage, m.place, "'arms' restricts a probe of the experiment; this one belongs to one arm already");
  ReadComponent read = read_component(reading, Kind::probe, given, in_arm ? std::vector<Field>{} : restriction);
  ReadProbe out;
  out.component = std::move(read.component);
  const Component& component = out.component;
  if (is_engine_name(component.name))
    throw Error(ErrorKind::usage, given.place, "'" + component.name + "' is the name of khost's own records")
        .hint("name the probe with \"as\"");
  if (!in_arm) {
    const auto arms = read_config<ProbeKeys>(read.host).arms;
    out.everywhere = !arms;
    out.arms = arms.value_or(std::vector<std::string>{});
  }
  try {
    out.signals = reading.catalog.describe(Kind::probe, component.plugin, &component.config).signals;
  } catch (Error& e) {
    throw e.within("probe '" + component.name + "' at " + given.place.text());
  }
  check_signals(out.signals, "probe '" + component.plugin + "'", reading.catalog.is_policy(component.plugin), component.place);
  return out;
}

class ArmReader {
 public:
  // `on`: the base whose form of the arm it is, or "".
  ArmReader(Reading& reading, const Json& manifest, const JsonMember& member, const std::string& on, const ArmDefaults& defaults)
      : reading_(reading),
        manifest_(manifest),
        given_(member.value),
        defaults_(defaults),
        owner_("arm '" + member.key + "'" + (on.empty() ? "" : " on base '" + on + "'")) {
    out_.arm.name = member.key;
    out_.arm.on = on;
    out_.arm.place = given_.place;
    check_name(member.key, member.place, "an arm");
  }

  ReadArm read() {
    Arm& arm = out_.arm;
    ArmKeys& keys = arm;
    keys = read_config<ArmKeys>(resolve(schema_of<ArmKeys>(), given_, owner_, &reading_.warnings));
    for (const JsonMember& m : given_.as_object()) arm.places.emplace_back(m.key, m.value.place);
    read_length();
    arm.needs = needed(keys.needs);
    arm.model = read_component(reading_, Kind::model, patched("model", keys.model, R"({"head": "untied"})")).component;
    arm.data = read_data(reading_, patched("data", keys.data, R"({"batch": 2})"));
    arm.optimizer = read_component(reading_, Kind::optimizer, patched("optimizer", keys.optimizer, R"({"lr": 1e-3})")).component;
    arm.adapter = read_adapter(reading_, adapter());
    read_arm_probes(keys);
    check_probes();
    return std::move(out_);
  }

 private:
  void read_length() {
    Arm& arm = out_.arm;
    if (arm.steps && arm.budget)
      throw Error(ErrorKind::usage, given_.at("budget").place,
                  owner_ + " has both 'budget' and 'steps', the other at " + given_.at("steps").place.text())
          .hint("a budget decides how many steps there are");
    if (!arm.steps && !arm.budget) arm.steps = defaults_.steps;
    std::sort(arm.record_at.begin(), arm.record_at.end());
    const auto twice = std::adjacent_find(arm.record_at.begin(), arm.record_at.end());
    if (twice == arm.record_at.end()) return;
    const Json::List& written = given_.at("record_at").as_list();
    const auto last = std::find(written.rbegin(), written.rend(), Json(*twice));
    throw Error(ErrorKind::usage, last->place, "'record_at' of " + owner_ + " has " + last->text() + " twice");
  }

  std::vector<std::string> needed(const Json& needs) const {
    if (needs.is_null()) return {};
    if (needs.is_string()) return {needs.as_string()};
    std::vector<std::string> names;
    const auto wrong = [&](const Json& found) {
      return Error(ErrorKind::usage, found.place,
                   "'needs' of " + owner_ + " takes the name of an arm, or a list of names, found " + shortened(found.text()));
    };
    if (!needs.is_list()) throw wrong(needs);
    for (const Json& name : needs.as_list()) {
      if (!name.is_string()) throw wrong(name);
      names.push_back(name.as_string());
    }
    return names;
  }

  Json patched(const char* key, const Json& patch, const char* example) const {
    const Json& base = manifest_.at(key);
    if (patch.is_null()) return base;
    const std::string what = std::string("'") + key + "' of " + owner_;
    return overlay(expect_object(base, std::string("'") + key + "'", example), expect_object(patch, what, example));
  }

  Json adapter() const {
    const Json* own = given_.find("adapter");
    const Json* base = manifest_.find("adapter");
    Json start{Json::Object{}};
    start.place = manifest_.place;
    if (base) start = *base;
    // What an arm sets of a core's keys is laid over the plugin, be it written as its name alone.
    Json* core = start.is_object() ? start.find("core") : nullptr;
    const Json* patch = own && own->is_object() ? own->find("core") : nullptr;
    if (core && core->is_string() && patch && patch->is_object() && !patch->find("plugin")) *core = as_component(*core);
    return own ? overlay(std::move(start), *own) : start;
  }

  void read_arm_probes(const ArmKeys& keys) {
    const Json *added = given_.find("probes"), *instead = given_.find("probes!");
    if (added && instead)
      throw Error(ErrorKind::usage, added->place,
                  owner_ + " has both 'probes' and 'probes!', the other at " + instead->place.text())
          .hint("'probes' adds to the experiment's probes, 'probes!' replaces them");
    if (!instead)
      for (const ReadProbe& probe : *defaults_.probes)
        if (probe.everywhere || std::find(probe.arms.begin(), probe.arms.end(), out_.arm.name) != probe.arms.end()) add(probe);
    const std::optional<Json>& own = instead ? keys.replaced_probes : keys.probes;
    if (!own) return;
    for (const Json& probe : expect_list(*own, "'probes' of " + owner_, probes_example).as_list())
      add(read_probe(reading_, probe, true));
  }

  void add(const ReadProbe& probe) {
    const Component& c = probe.component;
    for (const Component& other : out_.arm.probes)
      if (other.name == c.name)
        throw Error(ErrorKind::usage, c.place,
                    owner_ + " has two probes called '" + c.name + "', the other at " + other.place.text())
            .hint("give one of them a name of its own: \"as\": \"" + c.name + "2\"");
    out_.arm.probes.push_back(c);
    out_.signals.push_back(probe.signals);
  }

  // Of the text that probes evaluate on, beside the trial's own batch.
  void read_parts(const Component& probe, const Signals& signals) {
    for (const Part part : {Part::calibration, Part::held_out}) {
      if (signals.evaluation_count(part) == 0) continue;
      if (out_.arm.data.windows(part) == 0)
        throw Error(ErrorKind::usage, probe.place,
                    "'" + probe.name + "' evaluates on the " + name_of(part) + " part, but \"" + name_of(part) +
                        "_windows\" of " + owner_ + " is 0")
            .hint(std::string("set \"") + name_of(part) + "_windows\" of \"data\" to 16");
      if (part == Part::calibration) out_.arm.reads_calibration = true;
    }
  }

  void check_probes() {
    std::vector<std::pair<std::string, const Component*>> changed;
    for (std::size_t i = 0; i < out_.signals.size(); ++i) {
      const Component& probe = out_.arm.probes[i];
      for (const Signals::Need& need : out_.signals[i].needs) needs_adapter(probe, "needs the signal", need.name);
      if (out_.arm.adapter && out_.signals[i].gradient_count) needs_adapter(probe, "takes gradients of", "alpha");
      read_parts(probe, out_.signals[i]);
      for (const std::string& thing : out_.signals[i].modifies) {
        needs_adapter(probe, "changes", thing);
        for (const auto& [what, other] : changed)
          if (what == thing)
            throw Error(ErrorKind::usage, probe.place,
                        "'" + probe.name + "' and '" + other->name + "' both change '" + thing + "' in " + owner_)
                .hint("an arm takes one policy for each thing; the other is at " + other->place.text());
        changed.emplace_back(thing, &probe);
      }
      for (std::size_t before = 0; before < i; ++before) records_differ(before, i);
    }
  }

  // A record beside its instance, "/grad/mean/0", may be another's too.
  void records_differ(std::size_t first, std::size_t second) const {
    const Component &one = out_.arm.probes[first], &other = out_.arm.probes[second];
    for (const Signals::Emit& a : out_.signals[first].emits)
      for (const Signals::Emit& b : out_.signals[second].emits) {
        const RecordName x = record_name(one, a.name), y = record_name(other, b.name);
        if (!patterns_meet(x.probe + "/" + x.name, y.probe + "/" + y.name)) continue;
        throw Error(ErrorKind::usage, other.place,
                    "'" + one.name + "' and '" + other.name + "' would both make the record '" + y.probe + "/" + y.name +
                        "' in " + owner_)
            .hint("give one of them a name of its own with \"as\", which it then keeps its records under; the other is at " +
                  one.place.text());
      }
  }

  void needs_adapter(const Component& probe, const char* does, const std::string& thing) const {
    if (!is_of_the_adapter(thing)) return;
    if (out_.arm.adapter && out_.arm.adapter->written && (thing == "basis" || thing.starts_with("alpha")))
      throw Error(ErrorKind::usage, probe.place,
                  "probe '" + probe.name + "' " + does + " '" + thing + "', but the adapter of " + owner_ + " is " +
                      out_.arm.adapter->core + ", which has neither U and V nor alpha")
          .hint("name the arms it is for with \"arms\": [...]; what any adapter trains are the signals adapter and adapter.grad");
    if (out_.arm.adapter) return;
    throw Error(ErrorKind::usage, probe.place,
                "probe '" + probe.name + "' " + does + " '" + thing + "', but " + owner_ + " has no adapter")
        .hint("name the arms it is for with \"arms\": [...], or give the arm an adapter");
  }

  Reading& reading_;
  const Json& manifest_;
  const Json& given_;
  const ArmDefaults& defaults_;
  std::string owner_;
  ReadArm out_;
};

const Json& arms_of(const Json& manifest) {
  const Json* arms = manifest.find("arms");
  if (!arms || arms->is_null() || (arms->is_object() && arms->as_object().empty()))
    throw Error(ErrorKind::usage, arms ? arms->place : manifest.place,
                "the manifest needs 'arms', the compositions that are compared")
        .hint(std::string("write ") + arms_example);
  return expect_object(*arms, "'arms'", arms_example);
}

constexpr const char* patches_example = R"("arms": {"*": {"data": {"sequence": 16}}})";

std::string patches_of(const BaseRecipe& base) { return "'arms' of base '" + base.name + "'"; }

void check_patches(const Reading& reading, const Json::Object& arms, const BaseRecipe& base) {
  std::vector<std::string> names;
  for (const JsonMember& arm : arms) names.push_back(arm.key);
  if (base.replaced_arms)
    for (const JsonMember& arm :
         expect_object(*base.replaced_arms, "'arms!' of base '" + base.name + "'", arms_example).as_object())
      if (std::ranges::find(names, arm.key) == names.end())
        throw no_arm(reading, arm.place, "'arms!' of base '" + base.name + "': ", arm.key, names);
  if (!base.arms) return;
  for (const JsonMember& patch : expect_object(*base.arms, patches_of(base), patches_example).as_object()) {
    expect_object(patch.value, "'" + patch.key + "' in " + patches_of(base), patches_example);
    if (const Json* sweep = patch.value.find("sweep"))
      throw Error(ErrorKind::usage, sweep->place, "a base cannot sweep an arm").hint("sweep it in the experiment's 'arms'");
    if (std::ranges::any_of(names, [&](const std::string& name) { return patterns_meet(patch.key, name); })) continue;
    if (patch.key.find('*') == std::string::npos) throw no_arm(reading, patch.place, patches_of(base) + ": ", patch.key, names);
    throw Error(ErrorKind::usage, patch.place, patches_of(base) + ": no arm fits '" + patch.key + "'")
        .hint("the arms: " + joined(names));
  }
}

// The arm with all of the base's patches that fit it, in their order, or what it has in its place; none when there is neither.
std::optional<JsonMember> form_on(const BaseRecipe& base, const JsonMember& arm) {
  if (base.replaced_arms)
    if (const Json* whole = base.replaced_arms->find(arm.key)) return JsonMember{arm.key, *whole, whole->place};
  if (!base.arms) return std::nullopt;
  std::optional<JsonMember> out;
  for (const JsonMember& patch : base.arms->as_object()) {
    if (!patterns_meet(patch.key, arm.key)) continue;
    if (!out) out = arm;
    out->value = overlay(std::move(out->value), patch.value, Layer::arm);
  }
  return out;
}

}  // namespace

std::vector<ReadProbe> read_probes(Reading& reading, const Json& manifest) {
  std::vector<ReadProbe> out;
  const Json* probes = manifest.find("probes");
  if (!probes || probes->is_null()) return out;
  const std::vector<std::string> names = keys_of(arms_of(manifest));
  for (const Json& given : expect_list(*probes, "'probes'", probes_example).as_list()) {
    out.push_back(read_probe(reading, given, false));
    if (out.back().everywhere) continue;
    const Json& arms = given.at("arms");
    if (arms.as_list().empty())
      throw Error(ErrorKind::usage, arms.place, "probe '" + out.back().component.name + "' is restricted to no arm at all");
    for (const Json& arm : arms.as_list())
      if (std::find(names.begin(), names.end(), arm.as_string()) == names.end())
        throw no_arm(reading, arm.place, "", arm.as_string(), names);
  }
  return out;
}

std::vector<ReadArm> read_arms(Reading& reading, const Json& manifest, const std::vector<BaseRecipe>& bases,
                               const ArmDefaults& defaults) {
  const Json::Object& arms = arms_of(manifest).as_object();
  for (const BaseRecipe& base : bases) check_patches(reading, arms, base);
  std::vector<ReadArm> out;
  for (const JsonMember& member : arms) {
    const std::size_t general = out.size();
    out.push_back(ArmReader(reading, manifest, member, "", defaults).read());
    for (const BaseRecipe& base : bases)
      if (const std::optional<JsonMember> own = form_on(base, member)) {
        out[general].arm.elsewhere.push_back(base.name);
        out.push_back(ArmReader(reading, manifest, *own, base.name, defaults).read());
      }
  }
  for (const BaseRecipe& base : bases) {
    std::vector<const ReadArm*> there;
    for (const ReadArm& arm : out)
      if (arm.arm.runs_on(base.name)) there.push_back(&arm);
    check_needs(reading, there, defaults.seeds);
  }
  return out;
}

Error no_arm(const Reading& reading, const Place& place, const std::string& said, const std::string& name,
             const std::vector<std::string>& names) {
  Error error(ErrorKind::usage, place, said + "there is no arm '" + name + "'");
  const auto swept = reading.swept.find(name);
  if (swept == reading.swept.end()) return error.hint(nearest_and_all(name, names, "arms"));
  return error.hint("it is swept; the arms that took its place: " + joined(swept->second));
}

Json resolved_json(const ReadProbe& probe) {
  Json out = resolved_json(probe.component);
  if (!probe.everywhere) out.set("arms", detail::to_json(probe.arms));
  return out;
}

Json resolved_json(const Arm& arm) {
  ArmKeys keys = arm;
  keys.model = resolved_json(arm.model);
  keys.data = resolved_json(arm.data);
  keys.optimizer = resolved_json(arm.optimizer);
  keys.adapter = resolved_json(arm.adapter);
  keys.needs = detail::to_json(arm.needs);
  Json::List probes;
  for (const Component& probe : arm.probes) probes.push_back(resolved_json(probe));
  keys.probes.reset();  // those of the experiment are among them
  keys.replaced_probes = Json(std::move(probes));
  return resolved_keys(keys);
}

}  // namespace khost
