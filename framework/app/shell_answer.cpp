#include "shell_answer.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "report/text.hpp"

namespace khost {

namespace {

// A line of the shell as it was typed, up to the cursor: words, without the quotes and backslashes that made them.
struct ShellLine {
  std::vector<std::string> words;  // the last one is under the cursor, and may be ""
  char quote = 0;                  // that is still open in it: ' or "
  std::size_t begin = 0;           // where in the line the last word begins
};

ShellLine shell_line(const std::string& typed) {
  ShellLine line;
  line.words.emplace_back();
  for (std::size_t i = 0; i < typed.size(); ++i) {
    const char c = typed[i];
    std::string& word = line.words.back();
    if (line.quote == '\'' ? c != '\'' : line.quote && c != '"' && c != '\\') {
      word += c;
    } else if (line.quote && c == line.quote) {
      line.quote = 0;
    } else if (c == '\\') {
      const bool is_escape = !line.quote || (i + 1 < typed.size() && std::strchr("\"\\$`", typed[i + 1]));
      if (!is_escape)
        word += c;
      else if (++i < typed.size())
        word += typed[i];
    } else if (c == '\'' || c == '"') {
      line.quote = c;
    } else if (c == ' ' || c == '\t') {
      if (i > line.begin) line.words.emplace_back();
      line.begin = i + 1;
    } else {
      word += c;
    }
  }
  return line;
}

bool goes_on(const std::string& word) { return word.ends_with('/') || word.ends_with('=') || word.ends_with('.'); }

// `text` as it is typed behind `quote`, or without one.
std::string typed_text(const std::string& text, char quote) {
  std::string out;
  for (const char c : text) {
    if (quote == '\'')
      out += c == '\'' ? "'\\''" : std::string(1, c);
    else
      out += (std::strchr(quote ? "\"\\$`" : " \t\"'\\$`&|;<>()*?[]{}#!", c) ? "\\" : "") + std::string(1, c);
  }
  return out;
}

// How much of a word, as typed, bash keeps: up to a quote that is still open, else up to the last of the characters that it
// breaks words at.
std::size_t kept(const std::string& word, const std::string& breaks) {
  std::size_t end = 0, quoted = 0;
  char open = 0;
  for (std::size_t i = 0; i < word.size(); ++i) {
    const char c = word[i];
    if (c == '\\' && open != '\'')
      ++i;
    else if (open)
      open = c == open ? 0 : open;
    else if (c == '\'' || c == '"')
      open = c, quoted = i + 1;
    else if (breaks.find(c) != breaks.npos)
      end = i + 1;
  }
  return std::min(open ? quoted : end, word.size());
}

// A list to read, each on a line of its own.
std::string listed(const std::vector<Candidate>& candidates) {
  const char* given = std::getenv("COLUMNS");
  const std::size_t width = std::max(given ? std::atoi(given) : 80, 40);
  std::size_t longest = 0;
  for (const Candidate& c : candidates) longest = std::max(longest, columns(c.word));
  std::string out;
  for (const Candidate& c : candidates)
    out += clipped(c.doc.empty() ? c.word : left(c.word, longest + 2) + c.doc, width - 1) + "\n";
  return out;
}

// What bash puts in place of the text from its last break on.
std::string for_bash(const std::vector<Candidate>& candidates, const std::string& breaks, const std::string& typed,
                     const ShellLine& line) {
  const std::string word = typed.substr(line.begin);
  const std::string before = shell_line(word.substr(0, kept(word, breaks))).words.back();
  std::string out;
  for (const Candidate& c : candidates) {
    if (!c.word.starts_with(before)) continue;
    out += typed_text(c.word.substr(before.size()), line.quote);
    // A quote that is open is closed by bash, unless it is so already; a space behind it would hide that.
    if (!goes_on(c.word)) out += line.quote ? line.quote : ' ';
    out += "\n";
  }
  return out;
}

std::string answer(const CommandLine& line, const std::vector<std::string>& words) {
  const std::string form = words.empty() ? "" : words[0];
  if (form == "--") {
    std::string out;
    for (const Candidate& c : line.complete({words.begin() + 1, words.end()})) out += c.word + "\t" + c.doc + "\n";
    return out;
  }
  if (words.size() != 3 || (form != "bash" && form != "bash-list")) return "";
  const ShellLine typed = shell_line(words[2]);
  if (typed.words.size() < 2) return "";
  const std::vector<Candidate> found = line.complete({typed.words.begin() + 1, typed.words.end()});
  return form == "bash-list" && found.size() > 1 ? listed(found) : for_bash(found, words[1], words[2], typed);
}

}  // namespace

std::string answer_to_shell(const CommandLine& line, const std::vector<std::string>& words) noexcept try {
  return answer(line, words);
} catch (...) {
  return "";
}

}  // namespace khost
