// A file's bytes in memory: what is looked at, hashed and used is one content, whatever happens to the file meanwhile.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace khost {

struct WholeFile {
  std::unique_ptr<char[]> data;  // aligned for every type
  std::size_t size = 0;

  std::string_view text() const { return {data.get(), size}; }
};

// `what` names it in messages: "safetensors file". Throws a usage Error when it cannot be read, is no regular file (a pipe would
// wait for its writer), is larger than this machine's memory, or changes its size while it is read.
WholeFile read_whole_file(const std::string& path, std::string_view what);

}  // namespace khost
