// The safetensors format: 8 bytes little-endian header length, a JSON header, raw little-endian data.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "khost/tensor.hpp"

namespace khost {

// Writes to a temporary name beside `path` and renames. Tensors in the given order; metadata goes under "__metadata__". Throws a
// usage Error when the file cannot be written (a full disk) or a name occurs twice. From any thread; of two that write one path
// at once one file stays, whole.
void write_safetensors(const std::string& path, std::span<const NamedArray> arrays,
                       const std::map<std::string, std::string>& metadata = {});

// A file in memory: the views live as long as it does. Opening
// checks everything: length of the header, offsets inside the file and without overlap or gap, shape x dtype = bytes. Throws a
// usage Error that says what is wrong with which tensor, or what else the file is (a Git LFS pointer, an index, a pickle) and
// what to do. Viewable are F32, I32, and F16 and BF16, as f32 (which holds each of their values); other dtypes are refused by
// name when they are asked for. After it is made, all is from any
// thread, several at once; references are valid as long as it lives.
class SafetensorsFile {
 public:
  // How it is in memory. What becomes of the file of a copy does not matter; one that is mapped, and shared by all processes that
  // map it, must not change.
  enum class Hold { copied, mapped };
  explicit SafetensorsFile(const std::string& path, Hold hold = Hold::copied);
  ~SafetensorsFile();
  SafetensorsFile(const SafetensorsFile&) = delete;
  SafetensorsFile& operator=(const SafetensorsFile&) = delete;

  const std::string& path() const;
  std::string content_hash() const;        // SHA-256 of the bytes that the views are of, computed at each call
  std::vector<std::string> names() const;  // in file order
  bool has(const std::string& name) const;
  ArrayView get(const std::string& name) const;                         // throws a usage Error listing near names
  ArrayView get(const std::string& name, const Shape& expected) const;  // throws when the shape differs, with both
  // Its "__metadata__": what is no string there is kept as its JSON text, null is left out; {} where it is no object.
  const std::map<std::string, std::string>& metadata() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace khost
