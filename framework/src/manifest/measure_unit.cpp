#include "manifest/measure_unit.hpp"

#include <cctype>
#include <charconv>
#include <cmath>

#include "manifest/measure_functions.hpp"

namespace khost {
namespace {

bool is_digit(char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; }

// What is known of a part of a measure.
struct Part {
  Unit unit;
  bool number = false;            // plain numbers only: fits any unit
  std::optional<double> value{};  // of a plain number, where it is simple
};

// muParser has read the text before: it has the form that is expected here.
class Reader {
 public:
  Reader(const std::string& text, const std::vector<std::pair<std::string, std::vector<std::string>>>& names, const Place& place)
      : text_(text), names_(names), place_(place) {}

  Unit read() { return choice().unit; }

 private:
  // ---- the text ----
  void skip() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }
  bool take(std::string_view what) {
    skip();
    if (text_.compare(at_, what.size(), what) != 0) return false;
    at_ += what.size();
    return true;
  }
  bool next_is(char c) {
    skip();
    return at_ < text_.size() && text_[at_] == c;
  }
  std::string since(std::size_t begin) const {
    std::string part = text_.substr(begin, at_ - begin);
    part.erase(0, part.find_first_not_of(' '));
    part.erase(part.find_last_not_of(' ') + 1);
    return part;
  }

  // ---- from what binds least to what binds most ----
  Part choice() {
    const Part condition = any_of();
    if (!take("?")) return condition;
    const std::size_t begin = at_;
    const Part yes = choice();
    take(":");
    return same(yes, choice(), begin, "chooses between");
  }

  Part any_of() {
    return logic("||", [this] { return logic("&&", [this] { return comparison(); }); });
  }

  template <class Inner>
  Part logic(std::string_view sign, Inner inner) {
    Part left = inner();
    while (take(sign)) inner(), left = {};
    return left;
  }

  Part comparison() {
    const std::size_t begin = at_;
    Part left = sum();
    for (;;) {
      bool found = false;
      for (const std::string_view sign : {"<=", ">=", "==", "!=", "<", ">"})
        if (!found && take(sign)) {
          found = true;
          same(left, sum(), begin, "compares");
          left = {};
        }
      if (!found) return left;
    }
  }

  Part sum() {
    const std::size_t begin = at_;
    Part left = product();
    for (;;) {
      const bool plus = take("+");
      if (!plus && !take("-")) return left;
      const Part right = product();
      const std::optional<double> value = left.value && right.value
                                              ? std::optional(plus ? *left.value + *right.value : *left.value - *right.value)
                                              : std::nullopt;
      left = same(left, right, begin, plus ? "adds" : "subtracts");
      left.value = value;
    }
  }

  Part product() {
    Part left = sign();
    for (;;) {
      const bool times = take("*");
      if (!times && !take("/")) return left;
      const Part right = sign();
      left.unit = left.unit * right.unit.power(times ? 1 : -1);
      left.number = left.number && right.number;
      left.value = left.value && right.value ? std::optional(times ? *left.value * *right.value : *left.value / *right.value)
                                             : std::nullopt;
    }
  }

  Part sign() {
    if (take("-")) {
      Part part = sign();
      if (part.value) part.value = -*part.value;
      return part;
    }
    if (take("+") || take("!")) return sign();
    return power();
  }

  Part power() {
    const std::size_t begin = at_;
    Part base = atom();
    if (!take("^")) return base;
    const Part exponent = sign();  // from the right: a^b^c is a^(b^c)
    if (!exponent.unit.plain() || (!exponent.value && !base.unit.plain()))
      fail("raises to a power that is no plain number", begin);
    if (!base.unit.plain()) base.unit = base.unit.power(*exponent.value);
    base.number = base.number && exponent.number;
    base.value = base.value && exponent.value ? std::optional(std::pow(*base.value, *exponent.value)) : std::nullopt;
    return base;
  }

  Part atom() {
    skip();
    if (take("(")) {
      const Part inner = choice();
      take(")");
      return inner;
    }
    if (at_ < text_.size() && (is_digit(text_[at_]) || text_[at_] == '.')) return number();
    const std::size_t begin = at_;
    while (at_ < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[at_])) || text_[at_] == '_')) ++at_;
    const std::string name = text_.substr(begin, at_ - begin);
    if (next_is('(')) return function(name, begin);
    for (const auto& [known, units] : names_)
      if (known == name) return one_of(name, units);
    return {{}, true};  // _pi, _e
  }

  Part number() {
    double value = 0;
    const auto read = std::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
    at_ = static_cast<std::size_t>(read.ptr - text_.data());
    return {{}, true, value};
  }

  Part one_of(const std::string& name, const std::vector<std::string>& units) const {
    Part part;
    for (std::size_t i = 0; i < units.size(); ++i) {
      const Unit unit = Unit::parse(units[i]).value_or(Unit());
      if (i > 0 && !(unit == part.unit))
        throw Error(ErrorKind::usage, place_,
                    "'" + name + "' of the measure \"" + text_ + "\" is a list of records in " + part.unit.text() + " and in " +
                        unit.text())
            .hint("a list is of one unit");
      part.unit = unit;
    }
    return part;
  }

  Part function(const std::string& name, std::size_t begin) {
    take("(");
    std::vector<Part> arguments;
    if (!take(")")) {
      do arguments.push_back(choice());
      while (take(","));
      take(")");
    }
    if (arguments.empty()) return {};
    if (name == "interpolate") {  // x, xs, ys; of numbers among the xs how many is not known here
      same(arguments[0], arguments[1], begin, "interpolates over");
      return arguments.back();
    }
    if (of_pairs(name)) {
      // x1, ..., xn, y1, ..., yn: the two sides may differ. A list is one argument, and of one unit.
      const std::size_t half = arguments.size() / 2;
      for (std::size_t i = 1; i < arguments.size(); ++i)
        if (i != half) same(arguments[i < half ? 0 : half], arguments[i], begin, "correlates");
      return {};
    }
    if (name == "abs" || name == "rint") return arguments[0];
    if (name == "sqrt") return {arguments[0].unit.power(0.5), arguments[0].number};
    if (!takes_many(name)) return {{}, arguments[0].number};  // exp, ln, ...: numbers
    Part all = arguments[0];
    for (const Part& part : arguments) all = same(all, part, begin, "takes together");
    if (name == "argmin" || name == "argmax") return {};
    return {all.unit, all.number};
  }

  Part same(const Part& a, const Part& b, std::size_t begin, const std::string& does) const {
    if (a.number && b.number) return {{}, true};
    if (a.number) return {b.unit};
    if (b.number || a.unit == b.unit) return {a.unit};
    fail(does + " what is in " + a.unit.text() + " and what is in " + b.unit.text(), begin);
  }

  [[noreturn]] void fail(const std::string& what, std::size_t begin) const {
    throw Error(ErrorKind::usage, place_, "the measure \"" + text_ + "\" " + what + ", in \"" + since(begin) + "\"")
        .hint("a quotient of two records of one unit has none, and can be compared with other quotients");
  }

  const std::string& text_;
  const std::vector<std::pair<std::string, std::vector<std::string>>>& names_;
  const Place& place_;
  std::size_t at_ = 0;
};

}  // namespace

Unit unit_of_measure(const std::string& measure, const std::vector<std::pair<std::string, std::vector<std::string>>>& names,
                     const Place& place) {
  return Reader(measure, names, place).read();
}

}  // namespace khost
