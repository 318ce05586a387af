#include "core/shown.hpp"

#include <algorithm>
#include <array>

#include "khost/utf8.hpp"

namespace khost {
namespace {

struct Range {
  char32_t first, last;
};
// Besides the control characters: Arabic letter mark; marks, separators and turns of direction; isolates; the byte order mark;
// interlinear annotations; tags.
constexpr std::array<Range, 7> acting{{{0x61c, 0x61c},
                                       {0x200e, 0x200f},
                                       {0x2028, 0x202e},
                                       {0x2066, 0x2069},
                                       {0xfeff, 0xfeff},
                                       {0xfff9, 0xfffb},
                                       {0xe0000, 0xe007f}}};

void append_hex(std::string& out, const char* prefix, char32_t value, int digits) {
  out += prefix;
  for (int i = digits - 1; i >= 0; --i) out += "0123456789abcdef"[value >> (4 * i) & 15];
}

// "1048576" -> "1,048,576"
std::string with_commas(std::size_t count) {
  std::string digits = std::to_string(count);
  for (std::size_t i = digits.size(); i > 3; i -= 3) digits.insert(i - 3, 1, ',');
  return digits;
}

// The last place at or before `at` where a character begins.
std::size_t boundary(std::string_view text, std::size_t at) {
  for (int back = 0; back < 3 && at > 0 && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80; ++back) --at;
  return at;
}

}  // namespace

bool acts_on_a_screen(char32_t code) {
  if (code < 0x20 || (code >= 0x7f && code < 0xa0)) return true;
  return code >= acting.front().first &&
         std::any_of(acting.begin(), acting.end(), [&](const Range& r) { return code >= r.first && code <= r.last; });
}

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Character c = first_character(text);
    if (c.bytes == 0)
      append_hex(out, "\\x", static_cast<unsigned char>(text[0]), 2);
    else if (c.code == '\n' || c.code == '\t' || !acts_on_a_screen(c.code))
      out += text.substr(0, c.bytes);
    else if (c.code < 0x80)
      append_hex(out, "\\x", c.code, 2);
    else if (c.code < 0x10000)
      append_hex(out, "\\u", c.code, 4);
    else
      append_hex(out, "\\U", c.code, 8);
    text.remove_prefix(std::max<std::size_t>(c.bytes, 1));
  }
  return out;
}

std::string shortened(std::string_view text, std::size_t most) {
  if (text.size() <= most) return std::string(text);
  const std::string note = " ... (" + with_commas(text.size()) + " bytes) ... ";
  const std::size_t kept = most - std::min(most, note.size());
  const std::size_t head = boundary(text, kept - kept / 3);
  std::size_t tail = text.size() - kept / 3;
  while (tail < text.size() && (static_cast<unsigned char>(text[tail]) & 0xc0) == 0x80) ++tail;
  return std::string(text.substr(0, head)).append(note).append(text.substr(tail));
}

}  // namespace khost
