#include "core/unit.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace khost {
namespace {

// A new unit is added here, and nowhere else.
constexpr std::array<std::string_view, 9> known = {"nats",  "bits",    "dims",    "parameters", "tokens",
                                                   "steps", "batches", "seconds", "bytes"};

std::optional<int> whole(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && std::abs(value) <= 99 ? std::optional(value) : std::nullopt;
}

std::string number(double value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

}  // namespace

std::span<const std::string_view> Unit::names() { return known; }

bool Unit::parse_product(std::string_view text, double sign, Unit& into) {
  if (text == "1") return true;
  while (true) {
    const std::size_t space = text.find(' ');
    const std::string_view factor = text.substr(0, space);
    const std::size_t hat = factor.find('^');
    const std::string_view name = factor.substr(0, hat);
    int exponent = 1;
    if (hat != factor.npos) {
      const auto read = whole(factor.substr(hat + 1));
      if (!read || *read == 0) return false;
      exponent = *read;
    }
    if (name == "10") {
      into.tens_ += sign * exponent;
    } else {
      if (std::find(known.begin(), known.end(), name) == known.end()) return false;
      Unit one;
      one.powers_.emplace(name, sign * exponent);
      into = into * one;
    }
    if (space == text.npos) return true;
    text.remove_prefix(space + 1);
  }
}

std::optional<Unit> Unit::parse(std::string_view text) {
  constexpr std::string_view per = " / ";
  Unit unit;
  const std::size_t slash = text.find(per);
  if (!parse_product(text.substr(0, slash), 1, unit)) return std::nullopt;
  if (slash != text.npos && !parse_product(text.substr(slash + per.size()), -1, unit)) return std::nullopt;
  return unit;
}

Unit Unit::operator*(const Unit& by) const {
  Unit out = *this;
  out.tens_ += by.tens_;
  for (const auto& [name, power] : by.powers_) {
    const auto at = out.powers_.try_emplace(name, 0).first;
    if ((at->second += power) == 0) out.powers_.erase(at);
  }
  return out;
}

Unit Unit::power(double exponent) const {
  Unit out;
  if (exponent == 0) return out;
  out.tens_ = tens_ * exponent;
  for (const auto& [name, power] : powers_) out.powers_.emplace(name, power * exponent);
  return out;
}

std::string Unit::text() const {
  std::string above, below;
  const auto add = [](std::string& to, std::string_view name, double power) {
    if (!to.empty()) to += ' ';
    to += name;
    if (power != 1) to += "^" + number(power);
  };
  if (tens_ != 0) add(tens_ > 0 ? above : below, "10", std::abs(tens_));
  for (const std::string_view name : known)
    if (const auto at = powers_.find(name); at != powers_.end()) add(at->second > 0 ? above : below, name, std::abs(at->second));
  if (above.empty()) above = "1";
  return below.empty() ? above : above + " / " + below;
}

}  // namespace khost
