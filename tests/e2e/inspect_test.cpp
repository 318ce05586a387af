// khost list, inspect and plan --signals: what there is to be known of a plugin before it is used.

#include <doctest/doctest.h>

#include <algorithm>

#include "e2e/khost_program.hpp"
#include "khost/json.hpp"

using namespace khost;
using namespace khost::test;

namespace {

Json json_from(const Finished& o) {
  INFO(o.err);
  REQUIRE(o.code == 0);
  return parse_json(o.out, "output");
}

std::string text_from(const Finished& o) {
  INFO(o.err);
  REQUIRE(o.code == 0);
  return o.out;
}

}  // namespace

TEST_CASE("the example that khost inspect gives of each plugin runs in a manifest as it stands there") {
  const Khost khost;
  std::filesystem::copy_file(KHOST_SOURCE_DIR "/tests/data/village.txt", khost.scratch / "my.txt");
  const Json plugins = json_from(khost({"list", "--json"}));
  REQUIRE(plugins.at("plugins").as_list().size() >= 29);
  for (const Json& plugin : plugins.at("plugins").as_list()) {
    const std::string name = plugin.at("name").as_string(), kind = plugin.at("kind").as_string();
    CAPTURE(name);
    Json manifest =
        Json::object({{"khost", 1},
                      {"experiment", "example"},
                      {"seeds", 1},
                      {"steps", 40},
                      {"data", Json::object({{"plugin", "synthetic"}, {"vocab", 101}, {"sequence", 31}, {"tokens", 20000}})},
                      {"model", Json::object({{"plugin", "gpt"}, {"d_model", 64}, {"n_layer", 1}})},
                      {"adapter", Json::object({{"rank", 64}})},
                      {"bases", Json::object({{"plain", Json::object({{"steps", 0}})}})},
                      {"arms", Json::object({{"A", Json(Json::Object{})}})}});
    Json example = json_from(khost({"inspect", name, "--json"})).at("example");
    CHECK(has(example.text(), "\"" + name + "\""));
    if (Json* compute = example.find("compute"); compute && compute->find("library"))
      compute->set("library", KHOST_NETLIB_CBLAS);  // another machine may have it elsewhere
    for (const JsonMember& m : example.as_object()) manifest.set(m.key, m.value);
    write(khost.scratch / "example.manifest", manifest.pretty());
    // What trains at its default size, or takes long on the way to it, is planned: all but the computing.
    const bool planned = kind == "model";
    const Finished o = planned ? khost({"plan", "example.manifest"}) : khost({"run", "example.manifest", "--out", "run-" + name});
    INFO(o.out, o.err);
    CHECK(o.code == 0);
    CHECK(has(text_from(khost({"inspect", name})), "\nin a manifest\n"));
  }
}

TEST_CASE("khost inspect tells all of a probe, as text and as JSON") {
  const Khost khost;
  const std::string text = text_from(khost({"inspect", "snr"}));
  for (const char* part :
       {"numerics  version ", "/docs/plugins/snr.md\n", "batches  integer, default 16, at least 0\n", "as, arms",
        "alpha.grad  every step\n", "[K], or [K, K] of a block, in nats", "/grad/var/<group>  in nats^2\n",
        "drift/<group>  drawn where every step has a batch of its own", "batch_var/<group>  none\n", "all others  drawn\n",
        "forward and backward passes on 16 further batches", R"("probes": [{"plugin": "snr", "groups": [[0, 20], [20, "K"]])"})
    CHECK_MESSAGE(has(text, part), part << " is not in\n" << text);
  const Json json = json_from(khost({"inspect", "snr", "--json"}));
  const Json& record = json.at("records").as_list().front();
  CHECK(record.at("name").as_string() == "drift/<group>");
  CHECK(record.at("null").at("only_fresh").as_bool());
  CHECK(json.at("needs").as_list().front().at("when").as_string() == "every step");
  CHECK(std::filesystem::exists(json.at("page").as_string()));
}

TEST_CASE("khost inspect tells what only an instance knows: tensors, state, what an adapter trains") {
  const Khost khost;
  const std::string gpt = text_from(khost({"inspect", "gpt"}));
  for (const char* part : {"tok_emb  [V, 256], adaptable\n", "pos_emb  [T, 256]\n",
                           "layer.<l>.attn.qkv  [768, 256], l = 0 .. 7, adaptable\n", "layer.<l>.resid_post\n"})
    CHECK_MESSAGE(has(gpt, part), part << " is not in\n" << gpt);
  CHECK(json_from(khost({"inspect", "adam", "--json"})).at("slots").as_integer() == 2);
  CHECK(has(text_from(khost({"inspect", "lora"})), "A  [K, n]\n  B  [m, K]\n"));
  CHECK(has(text_from(khost({"inspect", "block"})), "alpha  [K, K]\n"));
  CHECK(has(text_from(khost({"inspect", "alpha_dropout"})), "policy, a probe that also changes something"));
  CHECK(has(text_from(khost({"inspect", "openblas"})), "the highest is used"));
}

TEST_CASE("khost inspect of a plugin that cannot be made, has no page, or is not there") {
  Khost khost;
  khost.plugin_path = KHOST_BINARY_DIR "/bad_plugins";
  const std::string faulty = text_from(khost({"inspect", "throwing"}));
  CHECK(!has(faulty, "\n  page "));
  const Finished absent = khost({"inspect", "effective_rnak"});
  CHECK(absent.code == 3);
  CHECK(has(absent.err, "there is no plugin 'effective_rnak'; did you mean 'effective_rank'"));
  CHECK(has(khost({"inspect"}).err, "inspect needs PLUGIN"));
  CHECK(has(khost({"inspect", "snr", "--signals"}).err, "takes no PLUGIN"));
}

TEST_CASE("khost list groups by kind, policies apart, and leads on") {
  const Khost khost;
  const std::string text = text_from(khost({"list"}));
  CHECK(has(text, "\npolicy\n  adaptive_k"));
  CHECK(has(text, "khost inspect NAME"));
}

TEST_CASE("khost inspect --signals lists each signal with shape, unit, cost and who has it") {
  const Khost khost;
  const std::string text = text_from(khost({"inspect", "--signals"}));
  CHECK(has(text, "alpha.grad  [K], or [K, K] of a block, in nats\n"));
  CHECK(has(text, "costs the base's"));
  CHECK(has(text, "alpha.scale  by StepPlan::alpha_scale()"));
  const Json json = json_from(khost({"inspect", "--signals", "--json"}));
  REQUIRE(json.at("signals").as_list().size() == 14);
  CHECK(json.at("signals").as_list()[4].at("cost").as_string() == "a further matrix product for each adaptable matrix");
  CHECK(json.at("changeable").as_list().size() == 5);
}

TEST_CASE("khost plan --signals: who reads what and when, and who changes what, arms alike together") {
  const Khost khost;
  const std::string manifest = khost.manifest(R"("probes": [
    {"plugin": "effective_rank", "every": 2}, {"plugin": "gradient_cosine"},
    {"plugin": "snr", "groups": [[0, 2], [2, "K"]], "batches": 16}, {"plugin": "true_effective_rank", "steps": [1, 3]},
    {"plugin": "alpha_dropout", "rate": 0.1, "arms": ["B"]}])");
  const std::string text = text_from(khost({"plan", "--signals", manifest}));
  INFO(text);
  CHECK(has(text, "\narm A\n"));
  CHECK(has(text, "  every step           gradient_cosine, snr\n"));
  CHECK(has(text, "steps 0, 2"));
  CHECK(has(text, "changes alpha.scale"));
  const Json json = json_from(khost({"plan", "--signals", "--json", manifest}));
  REQUIRE(json.at("arms").as_list().size() == 2);
  const Json& read = json.at("arms").as_list()[0].at("reads").as_list()[0];
  CHECK(read.at("signal").as_string() == "weight.grad");
  CHECK(read.at("readers").as_list().front().as_string() == "true_effective_rank");
  CHECK(khost({"plan", "--json", manifest}).code == 2);
}

TEST_CASE("the policy, the data source and the model of docs/plugins run as they stand there") {
  Khost khost;
  khost.plugin_path = KHOST_PAGE_PLUGINS;
  std::filesystem::copy_file(KHOST_SOURCE_DIR "/tests/data/village.txt", khost.scratch / "my.txt");
  write(khost.scratch / "pages.manifest", R"({
    "khost": 1, "experiment": "pages", "seeds": 2, "steps": 6,
    "data": {"plugin": "file_bytes", "file": "my.txt", "held_out": 0.1, "sequence": 31, "batch": 2, "reuse": "fresh"},
    "model": {"plugin": "gated", "d_model": 16, "n_head": 2, "d_mlp": 24},
    "adapter": {"rank": 4},
    "bases": {"trained": {"train": ["*"], "steps": 30, "optimizer": {"lr": 1e-2}}},
    "arms": {"plain": {}, "dropped": {"probes": [{"plugin": "gaussian_dropout", "sd": 0.5}]}, "none": {"probes": [{"plugin": "gaussian_dropout", "sd": 0}]}}
  })");
  const Finished o = khost({"pages.manifest", "--out", "run"});
  INFO(o.out, o.err);
  REQUIRE(o.code == 0);
  const Json summary = parse_json_file(khost.scratch / "run/summary.json");
  const auto mean = [&](const std::string& record) {
    return summary.at("records").at("trained/" + record).at("mean").as_number();
  };
  CHECK(mean("plain/loss/base") < 5.4);  // ln 256 is 5.55: it has learned
  CHECK(mean("dropped/gaussian_dropout/spread") == doctest::Approx(0.5).epsilon(0.1));
  CHECK(mean("none/loss/final") == mean("plain/loss/final"));  // a policy that changes nothing leaves the last bit alone
  CHECK(mean("dropped/loss/final") != mean("plain/loss/final"));
  CHECK(mean("plain/loss/held_out_final") > 0);
}
