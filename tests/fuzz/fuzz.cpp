#include "fuzz.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "core/shown.hpp"
#include "khost/utf8.hpp"

namespace khost::fuzz {

void fail(const char* what, std::string_view detail) {
  std::fprintf(stderr, "does not hold: %s\n%s\n", what, printable(shortened(detail, 4000)).c_str());
  std::abort();
}

void hold_printable(std::string_view text) {
  for (std::string_view rest = text; !rest.empty();) {
    const Character c = first_character(rest);
    hold(c.bytes > 0, "a message is UTF-8", text);
    hold(c.code == '\n' || c.code == '\t' || !acts_on_a_screen(c.code), "a message has no control characters", text);
    rest.remove_prefix(c.bytes);
  }
}

void hold_message(const Error& error, bool place) {
  const std::string_view text = error.what();
  hold(text.size() < 20'000, "a message is a few screens long at most", text);
  hold(!error.message().empty(), "a message says something");
  if (place) hold(error.place().known(), "a message has a place", text);
  hold_printable(text);
}

MemoryFile::MemoryFile(std::string_view bytes) : file_(::memfd_create("fuzz", MFD_CLOEXEC)) {
  hold(file_ >= 0, "a file in memory can be made");
  while (!bytes.empty()) {
    const ssize_t done = ::write(file_, bytes.data(), bytes.size());
    hold(done > 0, "a file in memory can be written");
    bytes.remove_prefix(static_cast<std::size_t>(done));
  }
}
MemoryFile::~MemoryFile() { ::close(file_); }
std::string MemoryFile::path() const { return "/proc/self/fd/" + std::to_string(file_); }

std::string_view take(std::string_view& text, std::string_view mark) {
  const std::size_t end = std::min(text.find(mark), text.size());
  const std::string_view taken = text.substr(0, end);
  text.remove_prefix(std::min(end + mark.size(), text.size()));
  return taken;
}

}  // namespace khost::fuzz
