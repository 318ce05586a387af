// Text from a file, a manifest or a plugin, made fit to be shown. docs/decisions/0012-reading.md says where each is used.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace khost {

// Is it a character that acts on a screen instead of standing on it: a control character (also those above U+0080, which begin
// escape sequences too), a turn of the writing direction, a line separator, an invisible tag?
bool acts_on_a_screen(char32_t code);

// Such characters as escapes, "\x1b" and "\u202e", and so bytes that are no UTF-8, "\xff". A line break and a tab stay.
std::string printable(std::string_view text);

// The same text, or where it has more than `most` bytes its beginning and end, at most `most` bytes in all:
// "aaaa ... (1,048,576 bytes) ... zzzz". `most` is at least 40.
std::string shortened(std::string_view text, std::size_t most = 120);

}  // namespace khost
