// Arms of every kind, as a manifest composes them and the program runs them.

#include <doctest/doctest.h>

#include <cmath>
#include <map>

#include "e2e/khost_program.hpp"
#include "khost/json.hpp"

using namespace khost;
using namespace khost::test;

namespace {

// `arms` stands where the small experiment has its own.
std::string with_arms(const Khost& khost, const std::string& arms, const std::string& more = R"("title": "arms")") {
  const std::string path = khost.manifest(more);
  std::string text = read(path);
  const std::size_t begin = text.find("\"arms\":"), end = text.find('\n', begin);
  write(path, text.replace(begin, end - begin, "\"arms\": {" + arms + "},"));
  return path;
}

class Summary {
 public:
  explicit Summary(const std::string& folder) : json_(parse_json_file(folder + "/summary.json")) {}
  const Json::List& values(const std::string& record) const {
    return json_.at("records").at("plain/" + record).at("values").as_list();
  }
  double value(const std::string& record, std::size_t seed = 0) const { return values(record).at(seed).as_number(); }
  bool has(const std::string& record) const { return json_.at("records").find("plain/" + record) != nullptr; }
  const Json& json() const { return json_; }

 private:
  Json json_;
};

}  // namespace

TEST_CASE("a probe evaluates adapters of any kind on each part of the text, and leaves the trial as it was") {
  Khost khost;
  khost.plugin_path = KHOST_PAGE_PLUGINS;
  const std::string manifest = with_arms(khost, R"(
    "diagonal": {"optimizer": {"plugin": "sgd", "lr": 0.5}}, "factors": {"adapter": {"core": "factors"}},
    "lora": {"adapter": {"plugin": "lora", "alpha": 16}},
    "pattern": {"adapter": {"rank": {"default": 5, "layer.0.*": 2, "tok_emb": 0}}})",
                                         R"("probes": [{"plugin": "worth"},
      {"plugin": "ablation", "arms": ["diagonal"], "keep": [5, 2], "controls": false},
      {"plugin": "ablation", "as": "elsewhere", "arms": ["diagonal"], "keep": [5, 2], "controls": false, "on": "held_out"},
      {"plugin": "ablation", "as": "target", "arms": ["diagonal"], "keep": [5, 2], "controls": false, "on": "calibration"}])");
  const Finished o = khost({manifest, "--out", "run"});
  INFO(o.err, o.out);
  REQUIRE(o.code == 0);
  const Summary s(khost.scratch / "run");
  for (const char* arm : {"diagonal", "factors", "lora", "pattern"}) {
    CAPTURE(arm);
    const std::string at = std::string(arm) + "/";
    CHECK(s.value(at + "worth/whole") == s.value(at + "loss/held_out_final"));
    CHECK(s.value(at + "worth/none") == s.value(at + "loss/held_out_base"));
    CHECK(s.value(at + "worth/without/layer.1.mlp.up") != 0);
    CHECK(s.has(at + "worth/without/tok_emb") == (std::string(arm) != "pattern"));
  }
  CHECK(s.value("diagonal/ablation/keep5") == s.value("diagonal/loss/final"));
  CHECK(s.value("diagonal/elsewhere/keep5") == s.value("diagonal/loss/held_out_final"));
  CHECK(s.value("diagonal/elsewhere/keep2") != s.value("diagonal/ablation/keep2"));
  CHECK(s.value("diagonal/target/keep5") != s.value("diagonal/elsewhere/keep5"));
  // How many calibration windows there are is part of a trial that reads them, and of no other.
  const Finished again = khost({manifest, "--out", "more", "--set", "data.calibration_windows=32"});
  INFO(again.err);
  CHECK(again.code == 0);
  for (const char* arm : {"diagonal", "factors", "lora", "pattern"})
    for (const int seed : {0, 1}) {
      const std::size_t at = again.err.find(std::string("plain ") + arm + " seed " + std::to_string(seed));
      const std::string line = again.err.substr(at, again.err.find('\n', at) - at);
      CHECK_MESSAGE(has(line, "from the cache") == (arm != std::string_view("diagonal")), again.err);
    }
  // 2 + 9 matrices, each loss over all windows.
  const Finished plan = khost({"plan", manifest});
  CHECK_MESSAGE(has(plan.out, "worth: 11 evaluations on the held_out part"), plan.out);
  CHECK_MESSAGE(has(plan.out, "worth: 10 evaluations on the held_out part"), plan.out);
  CHECK_MESSAGE(has(plan.out, "target: reads alpha (after the last step); 4 evaluations on the calibration part"), plan.out);
  const Finished none = khost({manifest, "--out", "none", "--set", "data.held_out_windows=0"});
  CHECK(none.code == 2);
  CHECK_MESSAGE(has(none.err, "'worth' evaluates on the held_out part, but \"held_out_windows\" of arm 'diagonal' is 0"),
                none.err);
  // What looks at alpha says so before anything runs, whatever text it evaluates on.
  for (const auto& [arm, message] :
       {std::pair(R"("A": {"adapter": {"plugin": "lora", "alpha": 16}})", "needs the signal 'alpha'"),
        {R"("A": {"adapter": {"core": "bidiagonal"}})", "has the core 'bidiagonal', whose alpha is [9] where K = 5: neither"}}) {
    const std::string ablating = with_arms(khost, arm, R"("probes": [{"plugin": "ablation", "keep": [2], "on": "held_out"}])");
    const Finished refused = khost({ablating, "--out", "refused"});
    CHECK(refused.code == 2);
    CHECK_MESSAGE(has(refused.err, message), refused.err);
  }
}

TEST_CASE("cores, bases, ranks by pattern, trained matrices and another head, each as it should be counted") {
  Khost khost;
  khost.plugin_path = KHOST_PAGE_PLUGINS;
  const std::string manifest = with_arms(khost, R"(
    "bidiagonal": {"adapter": {"core": "bidiagonal"}},
    "diagonal": {}, "random": {"adapter": {"basis": "random"}}, "gradient": {"adapter": {"basis": "gradient"}},
    "block": {"adapter": {"core": "block"}}, "factors": {"adapter": {"core": "factors"}},
    "pattern": {"adapter": {"rank": {"default": 5, "layer.0.*": 2, "tok_emb": 0}}},
    "full": {"adapter": null, "train": ["@matrices"], "optimizer": {"plugin": "sgd", "lr": 0.1}},
    "norms": {"train": ["*.ln1.*"]},
    "untied": {"model": {"head": "untied"}, "seeds": 1})",
                                         R"("probes": [{"plugin": "displacement"}, {"plugin": "efficiency"}])");
  const Finished o = khost({manifest, "--out", "run"});
  INFO(o.err, o.out);
  REQUIRE(o.code == 0);
  const Summary s(khost.scratch / "run");
  // tok_emb 101 x 24, and in each of two layers 72 x 24, 24 x 24, 96 x 24, 24 x 96.
  const std::int64_t layer = 96 + 48 + 120 + 120, all = 125 + 2 * layer, weights = 101 * 24 + 2 * 24 * (72 + 24 + 96 + 96);
  const std::map<std::string, std::pair<std::int64_t, std::int64_t>> expected = {
      {"bidiagonal", {5 * all, 9 * 9}},
      {"diagonal", {5 * all, 9 * 5}},
      {"random", {5 * all, 9 * 5}},
      {"gradient", {5 * all, 9 * 5}},
      {"block", {5 * all, 9 * 25}},
      {"factors", {5 * all, 5 * all + 9 * 5}},
      {"pattern", {2 * layer + 5 * layer, 4 * 2 + 4 * 5}},
      {"full", {0, weights}},
      {"norms", {5 * all, 9 * 5 + 2 * 2 * 24}},
      {"untied", {5 * all, 9 * 5}}};
  for (const auto& one : expected) {
    const std::string& arm = one.first;
    const auto& counts = one.second;
    CAPTURE(arm);
    CHECK(s.value(arm + "/parameters/adapter") == static_cast<double>(counts.first));
    CHECK(s.value(arm + "/parameters/trainable") == static_cast<double>(counts.second));
    CHECK(s.value(arm + "/loss/final") < s.value(arm + "/loss/base"));
    CHECK(s.value(arm + "/displacement/total") > 0);
    CHECK(s.has(arm + "/displacement/matrix/layer.1.mlp.up"));
  }
  CHECK_FALSE(s.has("pattern/displacement/matrix/tok_emb"));
  CHECK(s.value("diagonal/loss/base") == s.value("full/loss/base"));
  CHECK(s.value("diagonal/loss/base") != s.value("untied/loss/base"));
  CHECK(s.values("untied/loss/final").size() == 1);
  // The gradient's own directions are the steepest, and a block holds its diagonal.
  CHECK(s.value("gradient/loss/final") < s.value("diagonal/loss/final"));
  CHECK(s.value("block/loss/final") < s.value("diagonal/loss/final"));
}

TEST_CASE("adapters of plugins: counts, budgets, ranks by pattern, the base's loss first, and what cannot be had with them") {
  const Khost khost;
  const std::string lora = R"({"adapter": {"plugin": "lora", "alpha": 8}})";
  const std::string manifest = with_arms(khost,
                                         R"(
    "svd": {}, "lora": )" + lora + R"(, "again": )" +
                                             lora + R"(,
    "dora": {"adapter": {"plugin": "dora", "alpha": 8}},
    "pattern": {"adapter": {"plugin": "lora", "alpha": 8, "rank": {"default": 5, "layer.0.*": 2, "tok_emb": 0}}},
    "budget": {"adapter": {"plugin": "lora", "alpha": 8}, "budget": 13400},
    "beside": {"adapter": {"plugin": "dora", "alpha": 8, "norm": "exact"}, "train": ["*.ln1.*"]},
    "both": {"adapter": {"plugin": "dora", "alpha": 8}, "train": ["@matrices"]})",
                                         R"("probes": [{"plugin": "displacement"}])");
  const Finished o = khost({manifest, "--out", "run"});
  INFO(o.err, o.out);
  REQUIRE(o.code == 0);
  const Summary s(khost.scratch / "run");
  const std::int64_t layer = 96 + 48 + 120 + 120, all = 125 + 2 * layer, rows = 101 + 2 * (72 + 24 + 96 + 24);
  const std::map<std::string, std::pair<std::int64_t, std::int64_t>> expected = {
      {"lora", {5 * all, 5 * all}},
      {"dora", {5 * all + rows, 5 * all + rows}},
      {"pattern", {2 * layer + 5 * layer, 2 * layer + 5 * layer}},
      {"beside", {5 * all + rows, 5 * all + rows + 2 * 2 * 24}}};
  for (const auto& [arm, counts] : expected) {
    const std::string name = arm;
    CAPTURE(name);
    CHECK(s.value(arm + "/parameters/adapter") == static_cast<double>(counts.first));
    CHECK(s.value(arm + "/parameters/trainable") == static_cast<double>(counts.second));
    CHECK(s.value(arm + "/loss/base") == doctest::Approx(s.value("svd/loss/base")).epsilon(1e-6));
    CHECK(s.value(arm + "/loss/final") < s.value(arm + "/loss/base"));
    CHECK(s.value(arm + "/displacement/total") > 0);
  }
  CHECK(s.value("lora/loss/base") == s.value("svd/loss/base"));  // B is 0: nothing is added, to the last bit
  CHECK(s.value("again/loss/final") == s.value("lora/loss/final"));
  CHECK_FALSE(s.has("pattern/displacement/matrix/tok_emb"));
  CHECK(s.value("both/displacement/total") > 0);
  CHECK(s.value("budget/loss/final") > s.value("lora/loss/final"));  // 3 steps of what takes more

  const auto refused = [&](const std::string& arm, const char* expected_text) {
    const Finished f = khost({"plan", with_arms(khost, "\"A\": {" + arm + "}")});
    CAPTURE(arm);
    CHECK(f.code == 2);
    CHECK_MESSAGE(f.err.find(expected_text) != std::string::npos, f.err);
  };
  const std::string adapter = R"("adapter": {"plugin": "lora", "alpha": 8)";
  refused(adapter + R"(}, "probes": [{"plugin": "snr"}])", "which has neither U and V nor alpha");
  refused(adapter + R"(}, "probes": [{"plugin": "ablation", "keep": [2]}])", "neither U and V nor alpha");
  refused(adapter + R"(}, "probes": [{"plugin": "k_schedule", "ranks": [2, 5], "at": [0.5]}])", "neither U and V nor alpha");
  refused(adapter + R"(, "core": "block"})", "adapter 'lora' has no key 'core'");
  refused(R"("adapter": {"plugin": "lora"})", "adapter 'lora' needs 'alpha'");
  refused(adapter + R"(, "scaling": "rs"})", "rslora");
}

TEST_CASE("losses on the way, budgets and sweeps: one trajectory, whatever it is cut to") {
  const Khost khost;
  const std::string manifest = with_arms(khost, R"(
    "short": {"steps": 3}, "long": {"steps": 8, "record_at": [3, 8]}, "budget": {"budget": 13400},
    "swept": {"sweep": {"optimizer.lr": [1e-3, 5e-3]}, "steps": 8})");
  const Finished o = khost({manifest, "--out", "run"});
  INFO(o.err, o.out);
  REQUIRE(o.code == 0);
  const Summary s(khost.scratch / "run");
  CHECK(s.value("long/loss/at3") == s.value("short/loss/final"));
  CHECK(s.value("long/loss/held_out_at3") == s.value("short/loss/held_out_final"));
  CHECK(s.value("long/loss/at8") == s.value("long/loss/final"));
  CHECK(s.value("budget/loss/final") == s.value("short/loss/final"));  // 5 x 893 parameters: 3 steps
  CHECK(s.value("swept-lr0.005/loss/final") == s.value("long/loss/final"));
  CHECK(s.value("swept-lr0.001/loss/final") > s.value("long/loss/final"));
}

TEST_CASE("a schedule switches dims on and off, and both counts are told") {
  const Khost khost;
  const std::string manifest = with_arms(khost, R"(
    "two": {"adapter": {"rank": 2}}, "six": {"adapter": {"rank": 6}},
    "up": {"adapter": {"rank": 6}, "probes": [{"plugin": "k_schedule", "ranks": [2, 6], "at": [0.5]}]},
    "down": {"adapter": {"rank": 6}, "probes": [{"plugin": "k_schedule", "ranks": [6, 2], "at": [0.5]}]})",
                                         R"("steps": 10)");
  std::string text = read(manifest);
  text.erase(text.find(R"("steps": 5,)"), 11);
  write(manifest, text);
  const Finished o = khost({manifest, "--out", "run"});
  INFO(o.err, o.out);
  REQUIRE(o.code == 0);
  const Summary s(khost.scratch / "run");
  const double one = s.value("two/parameters/adapter") / 2;
  CHECK(s.value("up/parameters/adapter") == 6 * one);
  CHECK(s.value("up/parameters/adapter_mean") == 4 * one);
  CHECK(s.value("up/parameters/trainable_mean") == 9 * 4);
  CHECK(s.value("two/loss/final") > s.value("up/loss/final"));
  CHECK(s.value("up/loss/final") > s.value("six/loss/final"));
  CHECK(s.value("down/loss/final") > s.value("six/loss/final"));
}

TEST_CASE("an arm takes its ranks from another; when that one fails, so does it, and no other") {
  const Khost khost;
  const std::string manifest = with_arms(khost, R"(
    "er": {"needs": "B", "probes": [{"plugin": "adaptive_k", "from": "B/effective_rank", "c": 0.62, "assign": "er"}]},
    "shuffle": {"needs": "B", "probes": [{"plugin": "adaptive_k", "from": "B/effective_rank", "c": 0.62, "assign": "shuffle"}]},
    "equal": {"needs": "B", "probes": [{"plugin": "adaptive_k", "from": "B/effective_rank", "c": 0.62, "assign": "equal_parameters"}]},
    "B": {"adapter": {"rank": 7}, "probes": [{"plugin": "effective_rank"}]}, "A": {})");
  const Finished o = khost({manifest, "--out", "run", "--jobs", "2", "--threads", "1"});
  INFO(o.err, o.out);
  REQUIRE(o.code == 0);
  const Summary s(khost.scratch / "run");
  for (const std::size_t seed : {0u, 1u}) {
    double counts[2];
    for (const int l : {0, 1}) {
      const std::string layer = "layer" + std::to_string(l);
      counts[l] = s.value("er/adaptive_k/" + layer + "/k", seed);
      CHECK(counts[l] == std::round(s.value("B/effective_rank/in_basis/" + layer, seed) / 0.62));
    }
    CHECK(s.value("er/parameters/adapter", seed) == 5 * 125 + 384 * (counts[0] + counts[1]));
    CHECK(s.value("shuffle/parameters/adapter", seed) == s.value("er/parameters/adapter", seed));
    CHECK(s.value("equal/parameters/adapter", seed) == s.value("er/parameters/adapter", seed));
  }
  CHECK(records(khost, "run") == [&] {
    REQUIRE(khost({manifest, "--out", "again"}).code == 0);
    return records(khost, "again");
  }());

  Khost with_fixtures;
  with_fixtures.plugin_path = KHOST_BINARY_DIR "/bad_plugins";
  const std::string failing =
      read(manifest).replace(read(manifest).find(R"({"plugin": "effective_rank"})"), 28,
                             R"({"plugin": "effective_rank"}, {"plugin": "faulty", "how": "exception", "at": "observe"})");
  write(with_fixtures.scratch / "failing.manifest", failing);
  const Finished broken = with_fixtures({"failing.manifest", "--out", "broken"});
  INFO(broken.err, broken.out);
  CHECK(broken.code == 4);
  CHECK(has(broken.out, "arm er, base plain, seed 0 needs arm B, whose trial failed"));
  const Summary rest(with_fixtures.scratch / "broken");
  CHECK(rest.value("A/loss/final") == s.value("A/loss/final"));
}

TEST_CASE("bases draw their tensors in ways of their own, and are otherwise the experiment's model") {
  const Khost khost;
  const auto with = [&](const std::string& bases) {
    const std::string path = khost.manifest();
    std::string text = read(path);
    const std::size_t begin = text.find("\"bases\":"), end = text.find('\n', begin);
    write(path, text.replace(begin, end - begin, "\"bases\": {" + bases + "},"));
    return path;
  };
  const std::string training = R"("train": ["*"], "steps": 5, )";
  const Finished o = khost({with(R"("plain": {"steps": 0}, "wide": {"steps": 0, "model": {"embedding_sd": 0.2}},
    "same": {"steps": 0, "model": {"init": "gpt2"}}, "trained": {)" +
                                 training + R"("data": {"batch": 4}},
    "trained-uniform": {)" + training +
                                 R"("data": {"batch": 4}, "model": {"init": "pytorch"}})"),
                            "--out", "run"});
  INFO(o.err);
  REQUIRE(o.code == 0);
  const Json records = parse_json_file(khost.scratch / "run/summary.json").at("records");
  const auto base_loss = [&](const char* base) {
    return records.at(std::string(base) + "/A/loss/base").at("values").as_list().at(0).as_number();
  };
  CHECK(base_loss("same") == base_loss("plain"));
  CHECK(base_loss("wide") > base_loss("plain") + 0.1);  // the head is tied: logits of that spread, on a random target
  CHECK(base_loss("trained") != base_loss("trained-uniform"));
  CHECK(has(khost({"plan", khost.scratch / "small.manifest"}).out, "16 of them distinct, 16 already in the cache"));
  for (const auto& [patch, says] :
       {std::pair{R"({"d_model": 48})",
                  "the model of base 'plain' has no tensor 'tok_emb' [101, 24], which the experiment's has"},
        {R"({"head": "untied"})", "the model of base 'plain' has other tensors than the experiment's"}}) {
    const Finished refused = khost({with(std::string(R"("plain": {"steps": 0, "model": )") + patch + "}"), "--out", "refused"});
    CHECK(refused.code == 2);
    CHECK_MESSAGE(has(refused.err, says), refused.err);
    CHECK_MESSAGE(has(refused.err, "small.manifest:"), refused.err);
  }
}

TEST_CASE("a mask on the stored alpha costs what was learned; dropout of a step does not") {
  const Khost khost;
  const std::string path = with_arms(khost, R"("none": {}, "drop": {"probes": [{"plugin": "alpha_dropout", "rate": 0.5}]},
    "reset": {"probes": [{"plugin": "alpha_dropout", "rate": 0.5, "mode": "reset"}]},
    "block": {"adapter": {"core": "block"}, "probes": [{"plugin": "alpha_dropout", "rate": 0.5, "mode": "reset"}]})");
  REQUIRE(khost({path, "--out", "run", "--set", "steps=40"}).code == 0);
  const Summary s(khost.scratch / "run");
  for (const std::size_t seed : {0, 1}) {
    const auto gain = [&](const std::string& arm) {
      return s.value(arm + "/loss/base", seed) - s.value(arm + "/loss/final", seed);
    };
    CHECK(gain("reset") < 0.3 * gain("none"));
    CHECK(gain("drop") > 0.6 * gain("none"));
    CHECK(gain("reset") > 0);
  }
}
