// Bad manifests and exactly what is said of each: a golden table, to be read as a user would.
#include <vector>

#include "message.hpp"
#include "unit/manifest_fixture.hpp"

using namespace khost;
using khost::test::complaint;
using khost::test::Folder;
using khost::test::good;
using khost::test::read;
using khost::test::replaced;
using khost::test::with_keys;

namespace {

// The good manifest with the first `what` replaced `by` something.
std::string spoiled(const std::string& what, const std::string& by) {
  std::string text = good;
  const std::size_t at = text.find(what);
  REQUIRE(at != std::string::npos);
  return text.replace(at, what.size(), by);
}

struct Case {
  std::string what, by, message;
};

}  // namespace

TEST_CASE("manifest: what is wrong, where, what is allowed") {
  const std::vector<Case> cases = {
      {R"x("khost": 1,)x", R"x("khost": 2,)x", "m:2:12: this manifest is of format 2; this khost reads format 1"},
      {R"x("khost": 1,)x", "", "m:1:1: the manifest needs 'khost' (the manifest's format: 1)"},
      {R"x("small")x", R"x("Small Paper")x",
       "m:3:17: 'Small Paper' cannot be an experiment's name\n"
       "  it names a folder: a-z, 0-9, '_' and '-', at most 100"},
      {R"x("seeds": 3)x", R"x("sedes": 3)x",
       with_keys<ManifestKeys>("m:4:3: the manifest has no key 'sedes'\n"
                               "  did you mean 'seeds'?\n"
                               "  its keys: ")},
      {R"x("seeds": 3)x", R"x("seeds": 0)x", "m:4:12: 'seeds' of the manifest is 0, expected a number between 1 and 100000"},
      {R"x("seeds": 3)x", R"x("seeds": "3")x",
       "m:4:12: 'seeds' of the manifest takes an integer, found the string \"3\"\n  write 3, without quotes"},
      {R"x("steps": 5,)x", R"x("steps": 0,)x", "m:4:24: 'steps' of the manifest is 0, expected a number at least 1"},
      {R"x("data": {"plugin": "text",)x", R"x("data": {"plugni": "text",)x",
       "m:5:11: 'data' needs 'plugin', the name of the plugin to use\n"
       "  'plugni' is not it\n"
       R"x(  for example {"plugin": "text", "corpus": "kjv"})x"},
      {R"x("data": {"plugin": "text",)x", R"x("data": {"plugin": "txt",)x",
       "there is no data plugin 'txt'\n"
       "  in data at m:5:22"},
      {R"x("data": {"plugin": "text",)x", R"x("data": {"plugin": 3,)x",
       "m:5:22: 'plugin' of 'data' takes the name of a plugin, found 3"},
      {R"x("sequence": 16})x", R"x("sequnce": 16})x",
       with_keys<DataKeys>("m:5:47: data 'text' has no key 'sequnce'\n"
                           "  did you mean 'sequence'?\n"
                           "  its keys: plugin, as, ") +
           ", corpus, vocab"},
      {R"x("sequence": 16})x", R"x("vocabulary": 16})x",
       with_keys<DataKeys>("m:5:47: data 'text' has no key 'vocabulary'\n"
                           "  its keys: plugin, as, ") +
           ", corpus, vocab"},
      {R"x("sequence": 16})x", R"x("sequence": 0})x", "m:5:59: 'sequence' of data 'text' is 0, expected a number at least 1"},
      {R"x("sequence": 16})x", R"x("reuse": "fixd"})x",
       R"x(m:5:56: 'reuse' of data 'text' is "fixd", expected one of: fixed, fresh)x"
       "\n"
       "  did you mean 'fixed'?"},
      {R"x("corpus": "kjv",)x", "", "m:5:11: data 'text' needs 'corpus'"},
      {R"x("d_model": 32)x", R"x("d_model": -1)x", "m:6:41: 'd_model' of model 'gpt' is -1, expected a number at least 1"},
      {R"x("model": {"plugin": "gpt", "d_model": 32},)x", R"x("model": "gpt",)x",
       R"x(m:6:12: 'model' takes an object, found the string "gpt")x"
       "\n"
       R"x(  for example {"plugin": "gpt", "d_model": 256})x"},
      {R"x("model": {"plugin": "gpt", "d_model": 32},)x", "", R"x(m:1:1: the manifest needs 'model' ({"plugin": ..., ...}))x"},
      {R"x("adapter": {"rank": 8},)x", R"x("adapter": {"rank": 0},)x",
       "m:8:23: 'rank' of the adapter is 0, expected a number at least 1\n"
       R"(  no adapter at all is "adapter": null; none on some matrices is a pattern's 0: {"default": 32, "layer.*.mlp.*": 0})"},
      {R"x("adapter": {"rank": 8},)x", R"x("adapter": {"basis": "svg"},)x",
       R"x(m:8:24: 'basis' of the adapter is "svg", expected one of: svd, random, gradient)x"
       "\n"
       "  did you mean 'svd'?"},
      {R"x("adapter": {"rank": 8},)x", R"x("adapter": 8,)x", "m:8:14: the adapter takes an object"},
      {R"x("bases": {)x", R"x("bases": {}, "title": {)x",
       R"x(m:9:25: 'title' of the manifest takes a string, found the object {"init":{"steps":0},"trained":{"train":[ ... (138 bytes) ... adam","warmup":5}}})x"},
      {R"x("init": {"steps": 0})x", R"x("init": {})x",
       "m:10:13: base 'init' needs 'steps', 'until' or 'file'\n"
       R"x(  {"steps": 0} is the plain initialisation, {"train": ["*"], "steps": 200} a training)x"},
      {R"x("init": {"steps": 0})x", R"x("a/b": {"steps": 0})x",
       "m:10:5: 'a/b' cannot be the name of a base\n"
       "  names are letters, digits, '_', '.' and '-', at most 100: they become parts of record paths and file names"},
      {R"x("init": {"steps": 0})x", R"x("init": {"steps": 4})x",
       "m:10:13: base 'init' trains, but 'train' does not say what\n"
       R"x(  "train": ["*"] trains everything, ["tok_emb", "pos_emb"] the embeddings)x"},
      {R"x("init": {"steps": 0})x", R"x("init": {"steps": 0, "until": {"loss": 3}})x",
       "m:10:23: base 'init' trains until a loss, but 0 steps at most"},
      {R"x("init": {"steps": 0})x", R"x("init": {"file": "none.safetensors"})x",
       "m:10:22: base 'init' names the file 'none.safetensors', which is not there"},
      {R"x("init": {"steps": 0})x", R"x("init": {"file": "none.safetensors", "steps": 3})x",
       "m:10:42: base 'init' is a file; 'steps' cannot stand beside it"},
      {R"x("init": {"steps": 0})x", R"x("init": {"steps": 0, "base_draws": 0})x",
       "m:10:40: 'base_draws' of base 'init' is 0, expected a number between 1 and 1000"},
      {R"x("init": {"steps": 0})x", R"x("init": {"steps": 0, "bacth": 2})x",
       with_keys<BaseKeys>("m:10:26: base 'init' has no key 'bacth'\n"
                           "  did you mean 'batch'?\n"
                           "  its keys: ")},
      {R"x("init": {"steps": 0})x", R"x("init": {"steps": 0, "batch": 2, "data": {"batch": 3}})x",
       "m:10:35: base 'init' gives 'batch' twice; the other is at m:10:56"},
      {R"x("init": {"steps": 0})x", R"x("init": {"steps": 0, "data": {"voacb": 3}})x",
       with_keys<DataKeys>("m:10:35: data 'text' has no key 'voacb'\n"
                           "  did you mean 'vocab'?\n"
                           "  its keys: plugin, as, ") +
           ", corpus, vocab"},
      {R"x("init": {"steps": 0})x", R"x("init": null)x", "m:10:13: base 'init' takes an object"},
      {R"x("until": {"loss": 7.5})x", R"x("until": {"los": 7.5})x",
       with_keys<UntilKeys>("m:11:77: base 'trained' under 'until' has no key 'los'\n"
                            "  did you mean 'loss'?\n"
                            "  its keys: ")},
      {R"x("until": {"loss": 7.5})x", R"x("until": {"loss": 7.5, "on": "train"})x",
       R"x(m:11:96: 'until.on' of base 'trained' is "train", expected one of: calibration)x"},
      {R"x("K8": {})x", R"x("K8": {"ranks": 3})x",
       with_keys<ArmKeys>("m:14:12: arm 'K8' has no key 'ranks'\n"
                          "  its keys: ")},
      {R"x("K8": {})x", R"x("K8": {"nedes": "K16"})x",
       with_keys<ArmKeys>("m:14:12: arm 'K8' has no key 'nedes'\n"
                          "  did you mean 'needs'?\n"
                          "  its keys: ")},
      {R"x("K8": {})x", R"x("K8": [])x", "m:14:11: arm 'K8' takes an object"},
      {R"x("K8": {})x", R"x("K@8": {})x",
       "m:20:44: there is no arm 'K8'\n"
       "  did you mean 'K@8'?\n"
       "  the arms: K@8, K16, K8-drop0.1, sgd"},
      {R"x("K8": {})x", R"x("K8": {"adapter": {"rnak": 3}})x",
       with_keys<AdapterKeys>("m:14:24: the adapter has no key 'rnak'\n"
                              "  did you mean 'rank'?\n"
                              "  its keys: ")},
      {R"x("K8": {})x", R"x("K8": {"steps": 0})x", "m:14:21: 'steps' of arm 'K8' is 0, expected a number at least 1"},
      {R"x("K8": {})x", R"x("K8": {"adapter": null})x",
       "m:20:5: probe 'snr' needs the signal 'alpha.grad', but arm 'K8' has no adapter\n"
       R"x(  name the arms it is for with "arms": [...], or give the arm an adapter)x"},
      {R"x("K8": {})x", R"x("K8": {"probes": {"plugin": "snr"}})x",
       R"x(m:14:22: 'probes' of arm 'K8' takes a list, found the object {"plugin":"snr"})x"
       "\n"
       R"x(  for example "probes": [{"plugin": "snr"}])x"},
      {R"x("K8": {})x", R"x("K8": {"probes": [{"plugin": "snr"}]})x",
       "m:14:23: arm 'K8' has two probes called 'snr', the other at m:20:5\n"
       R"x(  give one of them a name of its own: "as": "snr2")x"},
      {R"x("K8": {})x", R"x("K8": {"probes": [{"plugin": "losses", "arms": ["K8"]}]})x",
       "m:14:44: 'arms' restricts a probe of the experiment; this one belongs to one arm already"},
      {R"x("K8": {})x", R"x("K8": {"probes": [], "probes!": []})x",
       "m:14:22: arm 'K8' has both 'probes' and 'probes!', the other at m:14:37\n"
       "  'probes' adds to the experiment's probes, 'probes!' replaces them"},
      {R"x("K8": {})x", R"x("K8": {"probes": [{"plugin": "alpha_dropout"}, {"plugin": "alpha_noise"}]})x",
       "m:14:52: 'alpha_noise' and 'alpha_dropout' both change 'alpha.scale' in arm 'K8'\n"
       "  an arm takes one policy for each thing; the other is at m:14:23"},
      {R"x("K8": {})x", R"x("K8": {"probes": [{"plugin": "strange"}]})x",
       "m:14:23: probe 'strange' needs the signal 'alpha.grads', which nothing provides\n"
       "  did you mean 'alpha.grad'?\n"
       "  the signals: loss, tokens, targets, weights, weight.grad, activation, activation.grad, adapter, adapter.grad, alpha, "
       "alpha.grad, basis, basis.svd, basis.random\n"
       "  `khost inspect --signals` says what each holds"},
      {R"x("K8": {})x", R"x("K8": {"probes": [{"plugin": "sly"}]})x",
       "m:14:23: probe 'sly' declares that it changes 'alpha.scale', but only a policy may"},
      {R"x("K8": {})x", R"x("K8": {"probes": [{"plugin": "losses", "as": "loss"}]})x",
       "m:14:23: 'loss' is the name of khost's own records\n"
       R"x(  name the probe with "as")x"},
      {R"x("K8": {})x", R"x("K8": {"probes": [{"plugin": "losses", "as": "a/b"}]})x",
       "m:14:50: 'a/b' cannot be the name of a component\n"
       "  names are letters, digits, '_', '.' and '-', at most 100: they become parts of record paths and file names"},
      {R"x("K8": {})x", R"x("K8": {}, "K8": {})x", "m:14:15: the key 'K8' is already set at m:14:5"},
      {R"x({"plugin": "ablation", "as": "cut"})x", R"x({"plugin": "alpha_dropout", "arms": ["sgdd"]})x",
       "m:21:42: there is no arm 'sgdd'\n"
       "  did you mean 'sgd'?\n"
       "  the arms: K8, K16, K8-drop0.1, sgd"},
      {R"x({"plugin": "ablation", "as": "cut"})x", R"x({"plugin": "losses", "arms": []})x",
       "m:21:34: probe 'losses' is restricted to no arm at all"},
      {R"x({"plugin": "ablation", "as": "cut"})x", R"x({"plugin": "ablation", "as": "cut"}, {"plugin": "losses", "as": "cut"})x",
       "m:21:42: arm 'K8' has two probes called 'cut', the other at m:21:5\n"
       R"x(  give one of them a name of its own: "as": "cut2")x"},
      {R"x({"plugin": "ablation", "as": "cut"})x", R"x({"plugin": "ablations"})x",
       "there is no probe plugin 'ablations'\n"
       "  in probe at m:21:16"},
      {R"x({"plugin": "ablation", "as": "cut"})x", R"x({"plugin": "snr", "split": 0, "as": "x"})x",
       "m:21:32: 'split' of probe 'snr' is 0, expected a number at least 1"},
      {R"x("id": "noise")x", R"x("id": 3)x", "m:24:12: 'id' of a claim takes a string, found the integer 3"},
      {R"x("id": "noise")x", R"x("idd": "noise")x",
       with_keys<ClaimKeys>("m:24:6: a claim has no key 'idd'\n"
                            "  did you mean 'id'?\n"
                            "  its keys: ")},
      {R"x("K16/snr/drift/1")x", R"x("K61/snr/drift/1")x",
       "m:24:34: 'K61/snr/drift/1': there is no arm 'K61'\n"
       "  did you mean 'K16'?\n"
       "  the arms: K8, K16, K8-drop0.1, sgd"},
      {R"x("K16/snr/drift/1")x", R"x("sgd/snr/drift/1")x",
       "m:24:34: 'sgd/snr/drift/1': there is no probe in arm 'sgd' called 'snr'\n"
       "  the probes of the arm: loss, parameters, cut"},
      {R"x("K16/snr/drift/1")x", R"x("K16/snr/drift")x",
       "m:24:34: 'K16/snr/drift': there is no record of 'snr' called 'drift'\n"
       "  the records of 'snr': drift/<group>, drift/ratio"},
      {R"x("K16/snr/drift/1")x", R"x("K16/snr/drfit/1")x",
       "m:24:34: 'K16/snr/drfit/1': there is no record of 'snr' called 'drfit/1'\n"
       "  the records of 'snr': drift/<group>, drift/ratio"},
      {R"x("K16/snr/drift/1")x", R"x("K16/snr")x",
       "m:24:34: 'K16/snr' is not the path of a record\n"
       R"x(  a path is ARM/PROBE/RECORD or @BASE/ARM/PROBE/RECORD: "K64/loss/final", "@trained/K64/snr/drift/0")x"},
      {R"x("K16/snr/drift/1")x", R"x("K16/loss/fianl")x",
       "m:24:34: 'K16/loss/fianl': there is no record of 'loss' called 'fianl'\n"
       "  did you mean 'final'?\n"
       "  the records of 'loss': base, final, held_out_base, held_out_final, train_last"},
      {R"x("K16/snr/drift/1")x", R"x("@traned/K16/snr/drift/1")x",
       "m:24:34: '@traned/K16/snr/drift/1': there is no base 'traned'\n"
       "  did you mean 'trained'?\n"
       "  the bases: init, trained"},
      {R"x("b / t")x", R"x("b / x")x",
       R"x(m:24:96: the measure "b / x" speaks of 'x', which is neither in 'let' nor a function)x"
       "\n"
       "  'let' has b, t; functions: abs, acos, acosh, argmax, argmin, asin, asinh, atan, atan2, atanh, avg, cos, cosh, exp, "
       "interpolate, ln, "
       "log, "
       "log10, log2, max, mean, min, pearson, range, rint, sd, sign, sin, sinh, spearman, sqrt, sum, tan, tanh"},
      {R"x("b / t")x", R"x("b / ")x", R"x(m:24:96: the measure "b / " ends too early)x"},
      {R"x("b / t")x", R"x("(b / t")x", R"x(m:24:96: the measure "(b / t" has a '(' without its ')')x"},
      {R"x("b / t")x", R"x("b t")x", R"x(m:24:96: the measure "b t" has 't' at character 3 where an operator is expected)x"},
      {R"x("b / t")x", R"x("b, t")x", R"x(m:24:96: the measure "b, t" gives 2 numbers; one is expected)x"},
      {R"x("b / t")x", R"x("b = t")x", R"x(m:24:96: the measure "b = t" assigns at character 3; a comparison is written ==)x"},
      {R"x("b / t")x", R"x("exp(b, t)")x", R"x(m:24:96: the measure "exp(b, t)" gives the function 'exp' too many arguments)x"},
      {R"x("b / t")x", R"x("pearson(b, t)")x",
       R"x(m:24:96: the measure "pearson(b, t)" cannot be computed: pearson takes x1, ..., xn, y1, ..., yn with n at least 2)x"},
      {R"x("b / t")x", R"x("meen(b, t)")x",
       R"x(m:24:96: the measure "meen(b, t)" speaks of 'meen', which is neither in 'let' nor a function)x"
       "\n"
       "  did you mean 'mean'?\n"
       "  'let' has b, t; functions: abs, acos, acosh, argmax, argmin, asin, asinh, atan, atan2, atanh, avg, cos, cosh, exp, "
       "interpolate, ln, "
       "log, "
       "log10, log2, max, mean, min, pearson, range, rint, sd, sign, sin, sinh, spearman, sqrt, sum, tan, tanh"},
      {R"x("b / t")x", R"x("b / t $")x",
       R"x(m:24:96: the measure "b / t $" has the character '$' at 7, which is no arithmetic)x"},
      {R"x("b / t")x", R"x("b / t)")x",
       R"x(m:24:96: the measure "b / t)" has a bracket ')' at character 6 that does not belong there)x"},
      {R"x("b / t")x", R"x("")x", R"x(m:24:96: the measure "" is empty)x"},
      {R"x("b / t")x", R"x("b ? t")x", R"x(m:24:96: the measure "b ? t" has a '?' without its ':')x"},
      {R"x("b / t")x", R"x("b / * t")x",
       R"x(m:24:96: the measure "b / * t" has an operator '*' at character 5 that does not belong there)x"},
      {R"x("b":)x", R"x("b": 3, "c":)x", "m:24:34: 'b' in 'let' takes the path of a record or a list of paths, found 3"},
      {R"x("b":)x", R"x("log":)x", "m:24:29: 'log' is a function or constant of measures; 'let' needs another name"},
      {R"x("b":)x", R"x("b-1":)x",
       "m:24:29: 'b-1' cannot be a name in 'let'\n"
       "  names there are letters, digits and '_', not starting with a digit"},
      {R"x("< 0.5")x", R"x("<= 0.5")x",
       R"x(m:25:18: "<= 0.5" is not a prediction)x"
       "\n"
       R"x(  write "< 0.5", "> 0.5" or "in [0.4, 0.6]")x"},
      {R"x("< 0.5")x", R"x("in [0, 0.09]")x",
       R"x(m:25:18: nothing is left of "in [0, 0.09]" once the margin 0.05 is taken off; no result could confirm it)x"
       "\n"
       "  take a smaller margin, or a wider prediction"},
      {R"x("< 0.5")x", R"x("in [0.1, 0]")x", R"x(m:25:18: "in [0.1, 0]" ends before it begins)x"},
      {R"x("< 0.5")x", R"x("< 0.05")x",
       R"x(m:25:18: nothing is left of "< 0.05" once the margin 0.05 is taken off; no result could confirm it)x"
       "\n"
       "  on the log scale only what is above 0 counts"},
      {R"x("margin": 0.05)x", R"x("margin": -1)x", "m:25:37: 'margin' of claim 'noise' is -1, expected a number at least 0"},
      {R"x("margin": 0.05,)x", "", "m:24:5: claim 'noise' needs 'margin' (the smallest difference that matters)"},
      {R"x("scale": "log")x", R"x("scale": "lin")x",
       R"x(m:24:114: 'scale' of claim 'noise' is "lin", expected one of: linear, log)x"},
      {"0.948}}", R"x(0.948}}, {"id": "noise", "let": {"a": "K8/loss/final"}, "measure": "a", "predicts": "> 1", "margin": 0})x",
       "m:25:82: two claims are called 'noise', the other at m:24:12"},
      {R"x("experiment")x", R"x("include": "gone", "experiment")x",
       "m:3:14: there is no file 'gone' to include\n"
       "  paths in a manifest start at the folder of the file they are written in"},
      {R"x("experiment")x", R"x("include": 3, "experiment")x", "m:3:14: 'include' takes a file name or a list of them, found 3"},
      {R"x("experiment")x", R"x("include": "m", "experiment")x",
       "m:3:14: manifests include each other in a circle: m includes m"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.what);
    CAPTURE(c.by);
    CHECK(complaint(spoiled(c.what, c.by)) == c.message);
  }
}

TEST_CASE("manifest: settings that cannot be made") {
  struct BadSetting {
    std::string path, value, message;
  };
  const std::vector<BadSetting> cases = {
      {"data.sequnce", "3",
       with_keys<DataKeys>("--set data.sequnce=3: data 'text' has no key 'sequnce'\n"
                           "  did you mean 'sequence'?\n"
                           "  its keys: plugin, as, ") +
           ", corpus, vocab"},
      {"dta.sequence", "3",
       with_keys<ManifestKeys>("--set dta.sequence=3: the manifest has no key 'dta'\n"
                               "  did you mean 'data'?\n"
                               "  its keys: ")},
      {"arms.K88.steps", "3",
       "--set arms.K88.steps=3: there is no arm 'K88' to set something of\n"
       "  did you mean 'K8'?\n"
       "  the arms: K8, K16, K8-drop0.1, sgd"},
      {"bases.int.steps", "3",
       "--set bases.int.steps=3: there is no base 'int' to set something of\n"
       "  did you mean 'init'?\n"
       "  the bases: init, trained"},
      {"probes.snrr.split", "3",
       "--set probes.snrr.split=3: 'probes' has no entry 'snrr'\n"
       "  did you mean 'snr'?\n"
       "  the entries: 0, 1, snr, cut"},
      {"seeds.x", "3", "--set seeds.x=3: 'seeds' is 3 and has no part 'x'"},
      {"seeds", "1O", R"x(--set seeds=1O: 'seeds' of the manifest takes an integer, found the string "1O")x"},
      {"adapter", R"x({"rank": )x",
       R"x(--set adapter={"rank": : this '{' is never closed; '}' is missing (column 1 of the value))x"},
      {"x\xff", "1", "--set x\\xff=1: a setting is UTF-8 text"},
      {".x", "1", "--set .x=1: a setting is PATH=VALUE, the path's parts joined by dots: data.batch=2"},
      {"include", "x", "--set include=x: 'include' cannot be set; it is read before the settings"},
      {"arms.K8.adapter.rnak", "3",
       with_keys<AdapterKeys>("--set arms.K8.adapter.rnak=3: the adapter has no key 'rnak'\n"
                              "  did you mean 'rank'?\n"
                              "  its keys: ")},
  };
  for (const BadSetting& c : cases) {
    CAPTURE(c.path);
    CHECK(complaint(good, {{c.path, c.value}}) == c.message);
  }
}

TEST_CASE("manifest: overlays that match nothing") {
  const Folder folder;
  folder.write("beneath", good);
  const auto said = [&](const std::string& rest) -> std::string {
    try {
      read(folder.write("m", "{\"include\": \"beneath\", " + rest + "}"));
      return "read";
    } catch (const Error& e) {
      return replaced(e.what(), folder.path.string() + "/", "");
    }
  };
  CHECK(
      said(R"("arms": {"K9": null})") ==
      "m:1:33: null removes the arm 'K9', but there is none beneath\n  did you mean 'K8'?\n  the arms: K8, K16, K8-drop0.1, sgd");
  CHECK(said(R"("bases": {"int": null})") ==
        "m:1:34: null removes the base 'int', but there is none beneath\n  did you mean 'init'?\n  the bases: init, trained");
  CHECK(said(R"("probes": [], "probes!": [])") ==
        "m:1:38: 'probes!' replaces the probes; 'probes' at m:1:34 cannot stand beside it");
  CHECK(said(R"("arms": {"K8": null, "K16": null})").find("there is no arm 'K8'") !=
        std::string::npos);  // the probe beneath names it
  CHECK(said(R"("claims": [{"id": "noise", "let": {}, "measure": "1", "predicts": "> 0", "margin": 0}])") ==
        "m:1:42: two claims are called 'noise', the other at beneath:24:12");
}

TEST_CASE("manifest: two included files that bring the same probe are both named") {
  const Folder folder;
  folder.write("one", good);
  folder.write("two", R"({"probes": [{"plugin": "snr", "split": 4}]})");
  CHECK(
      replaced(message_of([&] { read(folder.write("m", R"({"include": ["one", "two"]})")); }), folder.path.string() + "/", "") ==
      "two:1:13: arm 'K8' has two probes called 'snr', the other at one:20:5\n"
      "  give one of them a name of its own: \"as\": \"snr2\"");
}

TEST_CASE("manifest: nothing of a manifest is echoed at length") {
  const std::string huge(1 << 20, 'h');
  const std::vector<std::pair<std::string, std::string>> spoils = {
      {R"("small")", "\"" + huge + "\""},
      {R"("steps": 5)", "\"steps\": \"" + huge + "\""},
      {R"("steps": 5)", "\"" + huge + "\": 5"},
      {R"("K8": {})", "\"" + huge + "\": {}"},
      {R"("K8": {})", "\"K8\": {\"needs\": \"" + huge + "\"}"},
      {R"("gpt")", "\"" + huge + "\""},
      {R"("init": {"steps": 0})", "\"init\": {\"file\": \"" + huge + "\"}"},
      {R"("b / t")", "\"" + huge + "\""},
      {R"("< 0.5")", "\"" + huge + "\""},
      {R"("K16/snr/drift/1")", "\"" + huge + "\""},
      {R"("K16/snr/drift/1")", "\"K16/snr/" + huge + "\""},
      {R"("rank": 8)", "\"rank\": [\"" + huge + "\"]"},
      {R"("experiment")", "\"include\": [[\"" + huge + "\"]], \"experiment\""}};
  for (const auto& [what, by] : spoils) {
    const std::string said = complaint(replaced(good, what, by));
    CAPTURE(what);
    CHECK(said != "read");
    CHECK(said.size() < 14'000);
  }
  CHECK(complaint(good, {{"steps", huge}}).size() < 2000);
  CHECK(complaint(good, {{huge, "1"}}).size() < 6000);
  std::string deep = "a";
  for (int i = 0; i < 100'000; ++i) deep += ".a";
  CHECK(complaint(good, {{deep, "1"}}).find("a path has at most 60 parts") != std::string::npos);
}

TEST_CASE("manifest: includes in a circle, and a file that is no manifest") {
  const Folder folder;
  const auto said = [&](const std::string& path) -> std::string {
    try {
      read(path);
      return "read";
    } catch (const Error& e) {
      return replaced(e.what(), folder.path.string() + "/", "");
    }
  };
  folder.write("sub/b", R"({"include": "../a"})");
  CHECK(said(folder.write("a", R"({"include": "sub/b"})")) ==
        "sub/b:1:13: manifests include each other in a circle: a includes sub/b includes a");
  CHECK(said(folder.write("list", "[1]")) == "list:1:1: a manifest is an object, { ... }, found a list");
  CHECK(said((folder.path / "none").string()) == "none: there is no such file");
}

TEST_CASE("manifest: a plugin that is not there is a plugin error, with its place") {
  const Folder folder;
  const std::string path = folder.write("m", spoiled("\"gpt\"", "\"gpt_that_is_not_there\""));
  try {
    read_experiment(path, {});
    FAIL("it was read");
  } catch (const Error& e) {
    CHECK(e.kind() == ErrorKind::plugin);
    const std::string said = e.what();
    CHECK(said.find("gpt_that_is_not_there") != std::string::npos);
    CHECK(said.find("model at " + path + ":6:23") != std::string::npos);
  }
}
