#include "artifact/safetensors_header.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include "core/shown.hpp"
#include "khost/error.hpp"
#include "khost/json.hpp"

namespace khost {
namespace {

constexpr std::uint64_t kLengthBytes = 8;
constexpr std::uint64_t kLargestHeader = 100'000'000;  // of the format's own definition

struct NamedSize {
  std::string_view name;
  std::uint64_t bits;
};
constexpr std::array<NamedSize, 22> kDTypes{
    {{"F64", 64},        {"F32", 32},        {"F16", 16},    {"BF16", 16},   {"F8_E4M3", 8}, {"F8_E5M2", 8},
     {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"F8_E8M0", 8}, {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"F4", 4},
     {"C64", 64},        {"I64", 64},        {"I32", 32},    {"I16", 16},    {"I8", 8},      {"U64", 64},
     {"U32", 32},        {"U16", 16},        {"U8", 8},      {"BOOL", 8}}};

const Json& member(const std::string& path, const std::string& tensor, const Json& entry, const char* key) {
  const Json* found = entry.find(key);
  if (!found) refuse_tensor(path, tensor, "has no \"" + std::string(key) + "\"");
  return *found;
}

// Its size in bytes by shape and dtype.
std::uint64_t read_shape(const std::string& path, TensorEntry& entry, const Json& shape, std::uint64_t bits) {
  if (!shape.is_list()) refuse_tensor(path, entry.name, "\"shape\" is not a list");
  constexpr std::uint64_t most = std::numeric_limits<std::int64_t>::max();
  std::uint64_t total = bits;
  bool overflow = false, empty = false;
  for (const Json& size : shape.as_list()) {
    if (!size.is_integer() || size.as_integer() < 0)
      refuse_tensor(path, entry.name, "shape " + shortened(shape.text()) + " is not a list of sizes");
    const auto n = static_cast<std::uint64_t>(size.as_integer());
    entry.shape.push_back(size.as_integer());
    if (n == 0)
      empty = true;
    else if (total > most / n)
      overflow = true;
    else
      total *= n;
  }
  // Also with a size of 0 in it: whoever multiplies the others must not overflow.
  if (overflow) refuse_tensor(path, entry.name, "shape " + shortened(text_of(entry.shape)) + " overflows");
  if (empty) return 0;
  if (total % 8)
    refuse_tensor(path, entry.name, entry.dtype + " " + shortened(text_of(entry.shape)) + " is no whole number of bytes");
  return total / 8;
}

TensorEntry read_entry(const std::string& path, const std::string& name, const Json& json) {
  TensorEntry entry;
  entry.name = name;
  if (!json.is_object()) refuse_tensor(path, name, "its entry is not an object (" + std::string(json.type_name()) + ")");

  const Json& dtype = member(path, name, json, "dtype");
  if (!dtype.is_string()) refuse_tensor(path, name, "\"dtype\" is not a string");
  entry.dtype = dtype.as_string();
  const auto* known = std::find_if(kDTypes.begin(), kDTypes.end(), [&](const NamedSize& d) { return d.name == entry.dtype; });
  if (known == kDTypes.end()) refuse_tensor(path, name, "unknown dtype '" + shortened(entry.dtype) + "'");
  const std::uint64_t bytes = read_shape(path, entry, member(path, name, json, "shape"), known->bits);

  const Json& offsets = member(path, name, json, "data_offsets");
  const auto offset_at = [&](std::size_t i) {
    const bool two = offsets.is_list() && offsets.as_list().size() == 2;
    if (!two || !offsets.as_list()[i].is_integer() || offsets.as_list()[i].as_integer() < 0)
      refuse_tensor(path, name, "\"data_offsets\" " + shortened(offsets.text()) + " is not two byte positions");
    return static_cast<std::uint64_t>(offsets.as_list()[i].as_integer());
  };
  entry.begin = offset_at(0);
  entry.end = offset_at(1);
  if (entry.begin > entry.end) refuse_tensor(path, name, "\"data_offsets\" " + offsets.text() + " end before they begin");
  if (entry.end - entry.begin != bytes)
    refuse_tensor(path, name,
                  entry.dtype + " " + shortened(text_of(entry.shape)) + " takes " + std::to_string(bytes) +
                      " bytes, but its offsets span " + std::to_string(entry.end - entry.begin));
  return entry;
}

// Every byte of the data belongs to exactly one tensor.
void check_cover(const std::string& path, const std::vector<TensorEntry>& entries, std::uint64_t data_bytes) {
  std::vector<const TensorEntry*> order;
  order.reserve(entries.size());
  for (const TensorEntry& e : entries) order.push_back(&e);
  std::stable_sort(order.begin(), order.end(), [](const TensorEntry* a, const TensorEntry* b) {
    return std::pair(a->begin, a->end) < std::pair(b->begin, b->end);
  });
  std::uint64_t at = 0;
  std::string_view before;
  for (const TensorEntry* e : order) {
    if (e->end > data_bytes)
      refuse_tensor(path, e->name,
                    "reaches to byte " + std::to_string(e->end) + " of the data, but the file has " + std::to_string(data_bytes) +
                        ": it is truncated or lies about its offsets");
    if (e->begin < at) refuse_tensor(path, e->name, "overlaps tensor '" + shortened(before) + "'");
    if (e->begin > at) refuse_tensor(path, e->name, "leaves a gap of " + std::to_string(e->begin - at) + " bytes before it");
    at = e->end;
    before = e->name;
  }
  if (at != data_bytes) refuse_safetensors(path, std::to_string(data_bytes - at) + " bytes after the last tensor belong to none");
}

std::map<std::string, std::string> read_metadata(const Json& json) {
  std::map<std::string, std::string> metadata;
  if (!json.is_object()) return metadata;
  for (const JsonMember& m : json.as_object())
    if (!m.value.is_null()) metadata.emplace(m.key, m.value.is_string() ? m.value.as_string() : m.value.text());
  return metadata;
}

// Values get no place with the file's name: a header has millions of them.
Json parse_header(const std::string& path, std::string_view text) {
  try {
    return parse_json(text, "");
  } catch (const Error& error) {
    refuse_safetensors(path, "its header is not the JSON it should be: at its character " + std::to_string(error.place().column) +
                                 (error.place().line > 1 ? " of line " + std::to_string(error.place().line) : "") + ", " +
                                 error.message());
  }
}

[[noreturn]] void refuse_as_a_whole(const std::string& path, std::string_view bytes, const std::string& why) {
  const OtherFormat other = other_format(bytes);
  if (other.what.empty()) refuse_safetensors(path, why);
  throw Error(ErrorKind::usage, "safetensors file '" + path + "': it is " + other.what).hint(other.mend);
}

}  // namespace

void refuse_safetensors(const std::string& path, const std::string& why) {
  throw Error(ErrorKind::usage, "safetensors file '" + path + "': " + why);
}

void refuse_tensor(const std::string& path, std::string_view tensor, const std::string& why) {
  refuse_safetensors(path, "tensor '" + shortened(tensor) + "': " + why);
}

SafetensorsHeader read_safetensors_header(const std::string& path, std::string_view bytes) {
  if (bytes.size() < kLengthBytes)
    refuse_as_a_whole(path, bytes, "it has " + std::to_string(bytes.size()) + " bytes; the length of its header alone takes 8");
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof length);
  if (length > bytes.size() - kLengthBytes)
    refuse_as_a_whole(path, bytes,
                      "its header of " + std::to_string(length) + " bytes does not fit into a file of " +
                          std::to_string(bytes.size()) + " bytes: it is truncated, or not a safetensors file");
  if (length > kLargestHeader)
    refuse_as_a_whole(path, bytes, "its header has " + std::to_string(length) + " bytes; the format allows 100000000");
  if (!other_format(bytes).what.empty()) refuse_as_a_whole(path, bytes, "");
  const Json json = parse_header(path, bytes.substr(kLengthBytes, length));
  if (!json.is_object()) refuse_safetensors(path, "its header is not an object (" + std::string(json.type_name()) + ")");
  SafetensorsHeader header;
  header.data = kLengthBytes + length;
  header.entries.reserve(json.as_object().size());
  for (const JsonMember& m : json.as_object()) {
    if (m.key == "__metadata__")
      header.metadata = read_metadata(m.value);
    else
      header.entries.push_back(read_entry(path, m.key, m.value));
  }
  check_cover(path, header.entries, bytes.size() - header.data);
  return header;
}

}  // namespace khost
