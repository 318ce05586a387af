#include "khost/hash.hpp"

#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include "khost/error.hpp"
#include "khost/interrupt.hpp"

namespace khost {
namespace {

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
    check(context_ && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr));
  }

  void add(const void* data, std::size_t size) { check(EVP_DigestUpdate(context_.get(), data, size)); }

  std::string hex() {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    check(EVP_DigestFinal_ex(context_.get(), digest, &size));
    std::string text;
    text.reserve(2 * size);
    for (unsigned i = 0; i < size; ++i) {
      text += "0123456789abcdef"[digest[i] >> 4];
      text += "0123456789abcdef"[digest[i] & 15];
    }
    return text;
  }

 private:
  static void check(bool done) {
    if (!done) throw Error(ErrorKind::trial, "OpenSSL cannot compute a SHA-256 on this machine");
  }
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

}  // namespace

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
