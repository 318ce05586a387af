// A probe under development: its author changes what it computes and not its numerics number.
#include "khost/plugin.hpp"

class Rebuilt : public khost::Probe {
 public:
  struct Config {
    std::string table;  // a file
    bool verbose = false;
    static void fields(auto& f) {
      f("table", &Config::table).path();
      f("verbose", &Config::verbose).operational();
    }
  };

  explicit Rebuilt(const Config&) {}
  static void declare(khost::Signals& s, const Config&) { s.need("loss").emit("answer", "1", "what its body says"); }
  void observe(const khost::Step&) override {}
  void conclude(khost::Trial& trial) override {
#ifdef KHOST_OTHER_BODY
    trial.record("answer", 43);
#else
    trial.record("answer", 42);
#endif
  }
};

KHOST_PLUGIN(khost::probe<Rebuilt>("rebuilt", "a probe that is built again", 1))
