// Numbers and lines as people read them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace khost {

// How the numbers of one row are written, chosen once from its unit and size, so that a mean and its interval have the same
// digits.
struct NumberStyle {
  enum class Form { fixed, grouped, scientific } form = Form::fixed;
  int decimals = 3;
};
// Losses ("nats" from 0.1 on): 4 decimals. Counts ("parameters"): thousands separators, a decimal only when needed. Others: 3
// decimals, or four significant digits below 0.1; scientific below 1e-4 and from 1e7.
NumberStyle style_of(std::string_view unit, double value);
std::string number_text(double value, const NumberStyle& style);  // "missing" for NaN
std::string shortest(double value);                               // reads back to the same double; "" for NaN
std::string grouped(std::string digits);                          // "1536992" -> "1,536,992"; leaves sign and decimals alone

std::string duration_text(double seconds);  // "2.4 s", "3 min 20 s", "1 h 05 min"

// Width in columns: code points of UTF-8. Each of khost's own characters is one column wide.
std::size_t columns(std::string_view text);
std::string left(std::string_view text, std::size_t width);
std::string right(std::string_view text, std::size_t width);
std::string clipped(std::string_view text, std::size_t width);  // cut with "..." at the end when it is wider

// Breaks at spaces, and inside a word only where it is wider than a line. Each line starts with `indent`, the first with `first`;
// breaks in the text are kept.
std::vector<std::string> wrapped(std::string_view text, std::size_t width, std::string_view first, std::string_view indent);

// The same lines, each ended, put behind `out`.
void add_lines(std::string& out, std::string_view text, std::size_t width, std::string_view first, std::string_view indent);

// Each line that is not empty behind that many spaces.
std::string indented(std::string_view text, std::size_t by);

std::string one_line(std::string_view text);  // up to the first line break

// As Markdown shows it, letter for letter, also within a cell of a table: nothing in it becomes markup, HTML or another row.
std::string markdown(std::string_view text);

}  // namespace khost
