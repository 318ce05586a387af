#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <limits>

#include "export/adapter.hpp"
#include "export/events.hpp"
#include "export/folder.hpp"
#include "export/records.hpp"
#include "unit/scratch.hpp"
#include "unit/text_file.hpp"

namespace fs = std::filesystem;
using namespace khost;

namespace {

std::string what_of(const auto& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

Tensor tensor(Shape shape, std::vector<float> values) {
  Tensor out(std::move(shape));
  std::ranges::copy(values, out.data());
  return out;
}

const ArrayView& view(const ExportedArrays& all, const std::string& name) {
  const auto found = std::ranges::find(all.arrays, name, &NamedArray::name);
  REQUIRE_MESSAGE(found != all.arrays.end(), name);
  return found->array;
}

std::vector<float> values(const ExportedArrays& all, const std::string& name) {
  const auto span = view(all, name).f32();
  return {span.begin(), span.end()};
}

// U [2, 1] and V [3, 1] around one number.
TrainedMatrix rank_one(const std::string& name) {
  return {{name, 2, 3, 1}, tensor({2, 1}, {1, 2}), tensor({3, 1}, {3, 4, 5}), tensor({1}, {0.5f}), {0.5}};
}

// K = 2 of a 2 x 2 matrix, with this core.
TrainedMatrix rank_two(const std::string& name, Tensor alpha, std::vector<double> C) {
  return {{name, 2, 2, 2}, tensor({2, 2}, {1, 0, 0, 1}), tensor({2, 2}, {1, 2, 3, 4}), std::move(alpha), std::move(C)};
}

Arm arm_with(const std::string& plugin, bool written, const std::string& config = "{}") {
  Arm arm;
  arm.adapter.emplace();
  arm.adapter->written = written;
  arm.adapter->component.plugin = plugin;
  arm.adapter->component.config = parse_json(config, "config");
  return arm;
}

TrainedTrial trial_of(std::vector<TrainedMatrix> matrices) {
  TrainedTrial trial;
  trial.matrices = std::move(matrices);
  return trial;
}

}  // namespace

TEST_CASE("a line of jsonl tells what is missing, infinite, and of the whole trial") {
  const TrialKey key{"K8", "plain", 1, 2};
  const double infinity = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(record_line(RecordForm::jsonl, key, {"snr", "drift/0", 3, 0.1, "1"}) ==
        R"({"base":"plain","arm":"K8","draw":1,"seed":2,"probe":"snr","name":"drift/0","step":3,"value":0.1,"unit":"1"})");
  CHECK(
      has(record_line(RecordForm::jsonl, key, {"loss", "final", -1, nan, "nats"}), R"("step":null,"value":null,"unit":"nats")"));
  CHECK(has(record_line(RecordForm::jsonl, key, {"loss", "final", 0, infinity, ""}), R"("step":0,"value":"inf")"));
  CHECK(has(record_line(RecordForm::jsonl, key, {"loss", "final", 0, -infinity, ""}), R"("value":"-inf")"));
  CHECK(has(record_line(RecordForm::jsonl, key, {"p", "a \"b\"\n", 0, 1, ""}), R"("name":"a \"b\"\n")"));
  CHECK(record_line(RecordForm::csv, key, {"p", "a,b", -1, -infinity, "1"}) == R"(plain,K8,1,2,p,"a,b",,-inf,1)");
}

TEST_CASE("CRC-32C gives the known values, and a record is framed by them") {
  CHECK(crc32c("123456789") == 0xE3069283U);            // the check value of its definition
  CHECK(crc32c(std::string(32, '\0')) == 0x8A9136AAU);  // RFC 3720, B.4
  CHECK(crc32c(std::string(32, '\xff')) == 0x62A8AB43U);
  const std::string record = framed("abc");
  REQUIRE(record.size() == 8 + 4 + 3 + 4);
  CHECK(record.substr(0, 8) == std::string("\3\0\0\0\0\0\0\0", 8));
  CHECK(record.substr(12, 3) == "abc");
}

TEST_CASE("a scalar is an Event of the wire format") {
  const std::string bytes = scalar_event(1.0, 300, "a/b", 0.5);
  const std::string expected(
      "\x09\0\0\0\0\0\0\xf0\x3f"  // 1: wall_time, a double
      "\x10\xac\x02"              // 2: step, 300
      "\x2a\x0c\x0a\x0a"          // 5: summary of 12 bytes; 1: a value of 10
      "\x0a\x03"
      "a/b"              // 1: tag
      "\x15\0\0\0\x3f",  // 2: simple_value, a float
      9 + 3 + 4 + 5 + 5);
  CHECK(bytes == expected);
  CHECK(tag_of("snr", "drift/0", false) == "snr/drift/0");
  // A value of the whole trial beside steps of the same name has a tag of its own.
  const std::string both = series_events({"p", "norm", "1", {{-1, 1.0}, {0, 2.0}}}, 0);
  CHECK(has(both, "p/norm (trial)"));
  CHECK_FALSE(has(series_events({"p", "norm", "1", {{-1, 1.0}}}, 0), "(trial)"));
}

TEST_CASE("any text becomes a file name of its own") {
  CHECK(file_name_of("K8-drop0.3") == "K8-drop0.3");
  CHECK(file_name_of("..") == "%2E.");
  CHECK(file_name_of("../x") == "%2E.%2Fx");
  CHECK(file_name_of("a b\n\xc3\xa4") == "a%20b%0A%C3%A4");
  CHECK(file_name_of("%41") == "%2541");
  CHECK_THROWS_AS(file_name_of(""), Error);
  CHECK_THROWS_AS(file_name_of(std::string(300, 'x')), Error);
}

TEST_CASE("an export replaces what an earlier one wrote, and nothing else") {
  const Scratch scratch;
  const std::string path = scratch / "a/b";
  {
    const ExportFolder folder(path, "merged", {"model.safetensors", "batch.safetensors"});
    CHECK_FALSE(fs::exists(path));  // until something is written
    folder.begin();
    write_text(folder / "model.safetensors", "1"), write_text(folder / "batch.safetensors", "2");
    folder.keep(Json::object({{"arm", "A"}}));
  }
  write_text(path + "/mine.txt", "3");
  {
    const ExportFolder folder(path, "factors", {"factors.safetensors"});
    folder.begin();
    write_text(folder / "factors.safetensors", "4");
    folder.keep(Json::object({}));
  }
  CHECK_FALSE(fs::exists(path + "/model.safetensors"));
  CHECK_FALSE(fs::exists(path + "/batch.safetensors"));
  CHECK(fs::exists(path + "/factors.safetensors"));
  CHECK(fs::exists(path + "/mine.txt"));

  fs::create_directories(scratch / "other");
  write_text(scratch / "other/x", "");
  CHECK(has(what_of([&] { ExportFolder(scratch / "other", "base", {}); }), "is not empty, and khost export did not write it"));
  CHECK(has(what_of([&] { ExportFolder(scratch / "other/x", "base", {}); }), "is no folder"));
  CHECK(has(what_of([&] { const EventFolder events(path); }), "holds what khost export --to factors wrote"));
  // A note that names what is elsewhere removes nothing there.
  fs::create_directories(scratch / "false");
  write_text(scratch / "kept", "");
  write_text(scratch / "false/khost-export.json", R"({"khost_export": 1, "to": "base", "files": ["../kept", "gone"]})");
  const ExportFolder folder(scratch / "false", "base", {"model.safetensors"});
  folder.begin();
  folder.keep(Json::object({}));
  CHECK(fs::exists(scratch / "kept"));
}

TEST_CASE("events of two runs of one experiment do not mix") {
  const Scratch scratch;
  EventFolder(scratch / "e").begin("paper", "1111");
  EventFolder again(scratch / "e");
  again.begin("paper", "1111");
  again.begin("other", "2222");
  CHECK(has(what_of([&] { EventFolder(scratch / "e").begin("paper", "3333"); }), "holds events of another run of paper, 1111"));
  CHECK(again.file("paper", ".b", "K8", 1, 3) == scratch / "e/paper/%2Eb/K8/draw1-seed3/events.out.tfevents.0.khost");
  CHECK(has(what_of([&] { ExportFolder(scratch / "e", "peft", {}); }), "holds what khost export --to tensorboard wrote"));
}

TEST_CASE("U C V' is PEFT's B A at a scale of 1, an embedding's transposed, a rank of its own in the patterns") {
  TrainedTrial trial = trial_of({rank_one("emb"), rank_one("a.b"), rank_two("a.c", tensor({2, 2}, {1, 2, 3, 4}), {1, 2, 3, 4})});
  trial.matrices.push_back({{"a.none", 2, 2, 0}, {}, {}, {}, {}});
  const PeftAdapter peft = peft_of(trial, arm_with("diagonal", false), {"emb"});
  CHECK(values(peft.tensors, "base_model.model.a.b.lora_B.weight") == std::vector<float>{0.5f, 1});
  CHECK(values(peft.tensors, "base_model.model.a.b.lora_A.weight") == std::vector<float>{3, 4, 5});
  CHECK(view(peft.tensors, "base_model.model.a.b.lora_A.weight").shape == Shape{1, 3});
  CHECK(values(peft.tensors, "base_model.model.emb.lora_embedding_A") == std::vector<float>{0.5f, 1});
  CHECK(view(peft.tensors, "base_model.model.emb.lora_embedding_A").shape == Shape{1, 2});
  CHECK(view(peft.tensors, "base_model.model.emb.lora_embedding_B").shape == Shape{3, 1});
  CHECK(values(peft.tensors, "base_model.model.a.c.lora_B.weight") == std::vector<float>{1, 2, 3, 4});  // U is 1
  CHECK(values(peft.tensors, "base_model.model.a.c.lora_A.weight") == std::vector<float>{1, 3, 2, 4});  // V'
  CHECK(peft.config.at("r").as_integer() == 1);
  CHECK(peft.config.at("lora_alpha").as_integer() == 1);
  CHECK(peft.config.at("rank_pattern").text() == R"({"a.c":2})");
  CHECK(peft.config.at("alpha_pattern").text() == R"({"a.c":2})");
  CHECK(peft.config.at("target_modules").text() == R"(["emb","a.b","a.c"])");
}

TEST_CASE("the plugins lora and dora are PEFT's; dora on an embedding and other adapters are refused with the reason") {
  TrainedMatrix m{{"a", 2, 3, 1}, {}, {}, {}, {}};
  m.written.push_back({"A", tensor({1, 3}, {1, 2, 3})});
  m.written.push_back({"B", tensor({2, 1}, {4, 5})});
  TrainedTrial trial;
  trial.matrices.push_back(std::move(m));
  const PeftAdapter lora = peft_of(trial, arm_with("lora", true, R"({"alpha": 8.5, "scaling": "rslora"})"), {});
  CHECK(values(lora.tensors, "base_model.model.a.lora_B.weight") == std::vector<float>{4, 5});
  CHECK(lora.config.at("lora_alpha").as_number() == 8.5);
  CHECK(lora.config.at("use_rslora").as_bool());
  CHECK_FALSE(lora.config.at("use_dora").as_bool());
  trial.matrices[0].written.push_back({"magnitude", tensor({2}, {6, 7})});
  const Arm dora = arm_with("dora", true, R"({"alpha": 8, "scaling": "lora"})");
  const PeftAdapter scaled = peft_of(trial, dora, {});
  CHECK(scaled.config.at("use_dora").as_bool());
  CHECK(values(scaled.tensors, "base_model.model.a.lora_magnitude_vector") == std::vector<float>{6, 7});
  CHECK(has(what_of([&] { peft_of(trial, dora, {"a"}); }), "PEFT's of an embedding are of its columns"));
  CHECK(has(what_of([&] { peft_of(trial, arm_with("rank_one", true), {}); }), "not 'rank_one'"));
}

TEST_CASE("factors go out as they are, with C where alpha does not say it") {
  const TrainedTrial trial = trial_of({rank_one("diagonal"), rank_two("block", tensor({2, 2}, {1, 2, 3, 4}), {1, 2, 3, 4}),
                                       rank_two("bidiagonal", tensor({3}, {1, 2, 3}), {1, 3, 0, 2})});
  const ExportedArrays factors = factors_of(trial);
  std::vector<std::string> names;
  for (const NamedArray& array : factors.arrays) names.push_back(array.name);
  CHECK(names == std::vector<std::string>{"diagonal/U", "diagonal/alpha", "diagonal/V", "block/U", "block/alpha", "block/V",
                                          "bidiagonal/U", "bidiagonal/alpha", "bidiagonal/V", "bidiagonal/C"});
  CHECK(values(factors, "bidiagonal/C") == std::vector<float>{1, 3, 0, 2});
}

TEST_CASE("a trial without an adapter, or with trained weights, has no factors and nothing for PEFT") {
  TrainedTrial trial = trial_of({{{"a", 2, 2, 0}, {}, {}, {}, {}}});
  CHECK(has(what_of([&] { factors_of(trial); }), "this trial has no adapter"));
  trial = trial_of({rank_one("a")});
  trial.trained = {"a", "b"};
  CHECK(has(what_of([&] { peft_of(trial, arm_with("diagonal", false), {}); }), "trained weights themselves"));
  CHECK(has(what_of([&] { factors_of(trial); }), "--to merged"));
}
