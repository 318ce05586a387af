#include "manifest/measure_text.hpp"

#include <algorithm>
#include <cctype>
#include <cstring>

namespace khost {
namespace {

constexpr std::size_t longest = 1000;  // characters

bool is_digit(char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; }
bool is_name(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

}  // namespace

MeasureText::MeasureText(std::string text, Place place) : text_(std::move(text)), place_(std::move(place)) {
  if (text_.size() > longest) fail("is longer than " + std::to_string(longest) + " characters");
  if (text_.find_first_not_of(' ') == std::string::npos) fail("is empty");
  const std::vector<Token> all = tokens();
  const auto is = [&](std::size_t i, const char* characters) {
    return i < all.size() && all[i].length == 1 && std::strchr(characters, text_[all[i].at]);
  };
  std::vector<int> open;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (is(i, "(")) {
      open.push_back(static_cast<int>(calls_.size()));
      calls_.push_back({i > 0 && all[i - 1].name ? text_of(all[i - 1]) : "", 1});
    } else if (is(i, ")")) {
      if (!open.empty()) open.pop_back();
    } else if (is(i, ",")) {
      if (!open.empty()) ++calls_[static_cast<std::size_t>(open.back())].arguments;
    } else if (all[i].name) {
      mentions_.push_back({text_of(all[i]), all[i].at, open.empty() ? -1 : open.back(),
                           i > 0 && is(i - 1, "(,") && (i + 1 == all.size() || is(i + 1, "),"))});
    }
  }
}

std::vector<MeasureText::Token> MeasureText::tokens() const {
  std::vector<Token> out;
  for (std::size_t i = 0; i < text_.size();) {
    const char c = text_[i];
    std::size_t end = i + 1;
    bool name = false;
    if (is_digit(c) || c == '.') {
      end = number_end(i);
    } else if (is_name(c)) {
      while (end < text_.size() && is_name(text_[end])) ++end;
      name = true;
    } else if (!std::strchr("+-*/^(),<>=!&|?: ", c)) {
      fail("has the character '" + std::string(1, c) + "' at " + std::to_string(i + 1) + ", which is no arithmetic");
    } else if (c == '=' && !(i && std::strchr("<>=!", text_[i - 1])) && (end == text_.size() || text_[end] != '=')) {
      fail("assigns at character " + std::to_string(i + 1) + "; a comparison is written ==");
    }
    if (c != ' ') out.push_back({i, end - i, name});
    i = end;
  }
  return out;
}

std::size_t MeasureText::number_end(std::size_t i) const {
  const auto digits = [&] {
    while (i < text_.size() && (is_digit(text_[i]) || text_[i] == '.')) ++i;
  };
  digits();
  if (i < text_.size() && (text_[i] | 32) == 'e') {
    std::size_t exponent = i + 1;
    if (exponent < text_.size() && (text_[exponent] == '+' || text_[exponent] == '-')) ++exponent;
    if (exponent < text_.size() && is_digit(text_[exponent])) {
      i = exponent;
      digits();
    }
  }
  return i;
}

bool MeasureText::mentions(const std::string& name) const {
  return std::any_of(mentions_.begin(), mentions_.end(), [&](const Mention& m) { return m.name == name; });
}

void MeasureText::fail(const std::string& message) const {
  throw Error(ErrorKind::usage, place_, "the measure \"" + text_.substr(0, 200) + "\" " + message);
}

}  // namespace khost
