// What an arm can say: model, trained tensors, ranks by pattern, budgets, records on the way, seeds, needs, sweeps.
#include "manifest/arms.hpp"
#include "unit/manifest_fixture.hpp"

using namespace khost;
using khost::test::complaint;
using khost::test::Folder;
using khost::test::good;
using khost::test::read;
using khost::test::replaced;
using khost::test::rich;
using khost::test::with_keys;

namespace {

const Arm& arm_of(const Experiment& e, const std::string& name) {
  for (const Arm& arm : e.arms)
    if (arm.name == name) return arm;
  FAIL("no arm " << name);
  return e.arms[0];
}

std::vector<std::string> names(const Experiment& e) {
  std::vector<std::string> out;
  for (const Arm& arm : e.arms) out.push_back(arm.name);
  return out;
}

std::string ranks(const Arm& arm) {
  std::string out;
  for (const RankRule& rule : arm.adapter->ranks) out += rule.pattern + "=" + std::to_string(rule.rank) + " ";
  return out;
}

// The good manifest with another arm K8; it stands at 14:11.
std::string with_k8(const std::string& arm) { return complaint(replaced(good, R"("K8": {})", "\"K8\": " + arm)); }

struct Bad {
  std::string arm, message;
};

}  // namespace

TEST_CASE("manifest: what arms can say, resolved") {
  const Folder folder;
  const Experiment e = read(folder.write("m", rich));
  CHECK(e.warnings.empty());
  CHECK(names(e) == std::vector<std::string>{"K8", "rules", "cheap", "full", "bare", "adaptive", "K16-lr0.001-batch1",
                                             "K16-lr0.001-batch2", "K16-lr0.005-batch1", "K16-lr0.005-batch2"});
  CHECK(arm_of(e, "K8").record_at == std::vector<std::int64_t>{2, 4});
  CHECK(ranks(arm_of(e, "K8")) == "*=8 ");
  CHECK(ranks(arm_of(e, "rules")) == "*=4 layer.*.mlp.*=12 layer.0.*=0 tok_emb=2 ");
  CHECK(ranks(arm_of(e, "cheap")) == "*=8 layer.*.mlp.*=12 layer.0.*=0 ");
  CHECK(arm_of(e, "rules").needs == std::vector<std::string>{"K8"});
  CHECK(arm_of(e, "cheap").budget == 61479680);
  CHECK(arm_of(e, "cheap").seeds == 2);
  CHECK(arm_of(e, "cheap").needs == std::vector<std::string>{"K8", "rules"});
  CHECK_FALSE(arm_of(e, "K8").budget);
  CHECK_FALSE(arm_of(e, "K8").seeds);
  CHECK(arm_of(e, "full").train == std::vector<std::string>{"@matrices"});
  CHECK_FALSE(arm_of(e, "full").adapter);
  CHECK(arm_of(e, "bare").train.empty());
  CHECK(arm_of(e, "bare").model.config.at("head").as_string() == "untied");
  CHECK(arm_of(e, "full").model.config.at("head").as_string() == "tied");
  CHECK(arm_of(e, "K16-lr0.005-batch1").optimizer.config.at("lr").as_number() == 5e-3);
  CHECK(arm_of(e, "K16-lr0.005-batch2").data.batch == 2);
  CHECK(arm_of(e, "K16-lr0.005-batch2").adapter->rank.as_integer() == 16);
  CHECK(arm_of(e, "K16-lr0.001-batch2").probes.size() == 2);  // the probe of "arms": ["K16", "K8"] is in it
  CHECK(arm_of(e, "adaptive").probes.size() == 4);
}

TEST_CASE("manifest: an arm's keys have places") {
  const Folder folder;
  const Experiment e = read(folder.write("m", rich));
  const Arm& cheap = arm_of(e, "cheap");
  CHECK(cheap.place_of("budget").line == 10);
  CHECK(cheap.place_of("budget").column == 25);
  CHECK(cheap.place_of("seeds").column == 44);
  CHECK(cheap.place_of("steps").column == cheap.place.column);
  CHECK(arm_of(e, "rules").adapter->ranks[3].place.column == 61);
  CHECK(arm_of(e, "rules").adapter->ranks[1].place.line == 5);
}

TEST_CASE("manifest: everything an arm can say resolves to itself") {
  const Folder folder;
  const Json first = read(folder.write("m", rich)).resolved;
  const Experiment again = read(folder.write("again", first.pretty()));
  CHECK(again.resolved.pretty() == first.pretty());
  CHECK(again.arms.size() == 10);
  CHECK(arm_of(again, "cheap").budget == 61479680);
  CHECK(first.at("arms").at("cheap").find("steps") == nullptr);
  CHECK(first.at("arms").at("rules").at("adapter").at("rank").text() ==
        R"({"default":4,"layer.*.mlp.*":12,"layer.0.*":0,"tok_emb":2})");
  CHECK(
      first.at("probes").as_list()[1].text() ==
      R"({"plugin":"losses","arms":["K16-lr0.001-batch1","K16-lr0.001-batch2","K16-lr0.005-batch1","K16-lr0.005-batch2","K8"]})");
  CHECK(first.at("claims").as_list()[0].at("let").text() ==
        R"({"a":["K16-lr0.001-batch1/loss/final","K16-lr0.005-batch1/loss/final"],"b":"K8/effective_rank/in_basis/layer*",)"
        R"("c":["K8/loss/at2","K8/loss/at4"],"d":"K8/loss/final"})");
}

TEST_CASE("manifest: ranks by pattern and settings") {
  const Folder folder;
  const std::string path = folder.write("m", good), with_rules = folder.write("rules", rich);
  CHECK(ranks(read(path, {{"adapter.rank", "12"}}).arms[0]) == "*=12 ");
  CHECK(ranks(read(path, {{"adapter.rank", R"({"default": 3, "tok_emb": 5})"}}).arms[0]) == "*=3 tok_emb=5 ");
  CHECK(ranks(read(with_rules, {{"adapter.rank.layer.*.mlp.*", "7"}}).arms[2]) == "*=8 layer.*.mlp.*=7 layer.0.*=0 ");
  CHECK(ranks(read(with_rules, {{"adapter.rank", "12"}}).arms[2]) == "*=12 ");
}

TEST_CASE("manifest: a base may have arms in a form of their own") {
  const Folder folder;
  const auto with = [&](const std::string& arms, const std::string& name = "m") {
    return folder.write(name, replaced(good, R"("init": {"steps": 0})", R"("init": {"steps": 0, "arms": )" + arms + "}"));
  };
  const std::string path = with(R"({"*": {"data": {"sequence": 7}, "probes": [{"plugin": "losses"}]},
                                   "K8-*": {"steps": 6}, "s*": {"optimizer": {"lr": 0.2}}, "K8-drop*": {"adapter": null, "probes!": []}})");
  const Experiment e = read(path);
  REQUIRE(e.arms.size() == 8);  // each of four in two forms
  CHECK(names(e) == std::vector<std::string>{"K8", "K8", "K16", "K16", "K8-drop0.1", "K8-drop0.1", "sgd", "sgd"});
  CHECK(e.arms[0].key() == "K8");
  CHECK(e.arms[1].key() == "@init/K8");
  CHECK(e.arm_on("init", "K8").data.sequence == 7);
  CHECK(e.arm_on("trained", "K8").data.sequence == 16);
  CHECK(e.arm_on("init", "K8").probes.size() == e.arm_on("trained", "K8").probes.size() + 1);
  CHECK(e.arm_on("init", "K8-drop0.1").steps == 6);
  CHECK(e.arm_on("trained", "K8-drop0.1").steps == 5);
  CHECK(e.arm_on("init", "sgd").optimizer.config.at("lr").as_number() == 0.2);
  CHECK_FALSE(e.arm_on("init", "K8-drop0.1").adapter);
  CHECK(e.arms_on("init").size() == 4);
  CHECK(e.arms_on("trained").size() == 4);
  CHECK(e.resolved.at("arms").as_object().size() == 4);

  CHECK(e.resolved.at("bases").at("init").find("arms") == nullptr);
  CHECK(e.resolved.at("bases").at("init").at("arms!").as_object().size() == 4);
  const Experiment again = read(folder.write("again", e.resolved.pretty()));
  CHECK(again.resolved.pretty() == e.resolved.pretty());
  CHECK(again.arm_on("init", "K8-drop0.1").steps == 6);
  CHECK(again.arm_on("trained", "K8").data.sequence == 16);
  CHECK_FALSE(again.arm_on("init", "K8-drop0.1").adapter);

  const auto said = [&](const std::string& arms) {
    try {
      read(with(arms, "bad"));
    } catch (const Error& e) {
      const std::string text = e.what();
      return text.substr(text.find(": ") + 2);
    }
    return std::string("read");
  };
  CHECK(said(R"({"K9": {}})").starts_with("'arms' of base 'init': there is no arm 'K9'"));
  CHECK(said(R"({"x*": {}})").starts_with("'arms' of base 'init': no arm fits 'x*'\n  the arms: K8, K16, "));
  CHECK(said(R"({"K8": {"sweep": {"steps": [1, 2]}}})").starts_with("a base cannot sweep an arm"));
  CHECK(said(R"({"K8": {"stpes": 2}})").starts_with("arm 'K8' on base 'init' has no key 'stpes'"));
  CHECK(said(R"({"K16": {"probes!": []}})").starts_with("'K16/snr/drift/1' on base 'init': there is no probe in arm 'K16'"));
  CHECK(said(R"({"K8": 3})").starts_with("'K8' in 'arms' of base 'init'"));
}

TEST_CASE("manifest: an arm's seeds beyond the experiment's are no error") {
  const Folder folder;
  CHECK(arm_of(read(folder.write("m", rich), {{"seeds", "1"}}), "cheap").seeds == 2);
}

TEST_CASE("manifest: a lower overlay's steps make room for a budget") {
  const Folder folder;
  folder.write("beneath", good);
  const auto with = [&](const std::string& arm) {
    return folder.write("m", R"({"include": "beneath", "arms": {"K16": )" + arm + "}}");
  };
  CHECK(arm_of(read(with(R"({"budget": 9, "steps": null})")), "K16").budget == 9);
  CHECK_THROWS_AS(read(with(R"({"budget": 9})")), Error);
}

TEST_CASE("manifest: arms that are wrong") {
  const std::vector<Bad> cases = {
      {R"({"model": {"haed": "untied"}})",
       "m:14:22: model 'gpt' has no key 'haed'\n  did you mean 'head'?\n  its keys: plugin, as, d_model, n_layer, head"},
      {R"({"model": "gpt"})",
       "m:14:21: 'model' of arm 'K8' takes an object, found the string \"gpt\"\n  for example {\"head\": \"untied\"}"},
      {R"({"train": "@matrices"})", "m:14:21: 'train' of arm 'K8' takes a list, found the string \"@matrices\""},
      {R"({"train": [3]})", "m:14:22: 'train[0]' of arm 'K8' takes a string, found the integer 3"},
      {R"({"budget": 0})", "m:14:22: 'budget' of arm 'K8' is 0, expected a number at least 1"},
      {R"({"budget": 1.5})", "m:14:22: 'budget' of arm 'K8' takes an integer, found the number 1.5"},
      {R"({"budget": 10, "steps": 3})",
       "m:14:22: arm 'K8' has both 'budget' and 'steps', the other at m:14:35\n  a budget decides how many steps there are"},
      {R"({"record_at": [0]})", "m:14:26: 'record_at[0]' of arm 'K8' is 0, expected a number at least 1"},
      {R"({"record_at": 3})", "m:14:25: 'record_at' of arm 'K8' takes a list, found the integer 3"},
      {R"({"record_at": [3, 1, 3]})", "m:14:32: 'record_at' of arm 'K8' has 3 twice"},
      {R"({"seeds": 0})", "m:14:21: 'seeds' of arm 'K8' is 0, expected a number at least 1"},
      {R"({"needs": 3})", "m:14:21: 'needs' of arm 'K8' takes the name of an arm, or a list of names, found 3"},
      {R"({"needs": ["sgd", 3]})", "m:14:29: 'needs' of arm 'K8' takes the name of an arm, or a list of names, found 3"},
      {R"({"needs": "K61"})",
       "m:14:21: arm 'K8' needs 'K61', but there is no arm 'K61'\n  did you mean 'K16'?\n  the arms: K8, K16, K8-drop0.1, sgd"},
      {R"({"needs": ["sgd", "K8"]})", "m:14:29: arm 'K8' needs itself"},
      {R"({"needs": ["sgd", "sgd"]})", "m:14:29: arm 'K8' needs 'sgd' twice"},
      {R"({"needs": "few"}, "few": {"seeds": 2})",
       "m:14:21: arm 'K8' runs with 3 seeds, but 'few', which it needs, with only 2\n"
       "  every trial needs the one of its own seed: give both arms as many \"seeds\""},
      {R"({"needs": "few", "seeds": 2}, "few": {"seeds": 2})", "read"},
      {R"({"needs": "few", "seeds": 9}, "few": {"seeds": 3})", "read"},
      {R"({"needs": "a"}, "a": {"needs": ["sgd", "b"]}, "b": {"needs": "K8"})",
       "m:14:72: arms need each other in a circle: K8 needs a needs b needs K8"},
      {R"({"needs": "a"}, "a": {"needs": ["b"]}, "b": {"needs": "a"})",
       "m:14:65: arms need each other in a circle: a needs b needs a"},
      {R"({"adapter": {"rank": {"layer.0.*": 8}}})",
       "m:14:32: 'rank' of the adapter has patterns, but no 'default' for the other matrices\n"
       "  for example {\"default\": 32, \"layer.*.mlp.*\": 48}\n"
       "  over a plain number beneath, patterns replace it: the default has to be said again"},
      {R"({"adapter": {"rank": {"default": 0}}})",
       "m:14:44: 'rank.default' of the adapter is 0, expected a number at least 1\n"
       R"(  no adapter at all is "adapter": null; none on some matrices is a pattern's 0: {"default": 32, "layer.*.mlp.*": 0})"},
      {R"({"adapter": {"rank": {"default": 1, "a.*": -1}}})",
       "m:14:54: 'rank.a.*' of the adapter is -1, expected a number at least 0"},
      {R"({"adapter": {"rank": {"default": 1, "a": 2.5}}})",
       "m:14:52: 'rank.a' of the adapter is 2.5, expected a number at least 0"},
      {R"({"adapter": {"rank": {"default": 1, "*": 2}}})",
       "m:14:47: '*' is no pattern for 'rank'; \"default\" is for all matrices"},
      {R"({"adapter": {"rank": "8"}})", "m:14:32: 'rank' of the adapter is \"8\", expected a number at least 1"},
  };
  for (const Bad& c : cases) {
    CAPTURE(c.arm);
    CHECK(with_k8(c.arm) == c.message);
  }
  CHECK(complaint(rich, {{"adapter.rank.layer.1.mlp", "4"}}).find("a pattern is one key, dots and all") != std::string::npos);
}

TEST_CASE("manifest: arms of U and V beneath an adapter that is written in operations, and cores with keys of their own") {
  const Folder folder;
  const auto with = [&](const std::string& adapter, const std::string& arms) {
    return folder.write("m", R"({"khost": 1, "experiment": "e", "seeds": 1, "steps": 3, "data": {"plugin": "synthetic"},
      "model": {"plugin": "gpt"}, "optimizer": {"plugin": "sgd"}, "adapter": )" +
                                 adapter + R"(, "bases": {"b": {"steps": 0}}, "arms": {)" + arms + "}}");
  };
  const auto round = [&](const std::string& path) {
    const Experiment e = read(path);
    const Experiment again = read(folder.write("again", e.resolved.pretty()));
    CHECK(again.resolved.pretty() == e.resolved.pretty());
    return e;
  };
  const Experiment over =
      round(with(R"({"plugin": "written", "rank": 4})",
                 R"("W": {}, "UV": {"adapter": {"plugin": null, "core": "block"}}, "none": {"adapter": null})"));
  CHECK(arm_of(over, "W").adapter->written);
  CHECK_FALSE(arm_of(over, "UV").adapter->written);
  CHECK(arm_of(over, "UV").adapter->core == "block");
  const Experiment keys = round(with(R"({"core": "banded"})", R"("one": {}, "two": {"adapter": {"core": {"width": 2}}},
      "other": {"adapter": {"core": "block"}}, "whole": {"adapter": {"core": {"plugin": "banded", "width": 3}}})"));
  const auto core = [&](const char* arm) { return keys.resolved.at("arms").at(arm).at("adapter").at("core").text(); };
  CHECK(core("one") == R"({"plugin":"banded","width":1})");
  CHECK(core("two") == R"({"plugin":"banded","width":2})");
  CHECK(core("other") == R"("block")");
  CHECK(core("whole") == R"({"plugin":"banded","width":3})");
}

TEST_CASE("manifest: signals and changes with and without an adapter") {
  const std::string bare = R"({"adapter": null, "probes!": [{"plugin": )";
  CHECK(complaint(replaced(good, R"("sgd": {)", R"("full": )" + bare + R"("coverage"}]}, "sgd": {)")) == "read");
  CHECK(complaint(replaced(good, R"("sgd": {)", R"("full": )" + bare + R"("forgetful"}]}, "sgd": {)")) == "read");
  CHECK(complaint(replaced(good, R"("sgd": {)", R"("full": )" + bare + R"("alpha_dropout"}]}, "sgd": {)")) ==
        "m:17:43: probe 'alpha_dropout' changes 'alpha.scale', but arm 'full' has no adapter\n"
        "  name the arms it is for with \"arms\": [...], or give the arm an adapter");
  CHECK(with_k8(R"({"probes": [{"plugin": "wild"}]})") ==
        "m:14:23: probe 'wild' declares that it changes 'alpha.scales', which nothing allows\n"
        "  did you mean 'alpha.scale'?\n"
        "  the things a policy can change: alpha.scale, alpha, alpha.rank, adapter.rank, optimizer.state");
  CHECK(with_k8(R"({"probes": [{"plugin": "peek"}]})") ==
        "m:14:23: probe 'peek' declares that it reads 'K8/loss/final' of another arm, but only a policy may");
  CHECK(with_k8(R"({"probes": [{"plugin": "forgetful"}, {"plugin": "forgetful", "as": "again"}]})") ==
        "m:14:48: 'again' and 'forgetful' both change 'optimizer.state' in arm 'K8'\n"
        "  an arm takes one policy for each thing; the other is at m:14:23");
}

TEST_CASE("manifest: what a policy reads has to be there, and to run before") {
  // `before`: keys of the arm K8, `arm`: of the arm that adapts.
  const auto said = [](const std::string& before, const std::string& arm) {
    return complaint(
        replaced(replaced(good, R"("K8": {})", "\"K8\": {" + before + "}"), R"("sgd": {)", "\n\"a\": {" + arm + "}, \"sgd\": {"));
  };
  const std::string er = R"("probes": [{"plugin": "effective_rank"}])";
  CHECK(said(er, R"("needs": "K8", "probes": [{"plugin": "adaptive_k"}])") == "read");
  CHECK(said(er, R"("probes": [{"plugin": "adaptive_k"}])") ==
        "m:18:18: policy 'adaptive_k' of arm 'a' reads 'K8/effective_rank/in_basis/layer<l>', but the arm does not need 'K8'\n"
        "  write \"needs\": [\"K8\"] in arm 'a': what it reads has to run before it");
  CHECK(said(er, R"("needs": "K16", "probes": [{"plugin": "adaptive_k", "from": "K61/effective_rank"}])") ==
        "m:18:34: policy 'adaptive_k' of arm 'a' reads 'K61/effective_rank/in_basis/layer<l>', but there is no arm 'K61'\n"
        "  did you mean 'K16'?\n"
        "  the arms: K8, K16, K8-drop0.1, a, sgd");
  CHECK(said("", R"("needs": "K8", "probes": [{"plugin": "adaptive_k"}])") ==
        "m:18:33: policy 'adaptive_k' of arm 'a' reads 'K8/effective_rank/in_basis/layer<l>', but there is no probe in arm 'K8' "
        "called 'effective_rank'\n"
        "  the probes of the arm: loss, parameters, snr, cut");
  CHECK(said("", R"("needs": "K8", "probes": [{"plugin": "adaptive_k", "from": "K8/snr"}])") ==
        "m:18:33: policy 'adaptive_k' of arm 'a' reads 'K8/snr/in_basis/layer<l>', but there is no record of 'snr' called "
        "'in_basis/layer<l>'\n"
        "  the records of 'snr': drift/<group>, drift/ratio");
  CHECK(said("", R"("needs": "K8", "probes": [{"plugin": "adaptive_k", "from": "@init/K8/snr"}])") ==
        "m:18:33: policy 'adaptive_k' of arm 'a' reads '@init/K8/snr/in_basis/layer<l>', which is not the path of a record\n"
        "  a policy reads ARM/PROBE/RECORD, of its own trial's base and seed");
  CHECK(said(R"("record_at": [2])", R"("needs": "K8", "probes": [{"plugin": "after_loss"}])") == "read");
  CHECK(said(R"("record_at": [3])", R"("needs": "K8", "probes": [{"plugin": "after_loss"}])") ==
        "m:18:33: policy 'after_loss' of arm 'a' reads 'K8/loss/at2', but there is no record of 'loss' called 'at2'\n"
        "  did you mean 'at3'?\n"
        "  the records of 'loss': base, final, held_out_base, held_out_final, train_last, at3, held_out_at3\n"
        "  \"record_at\": [2] in arm 'K8' makes it");
}

TEST_CASE("manifest: sweeps") {
  const Folder folder;
  const auto arms = [&](const std::string& k8, const std::vector<Setting>& settings = {}) {
    std::string text = replaced(good, R"("K8": {})", "\"K8\": " + k8);
    return names(read(folder.write("m", replaced(text, "@trained/K8/loss", "@trained/sgd/loss")), settings));
  };
  using Names = std::vector<std::string>;
  CHECK(arms(R"({"sweep": {"steps": [3, 4]}})") == Names{"K8-steps3", "K8-steps4", "K16", "K8-drop0.1", "sgd"});
  CHECK(arms(R"({"sweep": {"adapter.basis": ["svd", "random"]}})")[1] == "K8-basisrandom");
  CHECK(arms(R"({"sweep": {"optimizer.lr": [1e-05]}})")[0] == "K8-lr1e-05");
  CHECK(arms(R"({"probes": [{"plugin": "alpha_dropout"}], "sweep": {"probes.alpha_dropout.rate": [0.25]}})")[0] == "K8-rate0.25");
  CHECK(arms(R"({"sweep": null})")[0] == "K8");
  CHECK(arms(R"({"sweep": {"optimizer.lr": [1]}})", {{"arms.K8.sweep.optimizer.lr", "[0.5, 0.25]"}})[1] == "K8-lr0.25");
  CHECK(arms(R"({"adapter": {"rank": 3}, "sweep": {"optimizer.lr": [0.5]}})")[0] == "K8-lr0.5");
}

TEST_CASE("manifest: forms of arms that a merge would not give resolve to themselves") {
  const Folder folder;
  const auto resolved = [&](const std::string& arm, const std::string& form) {
    std::string text = replaced(good, R"("init": {"steps": 0})", R"("init": {"steps": 0, "arms": {"K16": )" + form + "}}");
    text = replaced(text, R"("K16": {"adapter": {"rank": 16}, "steps": 7})", "\"K16\": " + arm);
    const Experiment e = read(folder.write("m", text));
    Experiment again = read(folder.write("again", e.resolved.pretty()));
    CHECK(again.resolved.pretty() == e.resolved.pretty());
    return again;
  };
  // A rank for all over ranks by pattern; steps over a budget; ranks by pattern over one rank.
  const Experiment ranks = resolved(R"({"adapter": {"rank": {"default": 3, "tok_emb": 5}}})", R"({"adapter": {"rank": 7}})");
  CHECK(ranks.arm_on("init", "K16").adapter->ranks.size() == 1);
  CHECK(ranks.arm_on("trained", "K16").adapter->ranks.size() == 2);
  const Experiment steps = resolved(R"({"budget": 61479680})", R"({"budget": null, "steps": 4})");
  CHECK(steps.arm_on("init", "K16").steps == 4);
  CHECK_FALSE(steps.arm_on("init", "K16").budget);
  CHECK(steps.arm_on("trained", "K16").budget == 61479680);
  CHECK(resolved("{}", R"({"adapter": {"rank": {"default": 8, "tok_emb": 4}}})").arm_on("init", "K16").adapter->ranks.size() ==
        2);
}

TEST_CASE("manifest: an arm that every base has in a form of its own runs nowhere as it is written") {
  const Folder folder;
  std::string text = replaced(good, R"("init": {"steps": 0})", R"("init": {"steps": 0, "arms": {"K16": {"record_at": [3]}}})");
  text = replaced(text, R"("trained": {)", R"("trained": {"arms": {"K16": {"record_at": [3]}}, )");
  text = replaced(text, R"("b": "K16/snr/drift/1")", R"("b": "K16/loss/at3")");
  const Experiment e = read(folder.write("m", text));  // a record that both forms have, and the arm as written has not
  CHECK(names(e) == std::vector<std::string>{"K8", "K16", "K16", "K8-drop0.1", "sgd"});
  const Experiment again = read(folder.write("again", e.resolved.pretty()));
  CHECK(again.resolved.pretty() == e.resolved.pretty());
}

TEST_CASE("manifest: sweeps of bases") {
  const Folder folder;
  const auto with = [&](const std::string& sweep) {
    return replaced(good, R"("init": {"steps": 0})", R"("init": {"steps": 0, "sweep": )" + sweep + "}");
  };
  const Experiment e = read(folder.write("m", with(R"({"base_seed": [3, 4], "arms.*.data.sequence": [7, 9]})")));
  std::vector<std::string> bases;
  for (const BaseRecipe& base : e.bases) bases.push_back(base.name);
  CHECK(bases == std::vector<std::string>{"init-base_seed3-sequence7", "init-base_seed3-sequence9", "init-base_seed4-sequence7",
                                          "init-base_seed4-sequence9", "trained"});
  CHECK(e.bases[2].base_seed == 4);
  CHECK(e.arm_on("init-base_seed4-sequence9", "K8").data.sequence == 9);
  CHECK(e.arm_on("trained", "K8").data.sequence == 16);
  CHECK(complaint(with(R"({"base_sede": [3]})")).find("'base_sede' in 'sweep' of base 'init' is no key of a base") !=
        std::string::npos);
  CHECK(
      complaint(with(R"({"train": [[1]]})")).find("the value becomes part of a base's name; for anything else write the bases") !=
      std::string::npos);
}

TEST_CASE("manifest: sweeps that are wrong") {
  const std::vector<Bad> cases = {
      {R"({"sweep": {"optimiser.lr": [1e-3]}})",
       with_keys<ArmKeys>("m:14:22: 'optimiser.lr' in 'sweep' of arm 'K8' is no key of an arm\n"
                          "  did you mean 'optimizer'?\n"
                          "  the keys of an arm: ") +
           "\n  parts are joined by dots: \"sweep\": {\"optimizer.lr\": [1e-3, 5e-3]}"},
      {R"({"sweep": {"optimizer.rl": [1e-3]}})",
       "m:14:22: optimizer 'adam' has no key 'rl'\n"
       "  did you mean 'lr'?\n"
       "  its keys: plugin, as, lr, weight_decay, warmup"},
      {R"({"sweep": {"optimizer.lr": [0.1, 9]}})", "m:14:44: 'lr' of optimizer 'adam' is 9, expected a number between 0 and 1"},
      {R"({"sweep": {"optimizer.lr": []}})", "m:14:38: 'optimizer.lr' in 'sweep' of arm 'K8' has no values"},
      {R"({"sweep": {"optimizer.lr": 1e-3}})",
       "m:14:38: 'optimizer.lr' in 'sweep' of arm 'K8' takes a list, found the number 0.001\n"
       "  for example \"sweep\": {\"optimizer.lr\": [1e-3, 5e-3]}"},
      {R"({"sweep": {}})", "m:14:21: 'sweep' of arm 'K8' sweeps nothing\n  write \"sweep\": {\"optimizer.lr\": [1e-3, 5e-3]}"},
      {R"({"sweep": [1]})",
       "m:14:21: 'sweep' of arm 'K8' takes an object, found the list [1]\n"
       "  for example \"sweep\": {\"optimizer.lr\": [1e-3, 5e-3]}"},
      {R"({"sweep": {"adapter": [null]}})",
       "m:14:34: 'adapter' in 'sweep' of arm 'K8' takes numbers, strings, true and false, found the null null\n"
       "  the value becomes part of an arm's name; for anything else write the arms one by one"},
      {R"({"sweep": {"data.corpus": ["a/b"]}})",
       "m:14:38: 'K8-corpusa/b' cannot be the name of an arm\n"
       "  names are letters, digits, '_', '.' and '-', at most 100: they become parts of record paths and file names"},
      {R"({"sweep": {"steps": [3, 3]}})",
       "m:14:5: there are two arms 'K8-steps3', the other at m:14:5; a sweep makes one of them"},
      {R"({"sweep": {"steps": [3]}}, "K8-steps3": {})",
       "m:14:38: there are two arms 'K8-steps3', the other at m:14:5; a sweep makes one of them"},
      {R"({"sweep": {"optimizer.": [3]}})", "m:14:22: 'optimizer.' is not a path: its parts are joined by dots"},
      {R"({"sweep": {"steps": [3, 4]}}, "later": {"needs": "K8"})",
       "m:14:60: arm 'later' needs 'K8', but there is no arm 'K8'\n"
       "  it is swept; the arms that took its place: K8-steps3, K8-steps4"},
      {R"({"sweep": {"steps": [3, 4]}})",
       "m:24:58: '@trained/K8/loss/final': there is no arm 'K8'\n"
       "  it is swept; the arms that took its place: K8-steps3, K8-steps4"},
  };
  for (const Bad& c : cases) {
    CAPTURE(c.arm);
    CHECK(with_k8(c.arm) == c.message);
  }
  std::string many;
  for (int i = 1; i <= 40; ++i) many += (i > 1 ? ", " : "") + std::to_string(i);
  CHECK(with_k8(R"({"sweep": {"steps": [)" + many + R"(], "data.batch": [)" + many + "]}}") ==
        "m:14:21: 'sweep' of arm 'K8' makes more than 1000 arms");
}
