#include "command_text.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "report/text.hpp"

namespace khost {

Error usage_error(const std::string& text) { return Error(ErrorKind::usage, text); }

std::string quoted(const std::string& word) { return "'" + clipped(word, 80) + "'"; }

std::string nearest(const std::string& word, const std::vector<std::string>& names) {
  constexpr std::size_t telling = 4;  // letters, with dashes
  std::vector<std::string> longer, shorter;
  for (const std::string& name : names) {
    if (word.size() >= telling && name.starts_with(word)) longer.push_back(name);
    if (name.size() >= telling && word.starts_with(name)) shorter.push_back(name);  // --output, --seeds3
  }
  if (!longer.empty()) return fmt::format("did you mean '{}'?", fmt::join(longer, "', '"));
  const std::string slip = did_you_mean(word, names);
  return !slip.empty() || shorter.empty() ? slip : fmt::format("did you mean '{}'?", fmt::join(shorter, "', '"));
}

std::string Rows::text() const {
  std::size_t first = 0;
  for (const Row& row : rows_)
    if (!row.title) first = std::max(first, columns(row.name));
  std::string out;
  for (const Row& row : rows_) {
    if (row.title)
      out += "\n" + row.name + "\n";
    else
      add_lines(out, row.text, help_width, "  " + left(row.name, first + 2), std::string(first + 4, ' '));
  }
  return out;
}

std::string examples_text(const std::string& program, const std::vector<std::string>& lines) {
  std::string out = lines.empty() ? "" : "\nExamples\n";
  for (const std::string& line : lines) out += "  " + program + " " + line + "\n";
  return out;
}

std::string note_text(const std::string& note) {
  std::string out;
  if (!note.empty()) out = "\n", add_lines(out, note, help_width, "", "");
  return out;
}

}  // namespace khost
