#include "manifest/measure.hpp"

#include <muParser.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "manifest/measure_functions.hpp"
#include "manifest/measure_text.hpp"
#include "manifest/parts.hpp"

namespace khost {
namespace {

constexpr std::size_t stand_in = 2;  // for a length not known yet, when the text is checked

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
      if (find(m.name) || contains(measure_functions(), m.name) || contains(measure_constants(), m.name)) continue;
      std::vector<std::string> own;
      for (const Name& n : names) own.push_back(n.name);
      std::vector<std::string> near = own;
      near.insert(near.end(), measure_functions().begin(), measure_functions().end());
      Error error(ErrorKind::usage, place,
                  "the measure \"" + text.text() + "\" speaks of '" + m.name + "', which is neither in 'let' nor a function");
      if (const std::string nearest = did_you_mean(m.name, near); !nearest.empty()) error.hint(nearest);
      throw error.hint("'let' has " + (own.empty() ? "nothing" : joined(own)) + "; functions: " + joined(measure_functions()));
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
      if (before && lists[i].size() == 1) {  // the xs are numbers
        const std::size_t numbers = text.calls()[i].arguments - 1 - function->before, ys = names[lists[i][0]].count;
        if (ys != 0 && ys != numbers)
          text.fail(std::string("gives ") + function->name + " " + std::to_string(numbers) + " xs and '" +
                    names[lists[i][0]].name + "' of " + std::to_string(ys) + "; they are of one length");
        continue;
      }
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
  forget_missing();
  for (std::size_t n = 0; n < names.size(); ++n) {
    at = std::copy(values[n].begin(), values[n].end(), at);
    if (impl_->text.mentions(names[n].name))
      for (const double v : values[n]) noted(v);
  }
  try {
    const double value = impl_->parser->Eval();
    return met_missing() ? std::numeric_limits<double>::quiet_NaN() : value;
  } catch (const mu::ParserError& e) {
    impl_->fail(e);
  }
}

double Measure::operator()(std::span<const double> values) const {
  std::vector<std::vector<double>> each;
  for (const double value : values) each.push_back({value});
  return (*this)(each);
}

bool Measure::reserved(const std::string& name) {
  return contains(measure_functions(), name) || contains(measure_constants(), name);
}

}  // namespace khost
