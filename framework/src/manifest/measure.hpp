// A claim's measure: arithmetic over the records it names, one number for each seed.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "khost/error.hpp"

namespace khost {

class Measure {
 public:
  // What the text may speak of: one number, or a list of them. A list stands only as an argument of its own of a function of
  // many, which takes its values one after the other: mean(a), min(a, b, 3), argmin(a), pearson(a, b).
  struct Name {
    std::string name;
    bool list = false;
    std::size_t count = 1;  // of a list: its length; 0 when only a run can tell
    Name(const char* one) : name(one) {}
    Name(std::string one) : name(std::move(one)) {}
    Name(std::string many, std::size_t how_many) : name(std::move(many)), list(true), count(how_many) {}
  };

  // muParser's arithmetic and functions over `names`, plus mean(a, ...), sd(a, ...) with n - 1, range(a, ...), the greatest less
  // the least, argmin(a, ...) and argmax(a, ...), the index from 0, pearson and spearman of two lists, or of x1, ..., xn, y1,
  // ..., yn, and interpolate(x, xs, ys), y at x between the nearest xs. A missing value (NaN) among the records it mentions, or
  // made on the way, makes it missing. Throws a usage Error at `place`.
  Measure(const std::string& text, const std::vector<Name>& names, const Place& place = {});
  ~Measure();
  Measure(Measure&&) noexcept;

  // `values` in the order of the names, of each as many as it has: of a name that is no list, one. Throws a usage Error at the
  // measure's place when a list's length does not suit. Not from two threads at once.
  double operator()(std::span<const std::vector<double>> values) const;
  double operator()(std::span<const double> values) const;  // without lists

  const std::vector<std::string>& unused() const { return unused_; }  // names the text does not mention

  static bool reserved(const std::string& name);  // a function or constant: no name for a record

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  std::vector<std::string> unused_;
};

}  // namespace khost
