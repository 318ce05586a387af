// The functions and operators of measures: muParser's, those of many and of pairs of lists. What meets a missing value on the
// way says so, since muParser itself would lose it.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace mu {
class Parser;
}

namespace khost {

// NaN, a missing value, compares as false and vanishes: `a < b` of it is 0. So whatever computes one on the way notes it, and the
// whole measure is missing. Of this thread; begun anew with forget_missing().
double noted(double value);
void forget_missing();
bool met_missing();

void define_functions(mu::Parser& parser);

const std::vector<std::string>& measure_functions();
const std::vector<std::string>& measure_constants();

bool takes_many(const std::string& function);
std::string names_of_many();  // "mean, avg, ..."

// A function that takes two lists of one length, and how many numbers before them.
struct OfPairs {
  const char* name;
  std::size_t before;
};
const OfPairs* of_pairs(const std::string& function);  // null: it takes no pairs

}  // namespace khost
