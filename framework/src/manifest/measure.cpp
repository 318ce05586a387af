#include "manifest/measure.hpp"

#include <muParser.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "manifest/measure_text.hpp"
#include "manifest/parts.hpp"

namespace khost {
namespace {

constexpr std::size_t stand_in = 2;  // for a length not known yet, when the text is checked

// NaN, a missing value, compares as false and vanishes: `a < b` of it is 0. So whatever computes one on the way says so here, and
// the whole measure is missing.
thread_local bool met_missing = false;

double noted(double v) {
  met_missing = met_missing || std::isnan(v);
  return v;
}

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

// Functions that take two lists of one length, and how many numbers before them.
struct OfPairs {
  const char* name;
  std::size_t before;
};
constexpr OfPairs functions_of_pairs[] = {{"pearson", 0}, {"spearman", 0}, {"interpolate", 1}};

const OfPairs* of_pairs(const std::string& name) {
  const auto found = std::find_if(std::begin(functions_of_pairs), std::end(functions_of_pairs),
                                  [&](const OfPairs& f) { return name == f.name; });
  return found == std::end(functions_of_pairs) ? nullptr : found;
}

bool takes_many(const std::string& name) {
  return std::any_of(std::begin(functions_of_many), std::end(functions_of_many), [&](const OfMany& f) { return name == f.name; });
}

std::string names_of_many() {
  std::vector<std::string> names;
  for (const OfMany& f : functions_of_many) names.emplace_back(f.name);
  return joined(names);
}

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

void define_functions(mu::Parser& parser) {
  define_noting(parser);
  for (const OfMany& f : functions_of_many) parser.DefineFun(f.name, f.function);
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

// `at`: where in the text, from 0.
std::string explained(const mu::ParserError& e, int at) {
  const std::string token = e.GetToken().empty() ? "" : " '" + e.GetToken() + "'";
  const std::string where = " at character " + std::to_string(at + 1);
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
    case mu::ecUNASSIGNABLE_TOKEN:  // what follows is a part of the token that muParser names
      if (const std::string rest = e.GetToken(); rest.find_first_of("+-*/^<>=!&|") == 0) {
        const std::string sign = rest.substr(0, rest.find_first_not_of("+-*/^<>=!&|"));
        return "has an operator '" + sign + "'" + where + " that does not belong there";
      }
      [[fallthrough]];
    default:
      return "cannot be read" + where + (token.empty() ? "" : ", near" + token);
  }
}

}  // namespace

struct Measure::Impl {
  MeasureText text;
  std::vector<Name> names;
  struct Pair {
    std::size_t x, y;
    const char* function;
  };
  std::vector<Pair> paired;          // lists that are taken by twos
  std::vector<std::size_t> lengths;  // for which `parser` is made
  std::unique_ptr<mu::Parser> parser;
  std::vector<double> values;
  struct Splice {
    std::size_t begin, end, from;  // a list's names in the expanded text, and its name in the text
    std::size_t length;            // of that name
  };
  std::vector<Splice> spliced;

  const Name* find(const std::string& name) const {
    const auto found = std::find_if(names.begin(), names.end(), [&](const Name& n) { return n.name == name; });
    return found == names.end() ? nullptr : &*found;
  }
  std::size_t index_of(const std::string& name) const { return static_cast<std::size_t>(find(name) - names.data()); }

  void check_names(const Place& place) const {
    for (const MeasureText::Mention& m : text.mentions()) {
      if (find(m.name) || contains(functions(), m.name) || contains(constants(), m.name)) continue;
      std::vector<std::string> own;
      for (const Name& n : names) own.push_back(n.name);
      std::vector<std::string> near = own;
      near.insert(near.end(), functions().begin(), functions().end());
      Error error(ErrorKind::usage, place,
                  "the measure \"" + text.text() + "\" speaks of '" + m.name + "', which is neither in 'let' nor a function");
      if (const std::string nearest = did_you_mean(m.name, near); !nearest.empty()) error.hint(nearest);
      throw error.hint("'let' has " + (own.empty() ? "nothing" : joined(own)) + "; functions: " + joined(functions()));
    }
  }

  void check_lists(const Place& place) {
    std::vector<std::vector<std::size_t>> lists(text.calls().size());
    for (const MeasureText::Mention& m : text.mentions()) {
      const Name* name = find(m.name);
      if (!name || !name->list) continue;
      const auto call = static_cast<std::size_t>(m.call);
      if (m.call < 0 || !m.alone || !takes_many(text.calls()[call].function))
        throw Error(ErrorKind::usage, place,
                    "the measure \"" + text.text() + "\" uses '" + m.name + "', a list of records, as one number at character " +
                        std::to_string(m.at + 1))
            .hint("a list stands as an argument of its own, as in mean(" + m.name + "); functions of many: " + names_of_many());
      lists[call].push_back(index_of(m.name));
    }
    for (std::size_t i = 0; i < lists.size(); ++i) {
      const OfPairs* function = of_pairs(text.calls()[i].function);
      if (lists[i].empty() || !function) continue;
      const bool before = function->before > 0;
      if (before && lists[i].size() == 1) continue;  // beside numbers: how many, it says itself
      if (lists[i].size() != 2 || text.calls()[i].arguments != 2 + function->before)
        text.fail(std::string("gives ") + function->name + " a list and something else; it takes " +
                  (before ? "a number and " : "") + "two lists of one length");
      paired.push_back({lists[i][0], lists[i][1], function->name});
    }
  }

  void check_pairs(const std::vector<std::size_t>& counts) const {
    for (const auto& [x, y, function] : paired)
      if (counts[x] != counts[y])
        text.fail("takes " + std::string(function) + "(" + names[x].name + ", " + names[y].name +
                  ") of lists of unequal length: '" + names[x].name + "' has " + std::to_string(counts[x]) + ", '" +
                  names[y].name + "' has " + std::to_string(counts[y]));
  }

  // Lengths to try the text with: as known, or as the other of a pair, or just any.
  std::vector<std::size_t> trial_lengths() const {
    std::vector<std::size_t> counts;
    for (const Name& n : names) counts.push_back(n.count);
    for (const auto& [x, y, function] : paired) {
      if (counts[x] == 0) counts[x] = counts[y];
      if (counts[y] == 0) counts[y] = counts[x];
    }
    for (std::size_t& count : counts)
      if (count == 0) count = stand_in;
    return counts;
  }

  // muParser has no lists: a list's name becomes that many names, separated by commas.
  void make(const std::vector<std::size_t>& counts) {
    std::string expanded;
    std::size_t copied = 0, total = 0;
    spliced.clear();
    std::vector<std::string> stems;
    for (const Name& n : names) {
      std::string stem = n.name + "_";
      while (std::any_of(names.begin(), names.end(), [&](const Name& other) { return other.name.starts_with(stem); }))
        stem += "_";
      stems.push_back(stem);
    }
    for (const MeasureText::Mention& m : text.mentions()) {
      const Name* name = find(m.name);
      if (!name || !name->list) continue;
      expanded.append(text.text(), copied, m.at - copied);
      const std::size_t begin = expanded.size();
      const std::size_t index = index_of(m.name);
      for (std::size_t i = 0; i < counts[index]; ++i) expanded += (i ? "," : "") + stems[index] + std::to_string(i);
      spliced.push_back({begin, expanded.size(), m.at, m.name.size()});
      copied = m.at + m.name.size();
    }
    expanded.append(text.text(), copied);
    for (const std::size_t count : counts) total += count;
    values.assign(total, 1.0);
    lengths.clear();  // until all has gone well
    parser = std::make_unique<mu::Parser>();
    try {
      define_functions(*parser);
      std::size_t at = 0;
      for (std::size_t n = 0; n < names.size(); ++n)
        for (std::size_t i = 0; i < counts[n]; ++i)
          parser->DefineVar(names[n].list ? stems[n] + std::to_string(i) : names[n].name, &values[at++]);
      parser->SetExpr(expanded);
      int results = 0;
      parser->Eval(results);
      if (results != 1) text.fail("gives " + std::to_string(results) + " numbers; one is expected");
    } catch (const mu::ParserError& e) {
      fail(e);
    }
    lengths = counts;
  }

  [[noreturn]] void fail(const mu::ParserError& e) const {
    const int position = std::max(e.GetPos(), 0);
    int at = position;
    for (const Splice& s : spliced) {
      if (position < static_cast<int>(s.begin)) break;
      const bool inside = position < static_cast<int>(s.end);
      at = static_cast<int>(s.from) + (inside ? 0 : static_cast<int>(s.length) + position - static_cast<int>(s.end));
    }
    text.fail(explained(e, at));
  }
};

Measure::Measure(const std::string& text, const std::vector<Name>& names, const Place& place)
    : impl_(std::make_unique<Impl>(Impl{MeasureText(text, place), names, {}, {}, {}, {}, {}})) {
  impl_->check_names(place);
  for (const Name& name : names)
    if (!impl_->text.mentions(name.name)) unused_.push_back(name.name);
  impl_->check_lists(place);
  const std::vector<std::size_t> counts = impl_->trial_lengths();
  impl_->check_pairs(counts);
  impl_->make(counts);
}
Measure::~Measure() = default;
Measure::Measure(Measure&&) noexcept = default;

double Measure::operator()(std::span<const std::vector<double>> values) const {
  const std::vector<Name>& names = impl_->names;
  if (values.size() != names.size())
    impl_->text.fail("has " + std::to_string(names.size()) + " names, but values for " + std::to_string(values.size()));
  std::vector<std::size_t> counts;
  for (std::size_t n = 0; n < names.size(); ++n) {
    counts.push_back(values[n].size());
    if (values[n].empty()) impl_->text.fail("cannot be computed: there is no record for '" + names[n].name + "'");
    if (!names[n].list && values[n].size() != 1)
      impl_->text.fail("takes one number for '" + names[n].name + "', but there are " + std::to_string(values[n].size()));
  }
  impl_->check_pairs(counts);
  if (counts != impl_->lengths) impl_->make(counts);
  auto at = impl_->values.begin();
  met_missing = false;
  for (std::size_t n = 0; n < names.size(); ++n) {
    at = std::copy(values[n].begin(), values[n].end(), at);
    if (impl_->text.mentions(names[n].name))
      for (const double v : values[n]) noted(v);
  }
  try {
    const double value = impl_->parser->Eval();
    return met_missing ? std::numeric_limits<double>::quiet_NaN() : value;
  } catch (const mu::ParserError& e) {
    impl_->fail(e);
  }
}

double Measure::operator()(std::span<const double> values) const {
  std::vector<std::vector<double>> each;
  for (const double value : values) each.push_back({value});
  return (*this)(each);
}

bool Measure::reserved(const std::string& name) { return contains(functions(), name) || contains(constants(), name); }

}  // namespace khost
