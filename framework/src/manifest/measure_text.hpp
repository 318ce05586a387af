// A measure's text, looked through before muParser sees it.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "khost/error.hpp"

namespace khost {

class MeasureText {
 public:
  struct Call {
    std::string function;  // "" for plain brackets
    std::size_t arguments = 1;
  };
  struct Mention {
    std::string name;
    std::size_t at = 0;  // in the text
    int call = -1;       // the innermost brackets around it, -1: none
    bool alone = false;  // is it all of an argument?
  };

  // Throws for what muParser would take but a measure must not hold: assignments, strings, other characters.
  MeasureText(std::string text, Place place);

  const std::string& text() const { return text_; }
  const std::vector<Mention>& mentions() const { return mentions_; }  // of names and functions, in order
  const std::vector<Call>& calls() const { return calls_; }
  bool mentions(const std::string& name) const;

  [[noreturn]] void fail(const std::string& message) const;  // a usage Error: the measure "TEXT" MESSAGE

 private:
  struct Token {
    std::size_t at, length;
    bool name;
  };
  std::vector<Token> tokens() const;
  std::size_t number_end(std::size_t i) const;
  std::string text_of(const Token& token) const { return text_.substr(token.at, token.length); }

  std::string text_;
  Place place_;
  std::vector<Mention> mentions_;
  std::vector<Call> calls_;
};

}  // namespace khost
