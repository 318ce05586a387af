// A safetensors file: refused, or every byte of its data is some tensor's and can be read.
#include "khost/safetensors.hpp"

#include <cstring>

#include "artifact/safetensors_header.hpp"
#include "fuzz.hpp"
#include "khost/json.hpp"

using namespace khost;
using namespace khost::fuzz;

namespace {

// The header again, as a writer would have it.
std::string written(const SafetensorsHeader& header, std::string_view bytes) {
  Json json{Json::Object{}};
  if (!header.metadata.empty()) {
    Json::Object metadata;
    for (const auto& [key, value] : header.metadata) metadata.push_back({key, value, {}});
    json.as_object().push_back({"__metadata__", Json(std::move(metadata)), {}});
  }
  for (const TensorEntry& e : header.entries) {
    Json entry{Json::Object{}};
    entry.set("dtype", e.dtype);
    entry.set("shape", Json::List(e.shape.begin(), e.shape.end()));
    entry.set("data_offsets", Json::List{Json(e.begin), Json(e.end)});
    json.as_object().push_back({e.name, std::move(entry), {}});
  }
  const std::string text = json.text();
  const std::uint64_t length = text.size();
  std::string out(sizeof length, '\0');
  std::memcpy(out.data(), &length, sizeof length);
  return out.append(text).append(bytes.substr(header.data));
}

void hold_same(const SafetensorsHeader& a, const SafetensorsHeader& b) {
  hold(a.metadata == b.metadata, "metadata reads back as the same");
  hold(a.entries.size() == b.entries.size(), "a written header has as many tensors");
  for (std::size_t i = 0; i < a.entries.size(); ++i) {
    const TensorEntry &x = a.entries[i], &y = b.entries[i];
    hold(x.name == y.name && x.dtype == y.dtype && x.shape == y.shape && x.begin == y.begin && x.end == y.end,
         "a written entry reads back as the same", x.name);
  }
}

void hold_data(std::string_view bytes, const SafetensorsHeader& header) {
  const MemoryFile file(bytes);
  const SafetensorsFile opened(file.path());
  hold(opened.names().size() == header.entries.size(), "the file has the header's tensors");
  volatile double sum = 0;
  std::uint64_t covered = 0;
  for (const TensorEntry& e : header.entries) {
    covered += e.end - e.begin;
    try {
      const ArrayView view = opened.get(e.name);
      hold(view.shape == e.shape, "a view has the header's shape", e.name);
      if (view.dtype == DType::f32)
        for (const float x : view.f32()) sum = sum + static_cast<double>(x);
      else
        for (const std::int32_t x : view.i32()) sum = sum + x;
    } catch (const Error& error) {
      hold_message(error, false);
      hold(e.dtype != "F32" && e.dtype != "I32" && e.dtype != "F16" && e.dtype != "BF16", "khost reads this dtype", error.what());
    }
  }
  hold(covered == bytes.size() - header.data, "each byte of the data is one tensor's");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes = text_of(data, size);
  try {
    const SafetensorsHeader header = read_safetensors_header("f.safetensors", bytes);
    hold_same(read_safetensors_header("written", written(header, bytes)), header);
    hold_data(bytes, header);
  } catch (const Error& error) {
    hold_message(error, false);
    hold(error.kind() == ErrorKind::usage, "a wrong file is a usage error", error.what());
    hold(error.message().starts_with("safetensors file '"), "the message names the file", error.what());
  }
  return 0;
}
