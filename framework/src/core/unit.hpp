// Units of records: the list of those there are, and what becomes of them in a product or a quotient.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace khost {

// "nats", "nats^2", "nats / 10^4 parameters", "1 / steps"; "1" is a bare number: a ratio, a count of nothing in particular.
class Unit {
 public:
  Unit() = default;  // "1"

  // PRODUCT or PRODUCT / PRODUCT; a product is names of the list, with a power or without (nats^2), and powers of ten, a space
  // between. Nothing for any other text.
  static std::optional<Unit> parse(std::string_view text);
  static std::span<const std::string_view> names();  // nats, dims, ...

  Unit operator*(const Unit& by) const;
  Unit operator/(const Unit& by) const { return *this * by.power(-1); }
  Unit power(double exponent) const;  // 0.5 for a root
  bool operator==(const Unit&) const = default;
  bool plain() const { return powers_.empty() && tens_ == 0; }

  std::string text() const;  // as parse() reads it where powers are whole

 private:
  static bool parse_product(std::string_view text, double sign, Unit& into);
  std::map<std::string, double, std::less<>> powers_;  // none is 0
  double tens_ = 0;                                    // of 10
};

}  // namespace khost
