// A probe whose destructor throws, and with a default that its own range refuses, a parameter and a record without a word.
#include <stdexcept>

#include "khost/plugin.hpp"

namespace {

class Destroy final : public khost::Probe {
 public:
  struct Config {
    static void fields(auto&) {}
  };
  explicit Destroy(const Config&) {}
  ~Destroy() override { throw std::runtime_error("out of a destructor"); }
  static void declare(khost::Signals&, const Config&) {}
};

}  // namespace

KHOST_PLUGIN(khost::probe<Destroy>("misbehaving_destroy", "a destructor that throws", 1))
