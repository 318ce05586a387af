// The keys of a manifest, each declared once: what may be written, the resolved manifest, what counts in an identity, the
// tables of docs/concepts/manifest.md and share/khost.manifest.schema.json come from here. A new key is a member and a line of
// `fields`, which Arm, BaseRecipe and the like (experiment.hpp) inherit.
//
// What may be written in several forms (a patch, a name or a list of names) is Json here, and its .shape() says in which. An
// optional that is null is not set, and the resolved manifest leaves it out; Json that is null says so: "adapter": null.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "khost/schema.hpp"

namespace khost {

struct ManifestKeys {
  std::int64_t khost = 0;
  std::string name, title, note, published;
  std::int64_t seeds = 10, steps = 40;
  std::vector<std::string> plugin_path;
  std::optional<Json> include;
  Json compute, data, model, optimizer, adapter, bases, arms, probes, claims;

  static void fields(auto& f) {
    f("khost", &ManifestKeys::khost).required().doc("the manifest's format: 1");
    f("experiment", &ManifestKeys::name).required().doc("its name: a-z, 0-9, '_' and '-'");
    f("title", &ManifestKeys::title).doc("shown above reports");
    f("note", &ManifestKeys::note).doc("anything; shown in reports");
    f("published", &ManifestKeys::published)
        .doc("the published figures to show beside the run's: a name in share/published, or several: \"paper84, paper85\"");
    f("seeds", &ManifestKeys::seeds).range(1, 100000).doc("how many trial seeds; they are 0, 1, ...; --seeds N is short for it");
    f("steps", &ManifestKeys::steps).at_least(1).doc("training steps of every arm");
    f("plugin_path", &ManifestKeys::plugin_path).operational().doc("folders searched for plugins before the usual ones");
    f("include", &ManifestKeys::include).shape("file or list of files").doc("manifests that this one lies over");
    f("compute", &ManifestKeys::compute).shape("component").doc("the compute backend; without it the best there is");
    f("data", &ManifestKeys::data).required().shape("data").doc("{\"plugin\": ..., ...}");
    f("model", &ManifestKeys::model).required().shape("component").doc("{\"plugin\": ..., ...}");
    f("optimizer", &ManifestKeys::optimizer).shape("component").doc("of the arms; without it adam with lr 5e-3");
    f("adapter", &ManifestKeys::adapter).shape("adapter").doc("of the arms; without it the defaults of its keys; null: none");
    f("bases", &ManifestKeys::bases).shape("bases by name").doc("the frozen models that are adapted; one at least");
    f("arms", &ManifestKeys::arms).shape("arms by name").doc("the compositions that are compared; one at least");
    f("probes", &ManifestKeys::probes).shape("list of probes").doc("probes and policies of the arms");
    f("claims", &ManifestKeys::claims).shape("list of claims").doc("predictions fixed before the run");
  }
};

// Of every component, beside those that its plugin declares.
struct ComponentKeys {
  std::string plugin;
  std::optional<std::string> as;

  static void fields(auto& f) {
    f("plugin", &ComponentKeys::plugin).required().doc("the name of the plugin");
    f("as", &ComponentKeys::as).doc("this instance's name in records and random streams, instead of the plugin's");
  }
};

// Of a data source, beside those of a component.
struct DataKeys {
  std::int64_t sequence = 127, batch = 1;
  std::string reuse = "fixed";
  std::int64_t held_out_windows = 16, calibration_windows = 16;

  static void fields(auto& f) {
    f("sequence", &DataKeys::sequence).at_least(1).doc("tokens of a window that are predicted, T");
    f("batch", &DataKeys::batch).at_least(1).doc("windows of a batch, B");
    f("reuse", &DataKeys::reuse).choices({"fixed", "fresh"}).doc("fixed: the same batch every step; fresh: a new one each step");
    f("held_out_windows", &DataKeys::held_out_windows).at_least(0).doc("windows on which held-out losses are measured; 0: none");
    f("calibration_windows", &DataKeys::calibration_windows).at_least(0).doc("windows on which a base's target loss is measured");
  }
};

// Of a probe of the experiment, beside those of a component.
struct ProbeKeys {
  std::optional<std::vector<std::string>> arms;

  static void fields(auto& f) { f("arms", &ProbeKeys::arms).doc("the arms it runs in; without it, all"); }
};

// Of an adapter that a plugin brings, beside those that the plugin declares.
struct WrittenAdapterKeys {
  Json rank = 32;

  static void fields(auto& f) {
    f("rank", &WrittenAdapterKeys::rank).shape("rank or ranks by pattern").doc("K, as of an adapter of U and V");
  }
};

struct AdapterKeys {
  std::optional<std::string> plugin;
  std::string basis = "svd";
  Json core = "diagonal", rank = 32;

  static void fields(auto& f) {
    f("plugin", &AdapterKeys::plugin)
        .doc("an adapter that a plugin brings: lora, dora; its keys stand here too, and 'basis' and 'core' do not");
    f("basis", &AdapterKeys::basis)
        .choices({"svd", "random", "gradient"})
        .doc("where U and V of dW = U C V' come from; gradient: the SVD of the first step's weight gradient");
    f("core", &AdapterKeys::core)
        .shape("name or component")
        .doc("what is trained between U and V, a plugin: diagonal, alpha; block, a whole K x K; factors, U and V too");
    f("rank", &AdapterKeys::rank)
        .shape("rank or ranks by pattern")
        .doc("K, the number of dims per matrix; or {\"default\": 32, \"layer.*.mlp.*\": 48}");
  }
};

struct UntilKeys {
  double loss = 0;
  std::string on = "calibration";
  std::optional<std::int64_t> expect;

  static void fields(auto& f) {
    f("loss", &UntilKeys::loss).required().doc("stop when the loss is at or below this, in nats per token");
    f("on", &UntilKeys::on).choices({"calibration"}).doc("where it is measured: the calibration part of the experiment's data");
    f("expect", &UntilKeys::expect).at_least(0).operational().doc("steps it is known to take, for the plan's estimate of time");
  }
};

struct BaseKeys {
  std::vector<std::string> train;
  std::optional<std::int64_t> steps;
  std::optional<UntilKeys> until;
  std::optional<Json> corpus, batch, arms, replaced_arms, sweep;
  Json model, data, optimizer;
  std::uint64_t base_seed = 0;
  std::int64_t base_draws = 1;
  std::string file;

  static void fields(auto& f) {
    f("model", &BaseKeys::model)
        .shape("component")
        .doc("a patch on the experiment's model, of which the base's tensors are drawn; they must be the same ones");
    f("train", &BaseKeys::train).doc("what is trained: tensor names with *, \"*\" all, \"@matrices\" the adaptable ones");
    f("steps", &BaseKeys::steps)
        .at_least(0)
        .doc("training steps; with 'until' at most so many, and 2000 unless said; 0: the plain initialisation");
    f("until", &BaseKeys::until).doc("train until a loss is reached");
    f("corpus", &BaseKeys::corpus).shape("string").doc("short for \"data\": {\"corpus\": ...}");
    f("batch", &BaseKeys::batch).shape("integer").doc("short for \"data\": {\"batch\": ...}");
    f("data", &BaseKeys::data).shape("data").doc("a patch on the experiment's data, whose \"reuse\" is \"fresh\" here");
    f("optimizer", &BaseKeys::optimizer).shape("component").doc("instead of the experiment's; without 'plugin' a patch on it");
    f("base_seed", &BaseKeys::base_seed).at_least(0).doc("of initialisation and training, apart from the trials' seeds");
    f("base_draws", &BaseKeys::base_draws).range(1, 1000).doc("how many such bases are drawn");
    f("file", &BaseKeys::file).doc("a safetensors file (F32, F16 or BF16), instead of everything else but 'arms' and 'arms!'");
    f("arms", &BaseKeys::arms)
        .shape("patches on arms by pattern")
        .doc("how arms differ on this base: {\"*\": {\"data\": {\"sequence\": 16}}}");
    f("arms!", &BaseKeys::replaced_arms)
        .shape("arms by name")
        .doc("whole arms in place of the experiment's on this base; 'arms' does not touch them");
    f("sweep", &BaseKeys::sweep).shape("lists by path").doc("one base for each value: {\"model.embedding_sd\": [0.02, 0.04]}");
  }
};

struct ArmKeys {
  Json model, data, optimizer, adapter;
  std::vector<std::string> train;
  std::optional<std::int64_t> steps, budget;
  std::vector<std::int64_t> record_at;
  std::optional<std::int64_t> seeds;
  Json needs;
  std::optional<Json> probes, replaced_probes, sweep;

  static void fields(auto& f) {
    f("model", &ArmKeys::model)
        .shape("component")
        .doc("a patch on the experiment's model; tensors that the base does not have are drawn");
    f("data", &ArmKeys::data).shape("data").doc("a patch on the experiment's data");
    f("optimizer", &ArmKeys::optimizer).shape("component").doc("a patch on the experiment's; another 'plugin' begins anew");
    f("adapter", &ArmKeys::adapter).shape("adapter").doc("a patch on the experiment's adapter; null: none");
    f("train", &ArmKeys::train).doc("tensors trained beside the adapter: names with *, \"@matrices\" the adaptable ones");
    f("steps", &ArmKeys::steps).at_least(1).doc("instead of the experiment's");
    f("budget", &ArmKeys::budget).at_least(1).doc("steps x adapter parameters, rounded down; instead of steps");
    f("record_at", &ArmKeys::record_at).at_least(1).doc("after how many steps the losses are recorded too");
    f("seeds", &ArmKeys::seeds).at_least(1).doc("only the experiment's first so many");
    f("needs", &ArmKeys::needs)
        .shape("name or list of names")
        .doc("arms that run before this one, whose records its policies read");
    f("probes", &ArmKeys::probes).shape("list of probes").doc("added to the experiment's");
    f("probes!", &ArmKeys::replaced_probes).shape("list of probes").doc("instead of the experiment's");
    f("sweep", &ArmKeys::sweep).shape("lists by path").doc("one arm for each value: {\"optimizer.lr\": [1e-3, 5e-3]}");
  }
};

struct ClaimKeys {
  std::string id, statement;
  Json let;
  std::string measure, predicts, scale = "linear";
  double margin = 0;
  std::vector<std::string> permute;
  Json published;

  static void fields(auto& f) {
    f("id", &ClaimKeys::id).required().doc("its name in reports");
    f("statement", &ClaimKeys::statement).doc("the claim in words");
    f("let", &ClaimKeys::let)
        .required()
        .shape("paths by name")
        .doc("names for records, or lists of them: {\"b\": \"K64/snr/drift/1\"}, or one of a list that the run chooses");
    f("measure", &ClaimKeys::measure).required().doc("arithmetic over the names, one number per seed");
    f("predicts", &ClaimKeys::predicts).required().doc("\"< c\", \"> c\" or \"in [a, b]\"");
    f("scale", &ClaimKeys::scale).choices({"linear", "log"}).doc("the scale of the interval; log for ratios");
    f("margin", &ClaimKeys::margin).required().at_least(0).doc("the smallest difference that matters");
    f("permute", &ClaimKeys::permute)
        .doc("lists of 'let': noise is the same measure with these shuffled, whatever null their records have");
    f("published", &ClaimKeys::published).shape("any").doc("what the paper says");
  }
};

// Of a manifest of another kind, which lists others (series.hpp).
struct SeriesKeys {
  std::int64_t khost = 0;
  std::string name, title, note;
  std::vector<std::string> series;

  static void fields(auto& f) {
    f("khost", &SeriesKeys::khost).required().doc("the manifest's format: 1");
    f("experiment", &SeriesKeys::name).required().doc("its name: a-z, 0-9, '_' and '-'");
    f("title", &SeriesKeys::title).doc("shown above reports");
    f("note", &SeriesKeys::note).doc("anything; shown in reports");
    f("series", &SeriesKeys::series).required().doc("the manifests, in the order in which they run");
  }
};

// An object of a resolved manifest: its keys in the order of their declaration, without those that are not set.
template <class Keys>
Json resolved_keys(const Keys& keys) {
  Json out = detail::to_json(keys);
  for (const Field& field : schema_of<Keys>().fields)
    if (field.nullable && out.at(field.name).is_null()) out.erase(field.name);
  return out;
}

}  // namespace khost
