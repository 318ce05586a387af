#include "khost/safetensors.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <optional>
#include <set>
#include <string_view>
#include <unordered_map>

#include "artifact/file.hpp"
#include "artifact/safetensors_header.hpp"
#include "artifact/whole_file.hpp"
#include "core/shown.hpp"
#include "khost/error.hpp"
#include "khost/hash.hpp"
#include "khost/json.hpp"

namespace khost {

static_assert(std::endian::native == std::endian::little, "safetensors data is little-endian and viewed as it is");

namespace {

const char* dtype_name(DType dtype) { return dtype == DType::f32 ? "F32" : "I32"; }

// Exactly: every half precision number is a single precision one.
float from_f16(std::uint16_t half) {
  const std::uint32_t sign = std::uint32_t{half} >> 15 << 31, exponent = half >> 10 & 31, fraction = half & 1023;
  if (exponent == 0) {  // zero or subnormal: fraction x 2^-24
    const float size = std::ldexp(static_cast<float>(fraction), -24);
    return sign ? -size : size;
  }
  const std::uint32_t wide = exponent == 31 ? 255 : exponent + 127 - 15;  // infinity and NaN stay what they are
  return std::bit_cast<float>(sign | wide << 23 | fraction << 13);
}

float from_bf16(std::uint16_t half) { return std::bit_cast<float>(std::uint32_t{half} << 16); }

// What khost can show of a dtype, and as what.
std::optional<DType> viewable(const TensorEntry& e) {
  if (e.dtype == "F32" || e.dtype == "F16" || e.dtype == "BF16") return DType::f32;
  if (e.dtype == "I32") return DType::i32;
  return std::nullopt;
}

bool is_half(const TensorEntry& e) { return e.dtype == "F16" || e.dtype == "BF16"; }

const char* mend_of(std::string_view dtype) {
  if (dtype == "F64" || dtype.starts_with("F8")) return "convert it in Python before it is saved: tensor.float()";
  if (dtype.starts_with("F4") || dtype.starts_with("F6")) return "it belongs to a quantised model: take the unquantised one";
  if (dtype == "C64") return "save its real and imaginary parts as two tensors";
  return "convert it in Python before it is saved: tensor.int() for indices, tensor.float() for weights";
}

}  // namespace

void write_safetensors(const std::string& path, std::span<const NamedArray> arrays,
                       const std::map<std::string, std::string>& metadata) {
  Json header{Json::Object{}};
  if (!metadata.empty()) {
    Json object{Json::Object{}};
    for (const auto& [key, value] : metadata) object.set(key, value);
    header.set("__metadata__", std::move(object));
  }
  std::set<std::string_view> seen{"__metadata__"};
  std::int64_t at = 0;
  for (const NamedArray& a : arrays) {
    if (!seen.insert(a.name).second) refuse_tensor(path, a.name, "the name cannot be written: it is taken");
    const std::int64_t end = at + 4 * a.array.size();  // both dtypes have 4 bytes
    Json::List shape(a.array.shape.begin(), a.array.shape.end());
    Json entry{Json::Object{}};
    entry.set("dtype", dtype_name(a.array.dtype));
    entry.set("shape", std::move(shape));
    entry.set("data_offsets", Json::List{Json(at), Json(end)});
    header.as_object().push_back({a.name, std::move(entry), {}});
    at = end;
  }
  std::string text = header.text();
  // The data starts at a multiple of 64 bytes, as a Tensor's: such a file can be mapped, and used as it is.
  text.resize((sizeof(std::uint64_t) + text.size() + 63) / 64 * 64 - sizeof(std::uint64_t), ' ');

  NewFile file(path);
  const std::uint64_t length = text.size();
  file.write(&length, sizeof length);
  file.write(text.data(), text.size());
  for (const NamedArray& a : arrays) file.write(a.array.data, static_cast<std::size_t>(4 * a.array.size()));
  file.keep();
}

struct SafetensorsFile::Impl {
  std::string path;
  WholeFile file;
  SafetensorsHeader header;
  std::unordered_map<std::string_view, std::size_t> index;  // of the entries by name
  // Copies, made when they are asked for, of tensors that do not start at a multiple of 4 and of those of another dtype.
  std::mutex mutex;
  std::map<std::size_t, std::vector<std::uint32_t>> copies;

  void read(Hold hold) {
    std::error_code ignored;
    if (std::filesystem::is_directory(path, ignored)) refuse_folder();
    file = hold == Hold::mapped ? map_whole_file(path, "safetensors file") : read_whole_file(path, "safetensors file");
    header = read_safetensors_header(path, file.text());
    index.reserve(header.entries.size());
    for (std::size_t i = 0; i < header.entries.size(); ++i) index.emplace(header.entries[i].name, i);
  }

  // A checkpoint's folder is named easily in place of a file in it.
  [[noreturn]] void refuse_folder() const {
    std::vector<std::string> files;
    std::error_code failed;
    for (std::filesystem::directory_iterator at(path, failed), end; !failed && at != end; at.increment(failed))
      if (at->path().extension() == ".safetensors") files.push_back(at->path().filename().string());
    std::sort(files.begin(), files.end());
    Error error(ErrorKind::usage, "safetensors file '" + path + "': it is a folder, not a regular file");
    if (files.empty()) throw error.hint("it holds no .safetensors file");
    if (files.size() == 1) throw error.hint("name the file in it: " + files.front());
    throw error.hint("it holds " + std::to_string(files.size()) + " .safetensors files: " + files.front() + " to " + files.back())
        .hint("khost reads one file: load the checkpoint with Python and save it as one, with max_shard_size='100GB'");
  }

  const void* data_of(std::size_t i) {
    const TensorEntry& e = header.entries[i];
    const char* there = file.data.get() + header.data + e.begin;
    const bool half = is_half(e);
    if (!half && reinterpret_cast<std::uintptr_t>(there) % 4 == 0) return there;
    const std::lock_guard lock(mutex);
    const auto [found, is_new] = copies.try_emplace(i);
    std::vector<std::uint32_t>& copy = found->second;
    if (is_new && e.end > e.begin) {
      copy.resize((e.end - e.begin) / (half ? 2 : 4));
      if (half)
        widen(there, e.dtype == "F16" ? from_f16 : from_bf16, copy);
      else
        std::memcpy(copy.data(), there, e.end - e.begin);
    }
    return copy.data();
  }

  static void widen(const char* from, float (*each)(std::uint16_t), std::vector<std::uint32_t>& to) {
    for (std::uint32_t& value : to) {
      std::uint16_t half = 0;
      std::memcpy(&half, from, sizeof half);
      value = std::bit_cast<std::uint32_t>(each(half));
      from += sizeof half;
    }
  }

  std::size_t find(const std::string& name) const {
    const auto found = index.find(name);
    if (found != index.end()) return found->second;
    std::vector<std::string_view> known;
    for (const TensorEntry& e : header.entries) known.push_back(e.name);
    Error error(ErrorKind::usage, "safetensors file '" + path + "': has no tensor '" + shortened(name) + "'");
    std::string near = did_you_mean(name, known);
    if (near.empty()) {
      near = "it has " + std::to_string(known.size()) + " tensors";
      for (std::size_t i = 0; i < std::min<std::size_t>(known.size(), 8); ++i)
        near += (i ? ", '" : ": '") + shortened(known[i]) + "'";
      if (known.size() > 8) near += ", ...";
    }
    throw error.hint(near);
  }
};

SafetensorsFile::SafetensorsFile(const std::string& path, Hold hold) : impl_(std::make_unique<Impl>()) {
  impl_->path = path;
  impl_->read(hold);
}

SafetensorsFile::~SafetensorsFile() = default;

const std::string& SafetensorsFile::path() const { return impl_->path; }
std::string SafetensorsFile::content_hash() const { return sha256(impl_->file.text()); }
const std::map<std::string, std::string>& SafetensorsFile::metadata() const { return impl_->header.metadata; }
bool SafetensorsFile::has(const std::string& name) const { return impl_->index.contains(name); }

std::vector<std::string> SafetensorsFile::names() const {
  std::vector<std::string> names;
  for (const TensorEntry& e : impl_->header.entries) names.push_back(e.name);
  return names;
}

ArrayView SafetensorsFile::get(const std::string& name) const {
  const std::size_t i = impl_->find(name);
  const TensorEntry& e = impl_->header.entries[i];
  const auto dtype = viewable(e);
  if (!dtype)
    throw Error(ErrorKind::usage, "safetensors file '" + impl_->path + "': tensor '" + shortened(name) + "': has dtype " +
                                      e.dtype + "; khost reads F32, F16, BF16 and I32")
        .hint(mend_of(e.dtype));
  return {*dtype, impl_->data_of(i), e.shape};
}

ArrayView SafetensorsFile::get(const std::string& name, const Shape& expected) const {
  const ArrayView view = get(name);
  if (view.shape != expected) {
    refuse_tensor(impl_->path, name, "has shape " + text_of(view.shape) + ", expected " + text_of(expected));
  }
  return view;
}

}  // namespace khost
