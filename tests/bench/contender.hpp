// Who is timed: a program with arguments, and what its environment may give it. Each is measured at its best setting: of how the
// C library keeps memory, and of OpenBLAS's kernels, those that are fastest here and compute right products.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "khost/json.hpp"

namespace khost::bench {

// Variables for a child; one without a value is taken away.
using Environment = std::vector<std::pair<std::string, std::optional<std::string>>>;

struct Setting {
  bool keeps_memory = false;
  std::string kernel;  // OPENBLAS_CORETYPE; "" leaves the choice to the library

  Environment environment() const;
  bool operator==(const Setting&) const = default;
};

// What a child printed, or why it did not.
struct Printed {
  std::optional<Json> said;
  std::string failure;
};
Printed start(const std::vector<std::string>& arguments, const Environment& environment);

struct Contender {
  std::string name;
  std::vector<std::string> step;      // prints the time of a step as JSON; takes --batch, --seconds and so on
  std::vector<std::string> products;  // fails where a product is wrong; empty where `step` itself refuses
  std::string libraries;              // LD_LIBRARY_PATH, "" for the user's
  bool chooses_memory = false, chooses_kernel = false;

  Printed operator()(const Setting& setting, const std::vector<std::string>& more) const { return run(step, setting, more); }
  bool is_right(const Setting& setting) const { return products.empty() || run(products, setting, {}).said; }

 private:
  Printed run(std::vector<std::string> arguments, const Setting& setting, const std::vector<std::string>& more) const;
};

// A setting that was tried, with its milliseconds a step, or why it is out.
struct Candidate {
  Setting setting;
  std::string kernel;  // that computed, as its library calls it
  double ms = 0;
  std::string out;

  std::string text() const;
  Json json() const;
};

struct Choice {
  Setting setting;
  std::vector<Candidate> tried;
};

// The fastest setting for these arguments of a step. The kernels first, with memory kept where that can be chosen, then the
// allocator with the fastest of them. `tell` hears of each as it has been tried. Throws a usage Error when none works.
Choice choose(const Contender& contender, const std::vector<std::string>& more,
              const std::function<void(const Candidate&)>& tell = nullptr);

// Runs it, and says what it threw: the exit code.
int ended(const std::function<void()>& run);

}  // namespace khost::bench
