// A probe that does not change while its libraries do.
#include "khost/plugin.hpp"

extern "C" double khost_helper();
extern "C" double khost_pathed();

namespace {

class Helped : public khost::Probe {
 public:
  struct Config {
    static void fields(auto&) {}
  };
  explicit Helped(const Config&) {}
  static void declare(khost::Signals& s, const Config&) { s.emit("answer", "1", "what its libraries say"); }
  void conclude(khost::Trial& trial) override { trial.record("answer", khost_helper() + khost_pathed()); }
};

}  // namespace

KHOST_PLUGIN(khost::probe<Helped>("helped", "a probe whose libraries are built again", 1))
