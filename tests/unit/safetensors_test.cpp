#include "khost/safetensors.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <numeric>

#include "engine/weights.hpp"
#include "khost/error.hpp"
#include "khost/hash.hpp"
#include "khost/random.hpp"
#include "message.hpp"
#include "scratch.hpp"

using namespace khost;

namespace {

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_bytes(const std::string& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

std::string file_of(std::string_view header, std::size_t data_bytes) {
  std::string bytes(8, '\0');
  const std::uint64_t length = header.size();
  std::memcpy(bytes.data(), &length, 8);
  return bytes.append(header).append(data_bytes, '\1');
}

// The message of opening such a file, without the part that names it.
std::string complaint(const Scratch& scratch, std::string_view bytes) {
  const std::string path = scratch / "hostile.safetensors";
  write_bytes(path, bytes);
  try {
    const SafetensorsFile file(path);
    return "";
  } catch (const Error& error) {
    const std::string prefix = "safetensors file '" + path + "': ";
    CHECK(error.kind() == ErrorKind::usage);
    CHECK(error.message().starts_with(prefix));
    return error.message().substr(prefix.size());
  }
}

struct Sample {
  std::vector<float> floats = std::vector<float>(15);
  std::vector<std::int32_t> ints{7, -1, 1 << 30};
  float scalar = 2.5f;
  std::vector<NamedArray> arrays;

  Sample() {
    std::iota(floats.begin(), floats.end(), -3.25f);
    arrays = {{"layer.0.attn.qkv", {DType::f32, floats.data(), {3, 5}}},
              {"tokens", {DType::i32, ints.data(), {1, 3}}},
              {"empty", {DType::i32, nullptr, {0, 4}}},
              {"a \"quoted\" \n name", {DType::f32, &scalar, {}}}};
  }
};

}  // namespace

TEST_CASE("safetensors: what is written is read back") {
  const Scratch scratch;
  const std::string path = scratch / "a.safetensors";
  const Sample sample;
  write_safetensors(path, sample.arrays, {{"recipe", "{\"a\": 1}"}, {"format", "pt"}});
  CHECK(std::distance(std::filesystem::directory_iterator(scratch.folder()), {}) == 1);  // no temporary left

  const SafetensorsFile file(path);
  CHECK(file.path() == path);
  CHECK(file.names() == std::vector<std::string>{"layer.0.attn.qkv", "tokens", "empty", "a \"quoted\" \n name"});
  CHECK(file.metadata() == std::map<std::string, std::string>{{"recipe", "{\"a\": 1}"}, {"format", "pt"}});
  const ArrayView qkv = file.get("layer.0.attn.qkv", {3, 5});
  CHECK(std::equal(qkv.f32().begin(), qkv.f32().end(), sample.floats.begin(), sample.floats.end()));
  const ArrayView tokens = file.get("tokens");
  CHECK(tokens.shape == Shape{1, 3});
  CHECK(std::equal(tokens.i32().begin(), tokens.i32().end(), sample.ints.begin(), sample.ints.end()));
  CHECK(file.get("empty").size() == 0);
  CHECK(file.get("a \"quoted\" \n name").shape.empty());
  CHECK(file.get("a \"quoted\" \n name").f32()[0] == 2.5f);

  const std::string bytes = bytes_of(path);
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  CHECK(length % 8 == 0);
  CHECK(bytes.size() == 8 + length + 4 * (15 + 3 + 1));
}

TEST_CASE(
    "safetensors: a file that is mapped is the file that is copied; weights in it that are aligned are used where they are") {
  const Scratch scratch;
  // 3 rows end where no line of the cache does: what follows is not aligned.
  const std::vector<Parameter> parameters{{"a", {16, 4}, Init::normal, 1, true, 0},
                                          {"b", {3, 4}, Init::normal, 1, true, 0},
                                          {"c", {16, 4}, Init::normal, 1, true, 0}};
  const Weights drawn = shared(draw_weights(parameters, 3));
  save_weights(drawn, scratch / "w", {{"some", "metadata of any length"}});
  for (const auto hold : {SafetensorsFile::Hold::copied, SafetensorsFile::Hold::mapped}) {
    auto file = std::make_shared<const SafetensorsFile>(scratch / "w", hold);
    CHECK(file->content_hash() == sha256(bytes_of(scratch / "w")));
    const std::span<const float> in_file[] = {file->get("a").f32(), file->get("b").f32(), file->get("c").f32()};
    const Weights loaded = load_weights(parameters, std::move(file));
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      CHECK(std::ranges::equal(loaded.values[i], drawn.values[i]));
      CHECK(reinterpret_cast<std::uintptr_t>(loaded.values[i].data()) % 64 == 0);
      CHECK((loaded.values[i].data() == in_file[i].data()) == (i < 2));
    }
  }
  // Its views outlive its name.
  const SafetensorsFile mapped(scratch / "w", SafetensorsFile::Hold::mapped);
  std::filesystem::remove(scratch / "w");
  CHECK(std::ranges::equal(mapped.get("c").f32(), drawn.values[2]));
  write_bytes(scratch / "empty", "");
  CHECK(message_of([&] { SafetensorsFile(scratch / "empty", SafetensorsFile::Hold::mapped); }) ==
        message_of([&] { SafetensorsFile(scratch / "empty"); }));
  CHECK_THROWS_WITH_AS(SafetensorsFile(scratch.folder(), SafetensorsFile::Hold::mapped), doctest::Contains("not a regular file"),
                       Error);
}

TEST_CASE("weights: uniform ones fill their range evenly, and have the sd that they are given") {
  const OwnWeights drawn = draw_weights({{"u", {300, 400}, Init::uniform, 0.5, true, 0}}, 1);
  double sum = 0, squares = 0, largest = 0;
  for (const float w : drawn.values[0].span())
    sum += w, squares += double{w} * w, largest = std::max(largest, std::abs(double{w}));
  const auto n = static_cast<double>(drawn.values[0].size());
  CHECK(std::abs(sum / n) < 5 * 0.5 / std::sqrt(n));
  CHECK(squares / n == doctest::Approx(0.25).epsilon(0.01));
  CHECK(largest < std::sqrt(3.0) * 0.5);
  CHECK(largest > 0.999 * std::sqrt(3.0) * 0.5);
}

TEST_CASE("safetensors: asking for the wrong thing") {
  const Scratch scratch;
  const std::string path = scratch / "a.safetensors";
  write_safetensors(path, Sample().arrays);
  const SafetensorsFile file(path);
  const std::string prefix = "safetensors file '" + path + "': ";
  CHECK_THROWS_WITH_AS(
      file.get("layer.0.attn.qkw"),
      doctest::Contains((prefix + "has no tensor 'layer.0.attn.qkw'\n  did you mean 'layer.0.attn.qkv'?").c_str()), Error);
  CHECK_THROWS_WITH_AS(file.get("something else"), doctest::Contains("it has 4 tensors: 'layer.0.attn.qkv', 'tokens', 'empty'"),
                       Error);
  CHECK_THROWS_WITH_AS(file.get("tokens", {3}), (prefix + "tensor 'tokens': has shape [1, 3], expected [3]").c_str(), Error);
  CHECK_THROWS_WITH_AS(SafetensorsFile(scratch / "none"), doctest::Contains("/none': No such file or directory"), Error);
  CHECK_THROWS_WITH_AS(SafetensorsFile(scratch.folder()), doctest::Contains("not a regular file"), Error);
  CHECK_THROWS_WITH_AS(write_safetensors(scratch / "no/such/folder", {}), doctest::Contains("cannot write"), Error);
  auto twice = Sample().arrays;
  twice[1].name = twice[0].name;
  CHECK_THROWS_WITH_AS(write_safetensors(path, twice),
                       doctest::Contains("tensor 'layer.0.attn.qkv': the name cannot be written: it is taken"), Error);
}

TEST_CASE("safetensors: dtypes, padding and metadata of other writers") {
  const Scratch scratch;
  const std::string path = scratch / "other.safetensors";
  // No padding, an odd tensor first: the f32 data starts at no multiple of 4, and order in the header is not order in the data.
  std::string bytes = file_of(
      R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[3,11]},"m":{"dtype":"BOOL","shape":[3],"data_offsets":[0,3]}})", 11);
  const float values[2] = {1.5f, -8.0f};
  std::memcpy(bytes.data() + bytes.size() - 8, values, 8);
  write_bytes(path, bytes);
  const SafetensorsFile file(path);
  CHECK(file.get("w").f32()[0] == 1.5f);
  CHECK(file.get("w").f32()[1] == -8.0f);
  CHECK_THROWS_WITH_AS(file.get("m"), doctest::Contains("tensor 'm': has dtype BOOL; khost reads F32, F16, BF16 and I32"), Error);
  CHECK(complaint(scratch, file_of("{}", 0)) == "");
}

TEST_CASE("safetensors: F16 and BF16 are read as f32, every value") {
  const Scratch scratch;
  const std::string path = scratch / "half.safetensors";
  std::string bytes = file_of(
      R"({"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"h":{"dtype":"F16","shape":[256,256],"data_offsets":[1,131073]},)"
      R"("g":{"dtype":"BF16","shape":[65536],"data_offsets":[131073,262145]},"z":{"dtype":"F16","shape":[0,7],"data_offsets":[262145,262145]}})",
      262145);
  for (unsigned i = 0; i < 65536; ++i)
    for (const std::size_t at : {bytes.size() - 262144, bytes.size() - 131072}) {
      const auto half = static_cast<std::uint16_t>(i);
      std::memcpy(bytes.data() + at + 2 * i, &half, 2);
    }
  write_bytes(path, bytes);
  const SafetensorsFile file(path);
  CHECK(file.get("h").shape == Shape{256, 256});
  CHECK(file.get("z", {0, 7}).f32().empty());
  const auto half = file.get("h").f32(), brain = file.get("g", {65536}).f32();
  CHECK(half.data() == file.get("h").f32().data());  // converted once
  for (unsigned i = 0; i < 65536; ++i) {
    const int exponent = static_cast<int>(i >> 10 & 31), fraction = static_cast<int>(i & 1023), sign = i >> 15 ? -1 : 1;
    if (exponent == 31) {
      CHECK((fraction ? std::isnan(half[i]) : std::isinf(half[i]) && std::signbit(half[i]) == (sign < 0)));
    } else {  // by the definition of the format
      const double value = exponent ? std::ldexp(1 + fraction / 1024.0, exponent - 15) : std::ldexp(fraction / 1024.0, -14);
      CHECK(static_cast<double>(half[i]) == sign * value);
      CHECK(std::signbit(half[i]) == (sign < 0));
    }
    CHECK(std::bit_cast<std::uint32_t>(brain[i]) == i << 16);
  }
  CHECK_THROWS_WITH_AS(file.get("b"), doctest::Contains("has dtype U8; khost reads F32, F16, BF16 and I32\n  convert it"), Error);
}

TEST_CASE("safetensors: metadata of any kind does not spoil the tensors") {
  const Scratch scratch;
  using Map = std::map<std::string, std::string>;
  const auto metadata = [&](const std::string& json) {
    const std::string path = scratch / "m.safetensors";
    write_bytes(path, file_of("{\"__metadata__\":" + json + R"(,"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4));
    const SafetensorsFile file(path);
    CHECK(file.names() == std::vector<std::string>{"w"});
    return file.metadata();
  };
  CHECK(metadata(R"({"format":"pt"})") == Map{{"format", "pt"}});
  CHECK(metadata("null") == Map{});
  CHECK(metadata("[1]") == Map{});
  CHECK(metadata("\"pt\"") == Map{});
  CHECK(metadata(R"({"n":1,"x":0.5,"b":true,"l":["a"],"o":{"k":"v"},"none":null,"s":""})") ==
        Map{{"n", "1"}, {"x", "0.5"}, {"b", "true"}, {"l", "[\"a\"]"}, {"o", "{\"k\":\"v\"}"}, {"s", ""}});
}

TEST_CASE("safetensors: 300,000 tensors") {
  const Scratch scratch;
  std::string header = "{";
  for (int i = 0; i < 300'000; ++i)
    header += (i ? ",\"t" : "\"t") + std::to_string(i) + R"(":{"dtype":"F32","shape":[0],"data_offsets":[0,0]})";
  write_bytes(scratch / "many.safetensors", file_of(header + "}", 0));
  const SafetensorsFile file(scratch / "many.safetensors");  // did not end when each name was compared with all before it
  CHECK(file.names().size() == 300'000);
  CHECK(file.get("t299999").size() == 0);
  CHECK_THROWS_WITH_AS(file.get("x299999"), doctest::Contains("did you mean 't299999'"), Error);
}

TEST_CASE("safetensors: what people have instead is recognised") {
  const Scratch scratch;
  const auto said = [&](const std::string& bytes) {
    write_bytes(scratch / "f", bytes);
    return message_of([&] { SafetensorsFile(scratch / "f"); });
  };
  const auto has = [](const std::string& text, const char* what, const char* mend) {
    CAPTURE(text);
    CHECK(text.find(what) != std::string::npos);
    CHECK(text.find(mend) != std::string::npos);
  };
  has(said("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"), "it is a Git LFS pointer",
      "git lfs pull");
  has(said(std::string("PK\x03\x04\x14\0\0\0", 8) + std::string(100, 'x')), "a zip archive, as torch.save() writes",
      "save_file(");
  has(said("\x80\x02}q" + std::string(100, 'x')), "a Python pickle", "save_file(");
  has(said("GGUF\x03"), "a GGUF file", "safetensors checkpoint");
  has(said("\x93NUMPY\x01"), "a NumPy array", "safetensors.numpy");
  has(said("\x1f\x8b\x08\x01\x02\x03\x04\x05\x06\x07"), "gzip-compressed", "gunzip");
  has(said("<!DOCTYPE html><html></html>"), "an HTML page", "download it again");
  has(said(R"({"metadata": {"total_size": 1}, "weight_map": {"a": "model-00001-of-00002.safetensors"}})"),
      "the index of a checkpoint in several files", "max_shard_size");
  has(said(R"({"model_type": "gpt2"})"), "a JSON file", "name the file");

  std::filesystem::create_directory(scratch / "checkpoint");
  const auto folder = [&] { return message_of([&] { SafetensorsFile(scratch / "checkpoint"); }); };
  has(folder(), "it is a folder", "it holds no .safetensors file");
  write_bytes(scratch / "checkpoint/model-00001-of-00002.safetensors", "");
  has(folder(), "it is a folder", "name the file in it: model-00001-of-00002.safetensors");
  write_bytes(scratch / "checkpoint/model-00002-of-00002.safetensors", "");
  has(folder(), "it holds 2 .safetensors files", "save it as one");
}

TEST_CASE("safetensors: hostile files are refused, each with its reason") {
  const Scratch scratch;
  const auto tensor = [](const std::string& entry) { return "{\"w\":" + entry + "}"; };
  struct Row {
    std::string header;
    std::size_t data;
    std::string message;
  };
  const std::string good = R"({"dtype":"F32","shape":[2],"data_offsets":[0,8]})";
  CHECK(complaint(scratch, file_of(tensor(good), 8)) == "");
  const Row rows[] = {
      {"not json", 0, "its header is not the JSON it should be: "},
      {"{\"w\":" + good, 8, "its header is not the JSON it should be: "},
      {"[1]", 0, "its header is not an object (list)"},
      {"{\"w\":" + good + ",\"w\":" + good + "}", 8, "its header is not the JSON it should be: "},
      {tensor("3"), 0, "tensor 'w': its entry is not an object (integer)"},
      {tensor(R"({"shape":[2],"data_offsets":[0,8]})"), 8, "tensor 'w': has no \"dtype\""},
      {tensor(R"({"dtype":"F32","data_offsets":[0,8]})"), 8, "tensor 'w': has no \"shape\""},
      {tensor(R"({"dtype":"F32","shape":[2]})"), 8, "tensor 'w': has no \"data_offsets\""},
      {tensor(R"({"dtype":32,"shape":[2],"data_offsets":[0,8]})"), 8, "tensor 'w': \"dtype\" is not a string"},
      {tensor(R"({"dtype":"F31","shape":[2],"data_offsets":[0,8]})"), 8, "tensor 'w': unknown dtype 'F31'"},
      {tensor(R"({"dtype":"F32","shape":2,"data_offsets":[0,8]})"), 8, "tensor 'w': \"shape\" is not a list"},
      {tensor(R"({"dtype":"F32","shape":[-2],"data_offsets":[0,8]})"), 8, "tensor 'w': shape [-2] is not a list of sizes"},
      {tensor(R"({"dtype":"F32","shape":[2.5],"data_offsets":[0,8]})"), 8, "tensor 'w': shape [2.5] is not a list of sizes"},
      {tensor(R"({"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]})"), 8,
       "tensor 'w': shape [4294967296, 4294967296] overflows"},
      {tensor(R"({"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,0]})"), 0,
       "tensor 'w': shape [4611686018427387904] overflows"},
      {tensor(R"({"dtype":"F32","shape":[0,9223372036854775807,9223372036854775807],"data_offsets":[0,0]})"), 0,
       "tensor 'w': shape [0, 9223372036854775807, 9223372036854775807] overflows"},
      {tensor(R"({"dtype":"F32","shape":[3],"data_offsets":[0,8]})"), 8,
       "tensor 'w': F32 [3] takes 12 bytes, but its offsets span 8"},
      {tensor(R"({"dtype":"F32","shape":[2],"data_offsets":[0]})"), 8,
       "tensor 'w': \"data_offsets\" [0] is not two byte positions"},
      {tensor(R"({"dtype":"F32","shape":[2],"data_offsets":"0-8"})"), 8,
       "tensor 'w': \"data_offsets\" \"0-8\" is not two byte positions"},
      {tensor(R"({"dtype":"F32","shape":[2],"data_offsets":[-8,0]})"), 8,
       "tensor 'w': \"data_offsets\" [-8,0] is not two byte positions"},
      {tensor(R"({"dtype":"F32","shape":[2],"data_offsets":[8,0]})"), 8,
       "tensor 'w': \"data_offsets\" [8,0] end before they begin"},
      {tensor(good), 7,
       "tensor 'w': reaches to byte 8 of the data, but the file has 7: it is truncated or lies about its offsets"},
      {tensor(R"({"dtype":"F32","shape":[2],"data_offsets":[9223372036854775799,9223372036854775807]})"), 8,
       "tensor 'w': reaches to byte 9223372036854775807 of the data, but the file has 8: it is truncated or lies about its "
       "offsets"},
      {tensor(good), 12, "4 bytes after the last tensor belong to none"},
      {tensor(R"({"dtype":"F32","shape":[1],"data_offsets":[4,8]})"), 8, "tensor 'w': leaves a gap of 4 bytes before it"},
      {"{\"w\":" + good + R"(,"v":{"dtype":"I32","shape":[1],"data_offsets":[4,8]}})", 8, "tensor 'v': overlaps tensor 'w'"},
      {"{\"w\":" + good + R"(,"v":{"dtype":"I32","shape":[1],"data_offsets":[12,16]}})", 16,
       "tensor 'v': leaves a gap of 4 bytes before it"},
      {tensor(R"({"dtype":"F4","shape":[3],"data_offsets":[0,1]})"), 1, "tensor 'w': F4 [3] is no whole number of bytes"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.header);
    const std::string message = complaint(scratch, file_of(row.header, row.data));
    if (row.message.ends_with(": "))
      CHECK(message.starts_with(row.message));
    else
      CHECK(message == row.message);
  }

  CHECK(complaint(scratch, "") == "it has 0 bytes; the length of its header alone takes 8");
  CHECK(complaint(scratch, "1234567") == "it has 7 bytes; the length of its header alone takes 8");
  const std::string whole = file_of(tensor(good), 8);
  CHECK(complaint(scratch, whole.substr(0, 20)) ==
        "its header of 54 bytes does not fit into a file of 20 bytes: it is truncated, or not a safetensors file");
  CHECK(complaint(scratch, file_of("{\"w\":,", 0)) ==
        "its header is not the JSON it should be: at its character 6, a value is expected, found ','");
  CHECK(complaint(scratch, file_of(tensor("3") + std::string(1 << 20, ' ') + "\"" + std::string(1 << 20, 'x'), 0)).size() < 1000);
  CHECK(complaint(scratch, std::string(16, '\xff')) ==
        "its header of 18446744073709551615 bytes does not fit into a file of 16 bytes: it is truncated, or not a safetensors "
        "file");
}

TEST_CASE("safetensors: any changed byte gives an error or a readable file, never a crash") {
  const Scratch scratch;
  const std::string path = scratch / "m.safetensors";
  write_safetensors(path, Sample().arrays, {{"format", "pt"}});
  const std::string whole = bytes_of(path);
  Random random(1, "safetensors", "mutation");
  int refused = 0, read = 0;
  double sum = 0;
  const auto open = [&](const std::string& bytes) {
    write_bytes(path, bytes);
    try {
      const SafetensorsFile file(path);
      for (const std::string& name : file.names()) {
        try {
          const ArrayView view = file.get(name);
          if (view.dtype == DType::f32)
            for (const float x : view.f32()) sum += static_cast<double>(std::bit_cast<std::uint32_t>(x));
          else
            for (const std::int32_t x : view.i32()) sum += x;
        } catch (const Error&) {
        }
      }
      ++read;
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::usage);
      ++refused;
    }
  };
  const std::string_view favourites = "\"0123456789-,:[]{}eE.\\\xff";
  for (std::size_t i = 0; i < whole.size(); ++i) {
    for (int change = 0; change < 4; ++change) {
      std::string bytes = whole;
      bytes[i] = change == 0 ? static_cast<char>(random.below(256)) : favourites[random.below(favourites.size())];
      if (change == 3) bytes[random.below(bytes.size())] = favourites[random.below(favourites.size())];
      open(bytes);
    }
    open(whole.substr(0, i));
  }
  CHECK(refused > 500);
  CHECK(read > 50);
  CHECK(sum != 0);
}
