#include "khost/plugin.hpp"

class NoFields final : public khost::Probe {
 public:
  struct Config {
    std::int64_t every = 2;
  };
  explicit NoFields(const Config&) {}
  static void declare(khost::Signals& s, const Config&) { s.emit("value", "1", "one").no_null("value", "it is 1"); }
  void conclude(khost::Trial& trial) override { trial.record("value", 1); }
};

KHOST_PLUGIN(khost::probe<NoFields>("no_fields", "makes a mistake in its parameters", 1))
