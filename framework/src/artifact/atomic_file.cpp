#include "artifact/atomic_file.hpp"

#include "artifact/file.hpp"

namespace khost {

void write_file_atomically(const std::string& path, std::string_view content) {
  NewFile file(path);
  file.write(content.data(), content.size());
  file.keep();
}

}  // namespace khost
