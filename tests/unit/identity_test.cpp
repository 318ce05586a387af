// A trial's identity says all that its numbers depend on, and nothing else.
#include <doctest/doctest.h>

#include <filesystem>
#include <functional>
#include <map>
#include <set>

#include "artifact/cache.hpp"
#include "engine/base_models.hpp"
#include "khost/safetensors.hpp"
#include "manifest/experiment.hpp"
#include "plan/code_identity.hpp"
#include "plan/plan.hpp"
#include "plugin/content.hpp"
#include "unit/scratch.hpp"
#include "unit/text_file.hpp"

using namespace khost;

namespace {

// Another value that the field takes.
Json another(const Field& field, const Json& value);

Json of_type(const Field& field, FieldType type, const Json& value) {
  const double low = field.low.value_or(-1e6), high = field.high.value_or(1e6);
  switch (type) {
    case FieldType::boolean:
      return !(value.is_bool() && value.as_bool());
    case FieldType::integer: {
      const std::int64_t now = value.is_integer() ? value.as_integer() : static_cast<std::int64_t>(low) - 1;
      return static_cast<double>(now) + 1 <= high ? now + 1 : now - 1;
    }
    case FieldType::number: {
      const double now = value.is_number() ? value.as_number() : low, middle = low + (high - low) / 3;
      return now == middle ? low : middle;
    }
    case FieldType::string:
      for (const std::string& choice : field.choices)
        if (!value.is_string() || choice != value.as_string()) return choice;
      return (value.is_string() ? value.as_string() : "") + "x";
    case FieldType::list: {
      Field element = field.elements.at(0);
      element.low = field.low, element.high = field.high, element.choices = field.choices;
      return Json::List{another(element, value.is_list() && !value.as_list().empty() ? value.as_list()[0] : Json())};
    }
    case FieldType::object: {
      Json out = value.is_object() ? value : Json(Json::Object{});
      const Field& first = field.members.at(0);
      const Json* now = out.find(first.name);
      out.set(first.name, another(first, now ? *now : Json()));
      return out;
    }
    case FieldType::any:
      return Json::List{value, "another"};
  }
  return {};
}

Json another(const Field& field, const Json& value) { return of_type(field, field.type, value); }

const std::string plugins = std::string(KHOST_BINARY_DIR) + "/plugins";

}  // namespace

TEST_CASE("identity: each field of each plugin counts, but for the operational ones") {
  const Registry registry({plugins});
  const Registry::Listing all = registry.list();
  REQUIRE(all.plugins.size() >= 20);
  int changed = 0;
  for (const Plugin* plugin : all.plugins) {
    const Schema schema = describe(*plugin, nullptr).schema;
    Json plain{Json::Object{}};
    for (const Field& f : schema.fields) plain.set(f.name, f.required ? another(f, f.default_value) : f.default_value);
    const Json before = component_identity(*plugin, plain);
    for (const Field& f : schema.fields) {
      CAPTURE(plugin->name());
      CAPTURE(f.name);
      Json config = plain;
      config.set(f.name, another(f, plain.at(f.name)));
      REQUIRE(config != plain);
      CHECK_NOTHROW(resolve_config(*plugin, config));  // what a manifest may say
      const bool counts = !f.operational && !f.by_content;
      CHECK((component_identity(*plugin, config) == before) != counts);
      if (f.by_content) CHECK(plugin->kind() == Kind::data);  // whose identity() tells instead
      ++changed;
    }
  }
  CHECK(changed > 40);
}

TEST_CASE("identity: of a path the content counts, not the name; what is operational does not") {
  const Plugin& plugin = load_plugin_file(KHOST_BINARY_DIR "/rebuilt/one/rebuilt.so")[0];
  const Scratch folder;
  write_text(folder / "a", "1 2 3");
  write_text(folder / "b", "1 2 3");
  const auto of = [&](const std::string& table, bool verbose = false) {
    return component_identity(plugin, Json::object({{"table", table}, {"verbose", verbose}}));
  };
  CHECK(of(folder / "a") == of(folder / "b"));
  CHECK(of(folder / "a") == of(folder / "a", true));
  const Json before = of(folder / "b");
  write_text(folder / "b", "1 2 4");
  CHECK(of(folder / "b") != before);
  CHECK(of(folder / "none") != of(folder / "b"));
}

TEST_CASE("identity: a plugin that was rebuilt with another body is another; what debuggers read is nothing") {
  const auto content = [](const char* build) {
    return library_content_of_file(KHOST_BINARY_DIR "/rebuilt/" + std::string(build) + "/rebuilt.so");
  };
  CHECK(content("one") != content("other"));
  CHECK(content("one") == content("debug"));
  const Plugin &one = load_plugin_file(KHOST_BINARY_DIR "/rebuilt/one/rebuilt.so")[0],
               &other = load_plugin_file(KHOST_BINARY_DIR "/rebuilt/other/rebuilt.so")[0];
  CHECK(one.content == content("one"));
  CHECK(one.descriptor->numerics == other.descriptor->numerics);
  CHECK(code_identity(one) != code_identity(other));

  // Any byte that the loader maps counts; a file that is no library is hashed whole.
  std::string bytes = ::content_of(KHOST_BINARY_DIR "/rebuilt/one/rebuilt.so");
  const std::string whole = library_content(bytes);
  const auto text = bytes.find("what its body says");
  REQUIRE(text != std::string::npos);
  bytes[text] = 'W';
  CHECK(library_content(bytes) != whole);
  for (std::size_t cut : {0, 3, 63, 64, 1000, 5000}) CHECK(library_content(bytes.substr(0, cut)) != whole);
  CHECK(library_content("text") != library_content("tex"));
}

TEST_CASE("identity: khost's own names what it was made of and what it runs on") {
  const Json& code = code_identity();
  for (const char* part :
       {"sources", "compiler", "flags", "standard_library", "eigen", "highway", "instructions", "mathematics"}) {
    CAPTURE(part);
    REQUIRE(code.find(part));
    CHECK(!code.at(part).as_string().empty());
  }
}

namespace {

// A small experiment of real plugins, planned as the program plans it.
class Planned {
 public:
  Json manifest = parse_json(R"({
    "khost": 1, "experiment": "identity", "seeds": 2, "steps": 5,
    "data": {"plugin": "synthetic", "vocab": 31, "tokens": 3000, "sequence": 7, "batch": 2},
    "model": {"plugin": "gpt", "d_model": 8, "n_layer": 1, "n_head": 2},
    "optimizer": {"plugin": "adam", "lr": 5e-3},
    "adapter": {"rank": 5},
    "bases": {"made": {"train": ["*"], "steps": 3}},
    "arms": {"A": {}, "B": {"adapter": {"rank": 3}}}
  })",
                             "identity");
  Environment environment{"0.1.0", "reference", "library", "1", "kernel", "a CPU", 1, 1},
      artifacts{"0.1.0", "openblas", "library", "1", "kernel", "a CPU", 2, 1, "{}", 8};
  Scratch folder;

  // The trial of arm A and seed 0 and its base; the run.
  struct Hashes {
    std::string trial, base, run;
  };
  Hashes plan() {
    write_text(folder / "m.manifest", manifest.text());
    LoadedExperiment loaded = read_experiment(folder / "m.manifest", {});
    Cache cache(folder / "cache");
    const Materials materials(loaded.experiment, *loaded.registry, cache, 1);
    const Plan plan = make_plan(loaded.experiment, materials, environment, artifacts);
    for (const PlannedTrial& t : plan.trials)
      if (t.key.arm == "A" && t.key.seed == 0) return {t.hash, plan.bases[t.base].hash, plan.run_hash};
    FAIL("no trial");
    return {};
  }
};

enum class Counts { yes, no };

struct Change {
  const char* to;  // JSON
  Counts counts = Counts::yes;
};

// Each key must have its change: a new one cannot be forgotten. `apply` puts it into the manifest.
template <class Keys>
void check_keys(const std::map<std::string, Change>& changes,
                const std::function<void(Planned&, const std::string&, const Json&)>& apply) {
  const Planned::Hashes before = Planned().plan();
  for (const Field& field : schema_of<Keys>().fields) {
    CAPTURE(field.name);
    const auto change = changes.find(field.name);
    REQUIRE_MESSAGE(change != changes.end(), "say in this test what another value of the new field is, and whether it counts");
    if (!change->second.to) continue;
    Planned changed;
    apply(changed, field.name, parse_json(change->second.to, "change"));
    CHECK((changed.plan().trial == before.trial) == (change->second.counts == Counts::no));
  }
}

}  // namespace

TEST_CASE("identity: each key of an arm, of its data and its adapter counts, and of a base, and nothing that names or plans") {
  check_keys<ArmKeys>(
      {{"model", {R"({"n_head": 1})"}},
       {"data", {R"({"batch": 3})"}},
       {"optimizer", {R"({"lr": 0.01})"}},
       {"adapter", {R"({"rank": 4})"}},
       {"train", {R"(["pos_emb"])"}},
       {"steps", {"6"}},
       {"budget", {"100000"}},
       {"record_at", {"[2]"}},
       {"seeds", {"1", Counts::no}},  // which trials there are, not what one is
       {"needs", {R"("B")"}},
       {"probes", {R"([{"plugin": "effective_rank"}])"}},
       {"probes!", {R"([{"plugin": "effective_rank", "as": "er"}])"}},
       {"sweep", {nullptr}}},  // other arms, each with the key that is swept
      [](Planned& p, const std::string& key, const Json& value) { p.manifest.find("arms")->find("A")->set(key, value); });
  check_keys<DataKeys>({{"sequence", {"6"}},
                        {"batch", {"3"}},
                        {"reuse", {R"("fresh")"}},
                        {"held_out_windows", {"3"}},
                        {"calibration_windows", {"3", Counts::no}}},  // of bases that train until a loss, see below
                       [](Planned& p, const std::string& key, const Json& value) { p.manifest.find("data")->set(key, value); });
  check_keys<AdapterKeys>(
      {{"plugin", {nullptr}},  // another set of keys, see below
       {"basis", {R"("random")"}},
       {"core", {R"("block")"}},
       {"rank", {R"({"default": 5, "tok_emb": 2})"}}},
      [](Planned& p, const std::string& key, const Json& value) { p.manifest.find("adapter")->set(key, value); });
  {  // from one plugin's adapter to another's, and back to U and V: the rank stays
    const auto rank_and_core = [](const char* top, const char* arm) {
      Planned p;
      p.manifest.set("adapter", parse_json(top, "adapter"));
      p.manifest.find("arms")->find("A")->set("adapter", parse_json(arm, "adapter"));
      write_text(p.folder / "m.manifest", p.manifest.text());
      const AdapterSpec spec = *read_experiment(p.folder / "m.manifest", {}).experiment.arms.at(0).adapter;
      return std::to_string(spec.ranks.at(0).rank) + " " + spec.core;
    };
    const char* const lora = R"({"plugin": "lora", "rank": 4, "alpha": 8})";
    CHECK(rank_and_core(lora, R"({"plugin": "dora", "alpha": 8})") == "4 dora");
    CHECK(rank_and_core(lora, R"({"alpha": 9})") == "4 lora");
    CHECK(rank_and_core(lora, R"({"plugin": null, "core": "block"})") == "4 block");
    CHECK(rank_and_core(R"({"core": "block", "rank": 3})", lora) == "4 lora");
    CHECK_THROWS_WITH_AS(rank_and_core(lora, R"({"core": "block"})"), doctest::Contains("has no key 'core'"), Error);
    Planned p;
    write_text(p.folder / "m.manifest", p.manifest.text());
    const auto set = read_experiment(p.folder / "m.manifest", {{"adapter.plugin", "lora"}, {"adapter.alpha", "8"}});
    CHECK(set.experiment.arms.at(0).adapter->core == "lora");
  }
  {  // of an adapter that a plugin brings: its name, its keys and the ranks
    const auto hash = [](const char* adapter) {
      Planned p;
      p.manifest.find("arms")->find("A")->set("adapter", parse_json(adapter, "adapter"));
      return p.plan().trial;
    };
    const std::string lora = hash(R"({"plugin": "lora", "rank": 5, "alpha": 8})");
    CHECK(lora == hash(R"({"plugin": "lora", "alpha": 8})"));  // which keeps the experiment's rank
    for (const char* other : {R"({"plugin": "dora", "rank": 5, "alpha": 8})", R"({"plugin": "lora", "rank": 5, "alpha": 9})",
                              R"({"plugin": "lora", "rank": 5, "alpha": 8, "scaling": "rslora"})",
                              R"({"plugin": "lora", "rank": 4, "alpha": 8})", R"({"rank": 5})"})
      CHECK_MESSAGE(hash(other) != lora, other);
  }
  check_keys<BaseKeys>(
      {{"model", {R"({"init": "plain"})"}},
       {"train", {R"(["tok_emb"])"}},
       {"steps", {"4"}},
       {"until", {R"({"loss": 3})"}},
       {"corpus", {nullptr}},  // short for a key of the data
       {"batch", {"3"}},
       {"data", {R"({"source_seed": 5})"}},
       {"optimizer", {R"({"plugin": "sgd"})"}},
       {"base_seed", {"1"}},
       {"base_draws", {"2", Counts::no}},  // how many there are
       {"arms", {R"({"*": {"optimizer": {"lr": 0.004}}})"}},
       {"arms!", {R"({"A": {"optimizer": {"lr": 0.004}}})"}},
       {"sweep", {nullptr}},  // gone when a manifest is read
       {"file", {nullptr}}},  // see below
      [](Planned& p, const std::string& key, const Json& value) { p.manifest.find("bases")->find("made")->set(key, value); });
  check_keys<ManifestKeys>(
      {{"khost", {nullptr}},
       {"experiment", {R"("other")", Counts::no}},
       {"title", {R"("other")", Counts::no}},
       {"note", {R"("other")", Counts::no}},
       {"published", {R"("other")", Counts::no}},
       {"seeds", {"3", Counts::no}},
       {"steps", {"6"}},
       {"plugin_path", {R"(["/tmp"])", Counts::no}},
       {"include", {nullptr}},  // gone when a manifest is read
       {"compute", {nullptr}},  // what it comes to is the environment, see below
       {"data", {R"({"plugin": "synthetic", "vocab": 31, "tokens": 3001, "sequence": 7, "batch": 2})"}},
       {"model", {R"({"plugin": "gpt", "d_model": 8, "n_layer": 2, "n_head": 2})"}},
       {"optimizer", {R"({"plugin": "sgd"})"}},
       {"adapter", {R"({"rank": 6})"}},
       {"bases", {R"({"made": {"steps": 0}})"}},
       {"arms", {R"({"A": {"steps": 7}})"}},
       {"probes", {R"([{"plugin": "effective_rank"}])"}},
       {"claims",
        {R"([{"id": "c", "let": {"a": "A/loss/final"}, "measure": "a", "predicts": "< 1", "margin": 0.1}])", Counts::no}}},
      [](Planned& p, const std::string& key, const Json& value) { p.manifest.set(key, value); });
}

TEST_CASE("identity: how long a base is thought to take is nothing, where its target is measured is something") {
  const auto with = [](const char* until, int windows) {
    Planned p;
    p.manifest.find("bases")->find("made")->set("until", parse_json(until, "until"));
    p.manifest.find("data")->set("calibration_windows", windows);
    return p.plan();
  };
  const Planned::Hashes before = with(R"({"loss": 3})", 16);
  CHECK(with(R"({"loss": 3, "expect": 9})", 16).trial == before.trial);
  CHECK(with(R"({"loss": 2.9})", 16).base != before.base);
  CHECK(with(R"({"loss": 3})", 8).trial != before.trial);
}

TEST_CASE("identity: what computes counts; how many jobs, which CPU's name and how many threads made a base do not") {
  const Planned::Hashes before = Planned().plan();
  const auto with = [](const std::function<void(Planned&)>& change) {
    Planned p;
    change(p);
    return p.plan();
  };
  using Edit = std::function<void(Environment&)>;
  const std::map<std::string, Edit> all = {
      {"backend", [](Environment& e) { e.backend = e.backend == "reference" ? "openblas" : "reference"; }},
      {"library", [](Environment& e) { e.library = "another"; }},
      {"version", [](Environment& e) { e.library_version = "2"; }},
      {"kernel", [](Environment& e) { e.kernel = "another"; }}};
  for (const auto& each : all) {
    CAPTURE(each.first);
    const Edit& change = each.second;
    CHECK(with([&](Planned& p) { change(p.environment); }).trial != before.trial);
    CHECK(with([&](Planned& p) { change(p.environment); }).base == before.base);
    CHECK(with([&](Planned& p) { change(p.artifacts); }).base != before.base);
  }
  CHECK(with([](Planned& p) { p.environment.threads = 2; }).trial != before.trial);
  CHECK(with([](Planned& p) { p.artifacts.parts = 4; }).base != before.base);
  CHECK(with([](Planned& p) { p.artifacts.threads = 64; }).trial == before.trial);
  CHECK(with([](Planned& p) { p.environment.jobs = 7; }).trial == before.trial);
  CHECK(with([](Planned& p) { p.environment.cpu = "another name"; }).trial == before.trial);
  CHECK(with([](Planned& p) { p.environment.khost = "0.2.0"; }).trial == before.trial);  // its sources tell

  // The run's folder: what names and claims say counts there, operational keys do not.
  CHECK(with([](Planned& p) { p.manifest.set("title", "another"); }).run != before.run);
  CHECK(with([](Planned& p) { p.manifest.set("plugin_path", Json::List{"/tmp"}); }).run == before.run);
}

TEST_CASE("identity: a plain base is its tensors and its seed, whatever trains and computes elsewhere") {
  const auto plain = [](const std::function<void(Planned&)>& change) {
    Planned p;
    p.manifest.set("bases", parse_json(R"({"made": {"steps": 0}})", "bases"));
    change(p);
    return p.plan().base;
  };
  const std::string before = plain([](Planned&) {});
  CHECK(plain([](Planned& p) { p.artifacts.kernel = "another"; }) == before);
  CHECK(plain([](Planned& p) { p.manifest.find("optimizer")->set("lr", 0.1); }) == before);
  CHECK(plain([](Planned& p) { p.manifest.find("model")->set("n_head", 1); }) == before);  // the same tensors
  CHECK(plain([](Planned& p) { p.manifest.find("model")->set("n_layer", 2); }) != before);
  CHECK(plain([](Planned& p) { p.manifest.find("data")->set("sequence", 9); }) != before);  // more positions
}

TEST_CASE("identity: a base file that changes between planning and loading is an error, and nothing is computed or kept") {
  Planned p;
  Cache cache(p.folder / "cache");
  p.manifest.set("bases", parse_json(R"({"made": {"file": "base.safetensors"}})", "bases"));
  save_weights({}, p.folder / "base.safetensors", {});
  write_text(p.folder / "m.manifest", p.manifest.text());
  LoadedExperiment loaded = read_experiment(p.folder / "m.manifest", {});
  const Materials materials(loaded.experiment, *loaded.registry, cache, 1);
  const auto draw = [&](std::uint64_t seed) {
    save_weights(shared(draw_weights(materials.model().parameters, seed)), p.folder / "base.safetensors", {});
  };
  draw(1);
  const Plan plan = make_plan(loaded.experiment, materials, p.environment, p.artifacts);
  Backend backend("portable", nullptr, "{}", 1);
  const auto bases = [&] {
    return std::make_unique<BaseModels>(
        loaded.experiment, materials, cache, backend, [](const PlannedBase&, const BaseProgress&) {}, [] { return false; });
  };
  const std::string planned = ::content_of(p.folder / "base.safetensors");
  draw(2);
  {
    const auto changed = bases();
    const auto cut = [&] { changed->directions(plan.bases[0], "svd", materials.arm(loaded.experiment.arms[0]).matrices); };
    CHECK_THROWS_WITH_AS(changed->weights(plan.bases[0]), doctest::Contains("changed after this run was planned"), Error);
    CHECK_THROWS_WITH_AS(cut(), doctest::Contains("changed after this run was planned"), Error);
    CHECK_FALSE(std::filesystem::exists(p.folder / "cache/basis"));
  }
  // A file that shrinks once it is loaded takes nothing with it.
  write_text(p.folder / "base.safetensors", planned);
  const auto same = bases();
  const SafetensorsFile opened(p.folder / "base.safetensors");
  std::filesystem::resize_file(p.folder / "base.safetensors", 10);
  double sum = 0;
  for (const std::string& name : opened.names())
    for (const float v : opened.get(name).f32()) sum += v;
  CHECK(sum != 0);
  CHECK(opened.content_hash() == plan.bases[0].file_hash);
  CHECK_THROWS_AS(same->weights(plan.bases[0]), Error);
  write_text(p.folder / "base.safetensors", planned);
  CHECK(bases()->weights(plan.bases[0])->values.size() == materials.model().parameters.size());
}
