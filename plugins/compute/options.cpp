#include "options.hpp"

#include <cstdint>
#include <cstring>

namespace khost::blas {
namespace {

// One UTF-16 unit or a whole character, as UTF-8.
void append_utf8(std::string& out, std::uint32_t code) {
  const auto byte = [&](std::uint32_t value) { out += static_cast<char>(value); };
  if (code < 0x80) {
    byte(code);
  } else if (code < 0x800) {
    byte(0xc0 | code >> 6), byte(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    byte(0xe0 | code >> 12), byte(0x80 | (code >> 6 & 0x3f)), byte(0x80 | (code & 0x3f));
  } else {
    byte(0xf0 | code >> 18), byte(0x80 | (code >> 12 & 0x3f)), byte(0x80 | (code >> 6 & 0x3f)), byte(0x80 | (code & 0x3f));
  }
}

// From the opening quote; leaves `p` behind the closing one.
std::string read_string(const char*& p) {
  const auto unit = [&] {
    std::uint32_t code = 0;
    for (int i = 0; i < 4 && p[1]; ++i) {
      const char c = *++p;
      code = code << 4 | static_cast<std::uint32_t>(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
    }
    return code;
  };
  std::string out;
  for (++p; *p && *p != '"'; ++p) {
    if (*p != '\\') {
      out += *p;
      continue;
    }
    ++p;
    if (*p == 'u') {
      std::uint32_t code = unit();
      if (code >= 0xd800 && code < 0xdc00 && p[1] == '\\' && p[2] == 'u') {
        p += 2;
        code = 0x10000 + ((code - 0xd800) << 10) + (unit() - 0xdc00);
      }
      append_utf8(out, code);
    } else if (*p) {
      static constexpr const char* names = "bfnrt";
      static constexpr const char* values = "\b\f\n\r\t";
      const char* escape = std::strchr(names, *p);
      out += escape ? values[escape - names] : *p;
    } else {
      break;
    }
  }
  if (*p) ++p;
  return out;
}

}  // namespace

std::string string_of(const char* json, const char* key) {
  bool wanted = false;
  for (const char* p = json; *p;) {
    if (*p == ',') wanted = false;
    if (*p != '"') {
      ++p;
      continue;
    }
    std::string text = read_string(p);
    if (wanted) return text;
    while (*p == ' ') ++p;
    wanted = *p == ':' && text == key;
  }
  return "";
}

}  // namespace khost::blas
