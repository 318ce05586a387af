// A table of text whose columns are as wide as their widest cell.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "report/text.hpp"

namespace khost {

class Columns {
 public:
  enum class Align { left, right };
  // Of all columns but the first, which is aligned to the left.
  explicit Columns(Align others) : others_(others) {}

  void add(std::vector<std::string> row) {
    widths_.resize(std::max(widths_.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths_[i] = std::max(widths_[i], columns(row[i]));
    rows_.push_back(std::move(row));
  }
  std::string text() const {
    std::string out;
    for (const auto& row : rows_) {
      std::string line;
      for (std::size_t i = 0; i < row.size(); ++i) {
        line += i ? "  " : "";
        line += i && others_ == Align::right ? right(row[i], widths_[i]) : left(row[i], widths_[i]);
      }
      out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
    }
    return out;
  }

 private:
  Align others_;
  std::vector<std::vector<std::string>> rows_;
  std::vector<std::size_t> widths_;
};

}  // namespace khost
