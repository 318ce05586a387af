#include "characters.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

namespace khost {
namespace {

struct Range {
  char32_t first, last;
};
template <std::size_t n>
bool is_in(const std::array<Range, n>& ranges, char32_t code) {
  return std::any_of(ranges.begin(), ranges.end(), [&](const Range& r) { return code >= r.first && code <= r.last; });
}

// Tried one by one with SentencePiece 0.1.97: left out are the controls, blanks become the others. U+2581 is the mark that it has
// for a blank itself, U+FFFD stands where a converter did not understand the text.
constexpr std::array<Range, 13> lost{{{0x01, 0x08},
                                      {0x0b, 0x0b},
                                      {0x0e, 0x1f},
                                      {0x7f, 0x7f},
                                      {0x8f, 0x8f},
                                      {0x9f, 0x9f},
                                      {0x1680, 0x1680},
                                      {0x200b, 0x200c},
                                      {0x200e, 0x200f},
                                      {0x2028, 0x2029},
                                      {0x2581, 0x2581},
                                      {0xfeff, 0xfeff},
                                      {0xfffd, 0xfffd}}};

// White_Space, Default_Ignorable_Code_Point and controls of Unicode, and the empty Braille pattern.
constexpr std::array<Range, 26> invisible{
    {{0x00, 0x20},     {0x7f, 0xa0},     {0xad, 0xad},     {0x34f, 0x34f},     {0x61c, 0x61c},     {0x115f, 0x1160},
     {0x1680, 0x1680}, {0x17b4, 0x17b5}, {0x180b, 0x180f}, {0x2000, 0x200f},   {0x2028, 0x202f},   {0x205f, 0x206f},
     {0x2581, 0x2581}, {0x2800, 0x2800}, {0x3000, 0x3000}, {0x3164, 0x3164},   {0xfe00, 0xfe0f},   {0xfeff, 0xfeff},
     {0xffa0, 0xffa0}, {0xfff0, 0xfffb}, {0xfffd, 0xfffd}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff},
     {0xfffe, 0xffff}, {0xfdd0, 0xfdef}}};

}  // namespace

bool is_lost(char32_t code) { return is_in(lost, code); }
bool is_invisible(char32_t code) { return is_in(invisible, code); }

}  // namespace khost
