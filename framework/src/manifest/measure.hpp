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
  // muParser's arithmetic and functions over `names`, plus mean(a, ...), argmin(a, ...), the index from 0 of the least, and
  // pearson(x1, ..., xn, y1, ..., yn). Throws a usage Error at `place`.
  Measure(const std::string& text, const std::vector<std::string>& names, const Place& place = {});
  ~Measure();
  Measure(Measure&&) noexcept;

  // `values` in the order of the names. Not from two threads at once.
  double operator()(std::span<const double> values) const;

  const std::vector<std::string>& unused() const { return unused_; }  // names the text does not mention

  static bool reserved(const std::string& name);  // a function or constant: no name for a record

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  std::vector<std::string> unused_;
};

}  // namespace khost
