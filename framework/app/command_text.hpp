// What help and the answers to mistakes are written with.
#pragma once

#include <string>
#include <vector>

#include "khost/error.hpp"

namespace khost {

inline constexpr std::size_t help_width = 80;  // columns
inline constexpr const char* help_flags = "-h, --help";

inline bool asks_for_help(const std::string& word) { return word == "--help" || word == "-h"; }

Error usage_error(const std::string& text);
std::string quoted(const std::string& word);  // as much of it as a message needs

// "did you mean 'seeds'?": names that a word abbreviates or that it goes on from, else those it may be a slip of; "" when there
// are none.
std::string nearest(const std::string& word, const std::vector<std::string>& names);

// Two columns, the left one as wide as its widest entry.
class Rows {
 public:
  void title(const std::string& text) { rows_.push_back({text, "", true}); }
  void add(const std::string& name, const std::string& text) { rows_.push_back({name, text, false}); }
  std::string text() const;

 private:
  struct Row {
    std::string name, text;
    bool title;
  };
  std::vector<Row> rows_;
};

std::string examples_text(const std::string& program, const std::vector<std::string>& lines);
std::string note_text(const std::string& note);

}  // namespace khost
