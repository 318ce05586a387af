// A probe with a default that its own range refuses.
#include "khost/plugin.hpp"

namespace {

class Schema final : public khost::Probe {
 public:
  struct Config {
    double rate = 2;
    static void fields(auto& f) { f("rate", &Config::rate).range(0, 1).doc("a probability"); }
  };
  explicit Schema(const Config&) {}
  static void declare(khost::Signals&, const Config&) {}
};

}  // namespace

KHOST_PLUGIN(khost::probe<Schema>("misbehaving_schema", "a default out of its range", 1))
