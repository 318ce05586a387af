// What a safetensors file says of itself: 8 bytes little-endian length of a JSON header, the header, raw data.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "khost/tensor.hpp"

namespace khost {

struct TensorEntry {
  std::string name, dtype;
  Shape shape;
  std::uint64_t begin = 0, end = 0;  // bytes from the start of the data
};

struct SafetensorsHeader {
  std::vector<TensorEntry> entries;  // in the header's order
  // The format has strings there. Others write numbers, lists and null: what is no string is kept as its JSON text, null is left
  // out, and a "__metadata__" that is no object is as good as none: it describes the tensors, and does not spoil them.
  std::map<std::string, std::string> metadata;
  std::uint64_t data = 0;  // where the data begins in the file
};

// `bytes`: the whole file. Judges everything: the header's length, offsets inside the file and without overlap or gap, shape x
// dtype = bytes. Throws a usage Error that says what is wrong with which tensor, or what other kind of file it is and what to do.
SafetensorsHeader read_safetensors_header(const std::string& path, std::string_view bytes);

[[noreturn]] void refuse_safetensors(const std::string& path, const std::string& why);
[[noreturn]] void refuse_tensor(const std::string& path, std::string_view tensor, const std::string& why);

// What a file that begins so is instead, and what to do: {"a Git LFS pointer, not the tensors themselves", "git lfs pull"}; empty
// when it is nothing that is known.
struct OtherFormat {
  std::string what, mend;
};
OtherFormat other_format(std::string_view bytes);

}  // namespace khost
