#include "report/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/shown.hpp"

namespace khost {
namespace {

bool starts_character(char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }

// The bytes of the first `width` columns.
std::size_t bytes_of(std::string_view text, std::size_t width) {
  std::size_t i = 0, seen = 0;
  for (; i < text.size(); ++i)
    if (starts_character(text[i]) && ++seen > width) break;
  return i;
}

std::string padding(std::string_view text, std::size_t width) {
  const std::size_t used = columns(text);
  return std::string(used < width ? width - used : 0, ' ');
}

}  // namespace

NumberStyle style_of(std::string_view unit, double value) {
  using Form = NumberStyle::Form;
  if (unit == "parameters") return {Form::grouped, value == std::round(value) || std::isnan(value) ? 0 : 1};
  const double size = std::fabs(value);
  if (unit == "nats" && !(size < 0.1)) return {Form::fixed, 4};
  if (!(size > 0) || size >= 0.1) return size >= 1e7 ? NumberStyle{Form::scientific, 3} : NumberStyle{Form::fixed, 3};
  if (size < 1e-4) return {Form::scientific, 3};
  return {Form::fixed, 3 - static_cast<int>(std::floor(std::log10(size)))};
}

std::string number_text(double value, const NumberStyle& style) {
  if (std::isnan(value)) return "missing";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  switch (style.form) {
    case NumberStyle::Form::scientific:
      return fmt::format("{:.{}e}", value, style.decimals);
    case NumberStyle::Form::grouped:
      return grouped(fmt::format("{:.{}f}", value, style.decimals));
    default:
      return fmt::format("{:.{}f}", value, style.decimals);
  }
}

std::string shortest(double value) {
  if (std::isnan(value)) return "";
  char buffer[40];
  return {buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr};
}

std::string grouped(std::string digits) {
  const std::size_t first = digits.starts_with('-') ? 1 : 0;
  const std::size_t end = std::min(digits.find_first_not_of("0123456789", first), digits.size());
  for (std::size_t i = end; i > first + 3; i -= 3) digits.insert(i - 3, 1, ',');
  return digits;
}

std::string duration_text(double seconds) {
  if (seconds < 59.95) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<long long>(std::llround(seconds));
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole % 3600 / 60);
}

std::size_t columns(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), starts_character));
}

std::string left(std::string_view text, std::size_t width) { return std::string(text) + padding(text, width); }
std::string right(std::string_view text, std::size_t width) { return padding(text, width) + std::string(text); }

std::string clipped(std::string_view text, std::size_t width) {
  if (columns(text) <= width) return std::string(text);
  if (width < 3) return std::string(text.substr(0, bytes_of(text, width)));
  return std::string(text.substr(0, bytes_of(text, width - 3))) + "...";
}

std::vector<std::string> wrapped(std::string_view text, std::size_t width, std::string_view first, std::string_view indent) {
  std::vector<std::string> lines;
  std::string line(first);
  bool is_empty = true;  // of words
  const auto flush = [&] {
    if (is_empty) line.erase(line.find_last_not_of(' ') + 1);
    lines.push_back(line);
    line = indent;
    is_empty = true;
  };
  while (true) {
    const std::size_t end = std::min(text.find_first_of(" \n"), text.size());
    std::string_view word = text.substr(0, end);
    if (!word.empty()) {
      if (!is_empty && columns(line) + 1 + columns(word) > width) flush();
      while (is_empty && columns(line) + columns(word) > width && columns(line) < width) {
        const std::size_t fits = bytes_of(word, width - columns(line));
        line += word.substr(0, fits);
        word.remove_prefix(fits);
        is_empty = false;
        flush();
      }
      if (!is_empty) line += ' ';
      line += word;
      is_empty = is_empty && word.empty();
    }
    if (end == text.size()) break;
    if (text[end] == '\n') flush();
    text.remove_prefix(end + 1);
  }
  if (!is_empty || lines.empty()) flush();
  return lines;
}

void add_lines(std::string& out, std::string_view text, std::size_t width, std::string_view first, std::string_view indent) {
  for (const std::string& line : wrapped(text, width, first, indent)) out += line + "\n";
}

std::string markdown(std::string_view text) {
  std::string out;
  for (const char c : printable(text)) {
    if (c == '\n')
      out += "<br>";
    else if (c == '<')
      out += "&lt;";  // also where a renderer knows no backslash before it
    else if (c == '>')
      out += "&gt;";
    else if (c == '&')
      out += "&amp;";
    else if (std::string_view("\\`*_|[]#~$").find(c) != std::string_view::npos)
      (out += '\\') += c;
    else
      out += c;
  }
  return out;
}

std::string indented(std::string_view text, std::size_t by) {
  std::string out;
  bool starts = true;  // a line
  for (const char c : text) {
    if (starts && c != '\n') out.append(by, ' ');
    out += c;
    starts = c == '\n';
  }
  return out;
}

std::string one_line(std::string_view text) { return std::string(text.substr(0, text.find('\n'))); }

}  // namespace khost
