// The smallest whole probe, with one parameter of each form.
#include <optional>

#include "khost/plugin.hpp"

namespace {

class Good : public khost::Probe {
 public:
  struct Config {
    std::int64_t every = 5;
    double rate = 0.5;
    std::string mode = "fast";
    std::vector<std::int64_t> keep = {4, 2};
    std::optional<double> limit;
    std::string log;
    static void fields(auto& f) {
      f("every", &Config::every).at_least(1).doc("steps between two looks");
      f("rate", &Config::rate).range(0, 1).doc("share of dims");
      f("mode", &Config::mode).choices({"fast", "exact"});
      f("keep", &Config::keep).doc("numbers of dims to keep");
      f("limit", &Config::limit);
      f("log", &Config::log).operational().deprecated("use --verbose");
    }
  };
  explicit Good(const Config& config) : config_(config) {}
  static void declare(khost::Signals& s, const Config& config) {
    s.need("alpha.grad", khost::every(config.every));
    s.emit("size/<group>", "1", "mean size of the gradient").evaluations(static_cast<std::int64_t>(config.keep.size()));
  }
  void conclude(khost::Trial& trial) override { trial.record("size/all", config_.rate); }

 private:
  Config config_;
};

}  // namespace

KHOST_PLUGIN(khost::probe<Good>("good", "the smallest whole probe", 3))
