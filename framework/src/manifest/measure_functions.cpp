#include "manifest/measure_functions.hpp"

#include <muParser.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "manifest/parts.hpp"

namespace khost {
namespace {

thread_local bool missing = false;

// muParser calls these with the arguments of a function of many. A missing value makes the result a missing value.
template <auto f>
double of_many(const double* v, int count) {
  if (count == 0) throw mu::ParserError("a function of many has no arguments");
  for (int i = 0; i < count; ++i)
    if (std::isnan(v[i])) return noted(v[i]);
  return noted(f(v, count));
}

double sum(const double* v, int count) {
  double sum = 0;
  for (int i = 0; i < count; ++i) sum += v[i];
  return sum;
}
double mean(const double* v, int count) { return sum(v, count) / count; }
double least(const double* v, int count) { return *std::min_element(v, v + count); }
double greatest(const double* v, int count) { return *std::max_element(v, v + count); }
double range(const double* v, int count) { return greatest(v, count) - least(v, count); }
double argmin(const double* v, int count) { return static_cast<double>(std::min_element(v, v + count) - v); }
double argmax(const double* v, int count) { return static_cast<double>(std::max_element(v, v + count) - v); }

double sd(const double* v, int count) {
  if (count < 2) throw mu::ParserError("sd takes at least 2 values");
  const double m = mean(v, count);
  double squares = 0;
  for (int i = 0; i < count; ++i) squares += (v[i] - m) * (v[i] - m);
  return std::sqrt(squares / (count - 1));
}

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

// Ranks from 1; equal values share the mean of theirs.
std::vector<double> ranks(const double* v, int n) {
  std::vector<double> out;
  for (int i = 0; i < n; ++i) {
    const auto below = std::count_if(v, v + n, [&](double other) { return other < v[i]; });
    const auto equal = std::count(v, v + n, v[i]);
    out.push_back(static_cast<double>(below) + static_cast<double>(equal + 1) / 2);
  }
  return out;
}

double spearman(const double* v, int count) {
  if (count < 4 || count % 2) throw mu::ParserError("spearman takes x1, ..., xn, y1, ..., yn with n at least 2");
  std::vector<double> both = ranks(v, count / 2);
  const std::vector<double> y = ranks(v + count / 2, count / 2);
  both.insert(both.end(), y.begin(), y.end());
  return pearson(both.data(), count);
}

// y at x, on the straight line between the two of x1, ..., xn beside it; missing where there are none on both sides.
double interpolate(const double* v, int count) {
  if (count < 5 || count % 2 == 0) throw mu::ParserError("interpolate takes x, x1, ..., xn, y1, ..., yn with n at least 2");
  const int n = (count - 1) / 2;
  const double at = v[0], *x = v + 1, *y = v + 1 + n;
  int left = -1, right = -1;
  for (int i = 0; i < n; ++i) {
    if (x[i] <= at && (left < 0 || x[i] > x[left])) left = i;
    if (x[i] >= at && (right < 0 || x[i] < x[right])) right = i;
  }
  if (left < 0 || right < 0) return std::numeric_limits<double>::quiet_NaN();
  return x[left] == x[right] ? y[left] : y[left] + (y[right] - y[left]) * (at - x[left]) / (x[right] - x[left]);
}

struct OfMany {
  const char* name;
  double (*function)(const double*, int);
};
constexpr OfMany functions_of_many[] = {
    {"mean", of_many<mean>},       {"avg", of_many<mean>},          {"sum", of_many<sum>},
    {"min", of_many<least>},       {"max", of_many<greatest>},      {"range", of_many<range>},
    {"argmin", of_many<argmin>},   {"argmax", of_many<argmax>},     {"sd", of_many<sd>},
    {"pearson", of_many<pearson>}, {"spearman", of_many<spearman>}, {"interpolate", of_many<interpolate>}};

template <double (*f)(double)>
double of_one(double v) {
  return noted(f(v));
}

// muParser's operators and those of its functions that can make a NaN of numbers, with the same meaning, but noting it.
void define_noting(mu::Parser& parser) {
  parser.EnableBuiltInOprt(false);
  const auto both = [&](const char* name, mu::fun_type2 f, int precedence, mu::EOprtAssociativity side = mu::oaLEFT) {
    parser.DefineOprt(name, f, static_cast<unsigned>(precedence), side);
  };
  both(
      "+", [](double a, double b) { return noted(a + b); }, mu::prADD_SUB);
  both(
      "-", [](double a, double b) { return noted(a - b); }, mu::prADD_SUB);
  both(
      "*", [](double a, double b) { return noted(a * b); }, mu::prMUL_DIV);
  both(
      "/", [](double a, double b) { return noted(a / b); }, mu::prMUL_DIV);
  both(
      "^", [](double a, double b) { return noted(std::pow(a, b)); }, mu::prPOW, mu::oaRIGHT);
  both(
      "<", [](double a, double b) -> double { return a < b; }, mu::prCMP);
  both(
      ">", [](double a, double b) -> double { return a > b; }, mu::prCMP);
  both(
      "<=", [](double a, double b) -> double { return a <= b; }, mu::prCMP);
  both(
      ">=", [](double a, double b) -> double { return a >= b; }, mu::prCMP);
  both(
      "==", [](double a, double b) -> double { return a == b; }, mu::prCMP);
  both(
      "!=", [](double a, double b) -> double { return a != b; }, mu::prCMP);
  both(
      "&&", [](double a, double b) -> double { return a != 0 && b != 0; }, mu::prLAND);
  both(
      "||", [](double a, double b) -> double { return a != 0 || b != 0; }, mu::prLOR);
  const std::pair<const char*, mu::fun_type1> functions[] = {
      {"sin", of_one<std::sin>},   {"cos", of_one<std::cos>},     {"tan", of_one<std::tan>},     {"asin", of_one<std::asin>},
      {"acos", of_one<std::acos>}, {"acosh", of_one<std::acosh>}, {"atanh", of_one<std::atanh>}, {"ln", of_one<std::log>},
      {"log", of_one<std::log>},   {"log2", of_one<std::log2>},   {"log10", of_one<std::log10>}, {"sqrt", of_one<std::sqrt>}};
  for (const auto& [name, function] : functions) parser.DefineFun(name, function);
}

constexpr OfPairs functions_of_pairs[] = {{"pearson", 0}, {"spearman", 0}, {"interpolate", 1}};

}  // namespace

double noted(double value) {
  missing = missing || std::isnan(value);
  return value;
}

void forget_missing() { missing = false; }

bool met_missing() { return missing; }

void define_functions(mu::Parser& parser) {
  define_noting(parser);
  for (const OfMany& f : functions_of_many) parser.DefineFun(f.name, f.function);
}

const std::vector<std::string>& measure_functions() {
  static const std::vector<std::string> names = [] {
    mu::Parser parser;
    define_functions(parser);
    std::vector<std::string> out;
    for (const auto& entry : parser.GetFunDef()) out.push_back(entry.first);
    return out;
  }();
  return names;
}

const std::vector<std::string>& measure_constants() {
  static const std::vector<std::string> names = {"_e", "_pi"};
  return names;
}

bool takes_many(const std::string& name) {
  return std::any_of(std::begin(functions_of_many), std::end(functions_of_many), [&](const OfMany& f) { return name == f.name; });
}

std::string names_of_many() {
  std::vector<std::string> names;
  for (const OfMany& f : functions_of_many) names.emplace_back(f.name);
  return joined(names);
}

const OfPairs* of_pairs(const std::string& name) {
  const auto found = std::find_if(std::begin(functions_of_pairs), std::end(functions_of_pairs),
                                  [&](const OfPairs& f) { return name == f.name; });
  return found == std::end(functions_of_pairs) ? nullptr : found;
}

}  // namespace khost
