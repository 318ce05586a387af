#include "khost/hash.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "artifact/sha256.hpp"
#include "khost/error.hpp"
#include "khost/interrupt.hpp"

namespace khost {
std::string sha256(std::string_view text) {
  Sha256 hash;
  hash.add(text.data(), text.size());
  return hash.hex();
}

std::string sha256_file(const std::string& path) {
  const auto fail = [&] { throw Error(ErrorKind::usage, "cannot read '" + path + "': " + std::strerror(errno)); };
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) fail();
  struct Close {
    int file;
    ~Close() { ::close(file); }
  } close{file};
  Sha256 hash;
  std::array<char, 1 << 16> buffer;
  for (;;) {
    check_interrupt();
    const ssize_t got = ::read(file, buffer.data(), buffer.size());
    if (got == 0) return hash.hex();
    if (got > 0)
      hash.add(buffer.data(), static_cast<std::size_t>(got));
    else if (errno != EINTR)
      fail();
  }
}

std::string short_hash(std::string_view text) { return sha256(text).substr(0, 16); }

}  // namespace khost
