#include "khost/plugin.hpp"

class FieldTwice final : public khost::Probe {
 public:
  struct Config {
    std::int64_t every = 1, from = 0;
    static void fields(auto& f) { f("every", &Config::every).at_least(1).doc("every n-th step"), f("every", &Config::from); }
  };
  explicit FieldTwice(const Config&) {}
  static void declare(khost::Signals& s, const Config&) { s.emit("value", "1", "one").no_null("value", "it is 1"); }
  void conclude(khost::Trial& trial) override { trial.record("value", 1); }
};

KHOST_PLUGIN(khost::probe<FieldTwice>("field_twice", "makes a mistake in its parameters", 1))
