#include "khost/plugin.hpp"

class MistakenStep final : public khost::Probe {
 public:
  struct Config {
    static void fields(auto&) {}
  };
  explicit MistakenStep(const Config&) {}
  static void declare(khost::Signals& s, const Config&) { s.need("alpha.grad", khost::every(2)).need("loss"); }
  void observe(const khost::Step& step) override { step["alpha.grad"]; }
};

KHOST_PLUGIN(khost::probe<MistakenStep>("mistaken_step", "reads a signal at a step for which it did not declare it", 1))
