// What the fuzz targets share. A target is a function over any bytes; built for libFuzzer in the preset `fuzz`, and everywhere
// else with replay.cpp, which gives it the inputs under regression/.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "khost/error.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace khost::fuzz {

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// Ends the process, which is what a fuzzer looks for, with what does not hold.
[[noreturn]] void fail(const char* what, std::string_view detail);
inline void hold(bool property, const char* what, std::string_view detail = "") {
  if (!property) fail(what, detail);
}

// Of every message: no control characters but line breaks and tabs, UTF-8, no more than a few screens. With `place`: it says
// where.
void hold_message(const Error& error, bool place);
void hold_printable(std::string_view text);

// Bytes as a file, without a disk.
class MemoryFile {
 public:
  explicit MemoryFile(std::string_view bytes);
  ~MemoryFile();
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  std::string path() const;

 private:
  int file_;
};

// The text up to the next `mark`, which is taken off `text` with it.
std::string_view take(std::string_view& text, std::string_view mark);

}  // namespace khost::fuzz
