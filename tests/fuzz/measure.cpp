// A claim's measure: refused with its place, or a number, which brackets and blanks do not change.
#include "manifest/measure.hpp"

#include <bit>
#include <cmath>

#include "fuzz.hpp"

using namespace khost;
using namespace khost::fuzz;

namespace {

const std::vector<Measure::Name> names = {"a", "b", "x1", {"list", 3}, {"pair", 3}, {"open", 0}};

bool same(double x, double y) {
  return (std::isnan(x) && std::isnan(y)) || std::bit_cast<std::uint64_t>(x) == std::bit_cast<std::uint64_t>(y);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(text_of(data, size));
  const Place place{"m", 3, 4};
  try {
    const Measure measure(text, names, place);
    const std::vector<std::vector<double>> values = {{0.5}, {-2}, {3}, {1, 2, 4}, {4, -1, 0.25}, {5, 6}};
    double value = 0;
    try {
      value = measure(values);
      hold(same(measure(values), value), "a measure gives the same again", text);
    } catch (const Error& e) {
      hold_message(e, true);
      return 0;
    }
    if (text.size() > 900) return 0;  // the longest has 1000 characters
    hold(same(Measure("( " + text + " )", names, place)(values), value), "brackets change nothing", text);
    const std::vector<std::vector<double>> missing = {{std::nan("")},
                                                      {std::nan("")},
                                                      {std::nan("")},
                                                      std::vector<double>(3, std::nan("")),
                                                      std::vector<double>(3, std::nan("")),
                                                      {5, 6}};
    static_cast<void>(measure(missing));
  } catch (const Error& e) {
    hold_message(e, true);
    hold(e.kind() == ErrorKind::usage, "a wrong measure is a usage error", e.what());
  }
  return 0;
}
