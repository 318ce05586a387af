#include "khost/plugin.hpp"

class DefaultOutOfRange final : public khost::Probe {
 public:
  struct Config {
    double rate = 30;
    static void fields(auto& f) { f("rate", &Config::rate).range(0, 1).doc("a share"); }
  };
  explicit DefaultOutOfRange(const Config&) {}
  static void declare(khost::Signals& s, const Config&) { s.emit("value", "1", "one").no_null("value", "it is 1"); }
  void conclude(khost::Trial& trial) override { trial.record("value", 1); }
};

KHOST_PLUGIN(khost::probe<DefaultOutOfRange>("default_out_of_range", "makes a mistake in its parameters", 1))
