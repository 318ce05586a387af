// A probe that takes by its schema what it cannot bear: without its fault it is fit. For `khost check`.
#include <stdexcept>

#include "khost/plugin.hpp"

namespace {

class Values final : public khost::Probe {
 public:
  struct Config {
    std::int64_t every = 2;
    std::vector<std::int64_t> dims{1};
    std::string fault;
    static void fields(auto& f) {
      f("every", &Config::every).range(0, 10).doc("every so many steps");
      f("dims", &Config::dims).at_least(0).doc("which dims");
      f("fault", &Config::fault).doc("what it does wrong");
    }
  };
  explicit Values(const Config& config) {
    if (config.every == 0) {
      volatile std::int64_t divisor = config.every;
      if (config.fault == "crash") rest_ = 100 % divisor;
      throw khost::Error(khost::ErrorKind::usage, "every is 0, and has to be 1 or more");
    }
    if (config.fault == "throws") static_cast<void>(config.dims.at(0));
  }
  static void declare(khost::Signals&, const Config&) {}

 private:
  std::int64_t rest_ = 0;
};

}  // namespace

KHOST_PLUGIN(khost::probe<Values>("misbehaving_values", "values that it cannot bear", 1))
