// A file's bytes in memory: what is looked at, hashed and used is one content.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace khost {

struct WholeFile {
  std::shared_ptr<const char> data;  // starts at a multiple of 64
  std::size_t size = 0;

  std::string_view text() const { return {data.get(), size}; }
};

// Both: `what` names it in messages: "safetensors file". They throw a usage Error when it cannot be read, is no regular file (a
// pipe would wait for its writer), or is larger than this machine's memory.

// A copy: whatever happens to the file meanwhile. Throws too when it changes its size while it is read.
WholeFile read_whole_file(const std::string& path, std::string_view what);

// The file itself, in memory that all processes share that map it: for one that nobody writes to any more. Who shortens it ends
// whoever reads what is missing (SIGBUS).
WholeFile map_whole_file(const std::string& path, std::string_view what);

}  // namespace khost
