#include "khost/plugin.hpp"

class HostKey final : public khost::Probe {
 public:
  struct Config {
    std::int64_t arms = 2;
    static void fields(auto& f) { f("arms", &Config::arms).doc("how many"); }
  };
  explicit HostKey(const Config&) {}
  static void declare(khost::Signals& s, const Config&) { s.emit("value", "1", "one").no_null("value", "it is 1"); }
  void conclude(khost::Trial& trial) override { trial.record("value", 1); }
};

KHOST_PLUGIN(khost::probe<HostKey>("host_key", "makes a mistake in its parameters", 1))
