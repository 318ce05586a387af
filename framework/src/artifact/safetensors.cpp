#include "khost/safetensors.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <set>
#include <string_view>

#include "artifact/file.hpp"
#include "khost/error.hpp"
#include "khost/json.hpp"

namespace khost {

static_assert(std::endian::native == std::endian::little, "safetensors data is little-endian and mapped as it is");

namespace {

constexpr std::uint64_t kLengthBytes = 8;
constexpr std::uint64_t kLargestHeader = 100'000'000;  // of the format's own definition

struct NamedSize {
  std::string_view name;
  std::uint64_t bytes;
};
constexpr std::array<NamedSize, 15> kDTypes{{{"F64", 8},
                                             {"F32", 4},
                                             {"F16", 2},
                                             {"BF16", 2},
                                             {"F8_E4M3", 1},
                                             {"F8_E5M2", 1},
                                             {"I64", 8},
                                             {"I32", 4},
                                             {"I16", 2},
                                             {"I8", 1},
                                             {"U64", 8},
                                             {"U32", 4},
                                             {"U16", 2},
                                             {"U8", 1},
                                             {"BOOL", 1}}};

const char* dtype_name(DType dtype) { return dtype == DType::f32 ? "F32" : "I32"; }

[[noreturn]] void refuse(const std::string& path, const std::string& why) {
  throw Error(ErrorKind::usage, "safetensors file '" + path + "': " + why);
}

[[noreturn]] void refuse(const std::string& path, std::string_view tensor, const std::string& why) {
  refuse(path, "tensor '" + std::string(tensor) + "': " + why);
}

// One tensor's entry in the header, judged against itself.
struct Entry {
  std::string name, dtype;
  Shape shape;
  std::uint64_t begin = 0, end = 0;  // bytes from the start of the data
};

const Json& member(const std::string& path, const std::string& tensor, const Json& entry, const char* key) {
  const Json* found = entry.find(key);
  if (!found) refuse(path, tensor, "has no \"" + std::string(key) + "\"");
  return *found;
}

Entry read_entry(const std::string& path, const std::string& name, const Json& json) {
  Entry entry;
  entry.name = name;
  if (!json.is_object()) refuse(path, name, "its entry is not an object (" + std::string(json.type_name()) + ")");

  const Json& dtype = member(path, name, json, "dtype");
  if (!dtype.is_string()) refuse(path, name, "\"dtype\" is not a string");
  entry.dtype = dtype.as_string();
  const auto known = std::find_if(kDTypes.begin(), kDTypes.end(), [&](const NamedSize& d) { return d.name == entry.dtype; });
  if (known == kDTypes.end()) refuse(path, name, "unknown dtype '" + entry.dtype + "'");

  const Json& shape = member(path, name, json, "shape");
  if (!shape.is_list()) refuse(path, name, "\"shape\" is not a list");
  constexpr std::uint64_t most = std::numeric_limits<std::int64_t>::max();
  std::uint64_t bytes = known->bytes;
  bool overflow = false, empty = false;
  for (const Json& size : shape.as_list()) {
    if (!size.is_integer() || size.as_integer() < 0) refuse(path, name, "shape " + shape.text() + " is not a list of sizes");
    const auto n = static_cast<std::uint64_t>(size.as_integer());
    entry.shape.push_back(size.as_integer());
    if (n == 0)
      empty = true;
    else if (bytes > most / n)
      overflow = true;
    else
      bytes *= n;
  }
  // Also with a size of 0 in it: whoever multiplies the others must not overflow.
  if (overflow) refuse(path, name, "shape " + text_of(entry.shape) + " overflows");
  if (empty) bytes = 0;

  const Json& offsets = member(path, name, json, "data_offsets");
  const auto offset_at = [&](std::size_t i) {
    const Json& offset = offsets.as_list()[i];
    if (!offset.is_integer() || offset.as_integer() < 0) {
      refuse(path, name, "\"data_offsets\" " + offsets.text() + " is not two byte positions");
    }
    return static_cast<std::uint64_t>(offset.as_integer());
  };
  if (!offsets.is_list() || offsets.as_list().size() != 2) {
    refuse(path, name, "\"data_offsets\" " + offsets.text() + " is not two byte positions");
  }
  entry.begin = offset_at(0);
  entry.end = offset_at(1);
  if (entry.begin > entry.end) refuse(path, name, "\"data_offsets\" " + offsets.text() + " end before they begin");
  if (entry.end - entry.begin != bytes) {
    refuse(path, name,
           entry.dtype + " " + text_of(entry.shape) + " takes " + std::to_string(bytes) + " bytes, but its offsets span " +
               std::to_string(entry.end - entry.begin));
  }
  return entry;
}

// Every byte of the data belongs to exactly one tensor.
void check_cover(const std::string& path, const std::vector<Entry>& entries, std::uint64_t data_bytes) {
  std::vector<const Entry*> order;
  for (const Entry& e : entries) order.push_back(&e);
  std::stable_sort(order.begin(), order.end(),
                   [](const Entry* a, const Entry* b) { return std::pair(a->begin, a->end) < std::pair(b->begin, b->end); });
  std::uint64_t at = 0;
  std::string_view before;
  for (const Entry* e : order) {
    if (e->end > data_bytes) {
      refuse(path, e->name,
             "reaches to byte " + std::to_string(e->end) + " of the data, but the file has " + std::to_string(data_bytes) +
                 ": it is truncated or lies about its offsets");
    }
    if (e->begin < at) refuse(path, e->name, "overlaps tensor '" + std::string(before) + "'");
    if (e->begin > at) refuse(path, e->name, "leaves a gap of " + std::to_string(e->begin - at) + " bytes before it");
    at = e->end;
    before = e->name;
  }
  if (at != data_bytes) refuse(path, std::to_string(data_bytes - at) + " bytes after the last tensor belong to none");
}

Json read_header(const std::string& path, std::string_view text) {
  try {
    return parse_json(text, path);
  } catch (const Error& error) {
    refuse(path, "its header is not the JSON it should be: " + error.message());
  }
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
    if (!seen.insert(a.name).second) refuse(path, a.name, "the name cannot be written: it is taken");
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
  text.resize((text.size() + 7) / 8 * 8, ' ');  // the data starts at a multiple of 8

  NewFile file(path);
  const std::uint64_t length = text.size();
  file.write(&length, sizeof length);
  file.write(text.data(), text.size());
  for (const NamedArray& a : arrays) file.write(a.array.data, static_cast<std::size_t>(4 * a.array.size()));
  file.keep();
}

struct SafetensorsFile::Impl {
  std::string path;
  void* map = MAP_FAILED;
  std::size_t bytes = 0;
  std::vector<Entry> entries;
  std::map<std::string, std::size_t, std::less<>> index;
  std::map<std::string, std::string> metadata;
  const char* data = nullptr;                                 // of the first tensor
  std::map<std::size_t, std::vector<std::uint32_t>> aligned;  // copies of tensors that do not start at a multiple of 4

  ~Impl() {
    if (map != MAP_FAILED) ::munmap(map, bytes);
  }

  void map_file() {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // a pipe would wait for its writer
    if (file < 0) throw_file_error("open safetensors file", path);
    struct Close {
      int file;
      ~Close() { ::close(file); }
    } close{file};
    struct stat status {};
    if (::fstat(file, &status) != 0) throw_file_error("open safetensors file", path);
    if (!S_ISREG(status.st_mode)) refuse(path, "not a regular file");
    bytes = static_cast<std::size_t>(status.st_size);
    if (bytes < kLengthBytes) refuse(path, "it has " + std::to_string(bytes) + " bytes; the length of its header alone takes 8");
    map = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, file, 0);
    if (map == MAP_FAILED) throw_file_error("map safetensors file", path);
  }

  void read() {
    const char* start = static_cast<const char*>(map);
    std::uint64_t length = 0;
    std::memcpy(&length, start, sizeof length);
    if (length > bytes - kLengthBytes) {
      refuse(path, "its header of " + std::to_string(length) + " bytes does not fit into a file of " + std::to_string(bytes) +
                       " bytes: it is truncated, or not a safetensors file");
    }
    if (length > kLargestHeader) refuse(path, "its header has " + std::to_string(length) + " bytes; the format allows 100000000");
    const Json header = read_header(path, {start + kLengthBytes, length});
    if (!header.is_object()) refuse(path, "its header is not an object (" + std::string(header.type_name()) + ")");
    for (const JsonMember& m : header.as_object()) {
      if (m.key == "__metadata__")
        read_metadata(m.value);
      else if (!index.emplace(m.key, entries.size()).second)
        refuse(path, m.key, "occurs twice");
      else
        entries.push_back(read_entry(path, m.key, m.value));
    }
    check_cover(path, entries, bytes - kLengthBytes - length);
    data = start + kLengthBytes + length;
    copy_misaligned();
  }

  void read_metadata(const Json& json) {
    if (!json.is_object()) refuse(path, "\"__metadata__\" is not an object");
    for (const JsonMember& m : json.as_object()) {
      if (!m.value.is_string()) refuse(path, "\"__metadata__\": '" + m.key + "' is not a string");
      metadata.emplace(m.key, m.value.as_string());
    }
  }

  // Other writers need not pad their header, and a tensor may follow one of odd size.
  void copy_misaligned() {
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const Entry& e = entries[i];
      if (!viewable(e) || reinterpret_cast<std::uintptr_t>(data + e.begin) % 4 == 0) continue;
      std::vector<std::uint32_t>& copy = aligned[i];
      copy.resize((e.end - e.begin) / 4);
      if (!copy.empty()) std::memcpy(copy.data(), data + e.begin, e.end - e.begin);
    }
  }

  static std::optional<DType> viewable(const Entry& e) {
    if (e.dtype == "F32") return DType::f32;
    if (e.dtype == "I32") return DType::i32;
    return std::nullopt;
  }

  std::size_t find(const std::string& name) const {
    const auto found = index.find(name);
    if (found != index.end()) return found->second;
    std::vector<std::string_view> known;
    for (const Entry& e : entries) known.push_back(e.name);
    Error error(ErrorKind::usage, "safetensors file '" + path + "': has no tensor '" + name + "'");
    std::string near = did_you_mean(name, known);
    if (near.empty()) {
      near = "it has " + std::to_string(known.size()) + " tensors";
      for (std::size_t i = 0; i < std::min<std::size_t>(known.size(), 8); ++i)
        near += (i ? ", '" : ": '") + std::string(known[i]) + "'";
      if (known.size() > 8) near += ", ...";
    }
    throw error.hint(near);
  }
};

SafetensorsFile::SafetensorsFile(const std::string& path) : impl_(std::make_unique<Impl>()) {
  impl_->path = path;
  impl_->map_file();
  impl_->read();
}

SafetensorsFile::~SafetensorsFile() = default;

const std::string& SafetensorsFile::path() const { return impl_->path; }
const std::map<std::string, std::string>& SafetensorsFile::metadata() const { return impl_->metadata; }
bool SafetensorsFile::has(const std::string& name) const { return impl_->index.contains(name); }

std::vector<std::string> SafetensorsFile::names() const {
  std::vector<std::string> names;
  for (const Entry& e : impl_->entries) names.push_back(e.name);
  return names;
}

ArrayView SafetensorsFile::get(const std::string& name) const {
  const std::size_t i = impl_->find(name);
  const Entry& e = impl_->entries[i];
  const auto dtype = Impl::viewable(e);
  if (!dtype) refuse(impl_->path, name, "has dtype " + e.dtype + "; khost reads F32 and I32");
  const auto copy = impl_->aligned.find(i);
  const void* data = copy != impl_->aligned.end() ? static_cast<const void*>(copy->second.data()) : impl_->data + e.begin;
  return {*dtype, data, e.shape};
}

ArrayView SafetensorsFile::get(const std::string& name, const Shape& expected) const {
  const ArrayView view = get(name);
  if (view.shape != expected) {
    refuse(impl_->path, name, "has shape " + text_of(view.shape) + ", expected " + text_of(expected));
  }
  return view;
}

}  // namespace khost
