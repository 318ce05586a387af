#include "manifest/measure.hpp"

#include <muParser.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstring>
#include <limits>

#include "manifest/parts.hpp"

namespace khost {
namespace {

constexpr std::size_t longest = 1000;  // characters

double mean(const double* v, int count) {
  double sum = 0;
  for (int i = 0; i < count; ++i) sum += v[i];
  return sum / count;
}

double argmin(const double* v, int count) { return static_cast<double>(std::min_element(v, v + count) - v); }

double pearson(const double* v, int count) {
  if (count < 4 || count % 2) throw mu::ParserError("pearson takes x1, ..., xn, y1, ..., yn with n at least 2");
  const int n = count / 2;
  const double *x = v, *y = v + n;
  const double mx = mean(x, n), my = mean(y, n);
  double xy = 0, xx = 0, yy = 0;
  for (int i = 0; i < n; ++i) {
    xy += (x[i] - mx) * (y[i] - my);
    xx += (x[i] - mx) * (x[i] - mx);
    yy += (y[i] - my) * (y[i] - my);
  }
  return xy / std::sqrt(xx * yy);  // NaN, a missing value, when one side does not vary
}

void define_functions(mu::Parser& parser) {
  parser.DefineFun("mean", mean);
  parser.DefineFun("argmin", argmin);
  parser.DefineFun("pearson", pearson);
}

const std::vector<std::string>& functions() {
  static const std::vector<std::string> names = [] {
    mu::Parser parser;
    define_functions(parser);
    std::vector<std::string> out;
    for (const auto& entry : parser.GetFunDef()) out.push_back(entry.first);
    return out;
  }();
  return names;
}

const std::vector<std::string>& constants() {
  static const std::vector<std::string> names = {"_e", "_pi"};
  return names;
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool is_name(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

// Names in the text, and what muParser would take but a measure must not hold: assignments, strings, several results.
class Scan {
 public:
  Scan(const std::string& text, const Place& place) : text_(text), place_(place) {}

  std::vector<std::string> names() {
    std::vector<std::string> out;
    if (text_.size() > longest) fail("is longer than " + std::to_string(longest) + " characters");
    if (text_.find_first_not_of(' ') == std::string::npos) fail("is empty");
    for (std::size_t i = 0; i < text_.size();) {
      const char c = text_[i];
      std::size_t end = i + 1;
      if (std::isdigit(static_cast<unsigned char>(c)) || c == '.') {
        end = number_end(i);
      } else if (is_name(c)) {
        while (end < text_.size() && is_name(text_[end])) ++end;
        out.push_back(text_.substr(i, end - i));
      } else if (!std::strchr("+-*/^(),<>=!&|?: ", c)) {
        fail("has the character '" + std::string(1, c) + "' at " + std::to_string(i + 1) + ", which is no arithmetic");
      } else if (c == '=' && !(i && std::strchr("<>=!", text_[i - 1])) && (end == text_.size() || text_[end] != '=')) {
        fail("assigns at character " + std::to_string(i + 1) + "; a comparison is written ==");
      }
      i = end;
    }
    return out;
  }

  [[noreturn]] void fail(const std::string& message) const {
    throw Error(ErrorKind::usage, place_, "the measure \"" + text_.substr(0, 200) + "\" " + message);
  }

 private:
  std::size_t number_end(std::size_t i) const {
    const auto digits = [&] {
      while (i < text_.size() && (std::isdigit(static_cast<unsigned char>(text_[i])) || text_[i] == '.')) ++i;
    };
    digits();
    if (i < text_.size() && (text_[i] | 32) == 'e') {
      std::size_t exponent = i + 1;
      if (exponent < text_.size() && (text_[exponent] == '+' || text_[exponent] == '-')) ++exponent;
      if (exponent < text_.size() && std::isdigit(static_cast<unsigned char>(text_[exponent]))) {
        i = exponent;
        digits();
      }
    }
    return i;
  }

  const std::string& text_;
  const Place& place_;
};

std::string explained(const mu::ParserError& e) {
  const std::string token = e.GetToken().empty() ? "" : " '" + e.GetToken() + "'";
  const std::string where = " at character " + std::to_string(e.GetPos() + 1);
  switch (e.GetCode()) {
    case mu::ecUNEXPECTED_EOF:
    case mu::ecUNEXPECTED_CONDITIONAL:
      return "ends too early";
    case mu::ecMISSING_PARENS:
      return "has a '(' without its ')'";
    case mu::ecUNEXPECTED_PARENS:
      return "has a bracket" + token + where + " that does not belong there";
    case mu::ecUNEXPECTED_OPERATOR:
      return "has an operator" + token + where + " that does not belong there";
    case mu::ecUNEXPECTED_VAL:
    case mu::ecUNEXPECTED_VAR:
    case mu::ecUNEXPECTED_FUN:
      return "has" + token + where + " where an operator is expected";
    case mu::ecUNEXPECTED_ARG:
    case mu::ecUNEXPECTED_ARG_SEP:
      return "has a ','" + where + " outside a function's arguments";
    case mu::ecTOO_FEW_PARAMS:
      return "gives the function" + token + " too few arguments";
    case mu::ecTOO_MANY_PARAMS:
      return "gives the function" + token + " too many arguments";
    case mu::ecMISSING_ELSE_CLAUSE:
      return "has a '?' without its ':'";
    case mu::ecMISPLACED_COLON:
      return "has a ':' without its '?'";
    case mu::ecGENERIC:
      return "cannot be computed: " + e.GetMsg();
    default:
      return "cannot be read" + where + (token.empty() ? "" : ", near" + token);
  }
}

}  // namespace

struct Measure::Impl {
  mu::Parser parser;
  std::vector<double> values;
};

Measure::Measure(const std::string& text, const std::vector<std::string>& names, const Place& place)
    : impl_(std::make_unique<Impl>()) {
  Scan scan(text, place);
  const std::vector<std::string> mentioned = scan.names();
  for (const std::string& name : mentioned) {
    if (contains(names, name) || contains(functions(), name) || contains(constants(), name)) continue;
    std::vector<std::string> near = names;
    near.insert(near.end(), functions().begin(), functions().end());
    Error error(ErrorKind::usage, place,
                "the measure \"" + text + "\" speaks of '" + name + "', which is neither in 'let' nor a function");
    if (const std::string nearest = did_you_mean(name, near); !nearest.empty()) error.hint(nearest);
    throw error.hint("'let' has " + (names.empty() ? "nothing" : joined(names)) + "; functions: " + joined(functions()));
  }
  for (const std::string& name : names)
    if (!contains(mentioned, name)) unused_.push_back(name);
  try {
    impl_->values.assign(names.size(), 1.0);
    define_functions(impl_->parser);
    for (std::size_t i = 0; i < names.size(); ++i) impl_->parser.DefineVar(names[i], &impl_->values[i]);
    impl_->parser.SetExpr(text);
    int results = 0;
    impl_->parser.Eval(results);
    if (results != 1) scan.fail("gives " + std::to_string(results) + " numbers; one is expected");
  } catch (const mu::ParserError& e) {
    scan.fail(explained(e));
  }
}
Measure::~Measure() = default;
Measure::Measure(Measure&&) noexcept = default;

double Measure::operator()(std::span<const double> values) const {
  std::copy(values.begin(), values.end(), impl_->values.begin());
  return impl_->parser.Eval();
}

bool Measure::reserved(const std::string& name) { return contains(functions(), name) || contains(constants(), name); }

}  // namespace khost
