// Leaves its mark on process and thread: by the library it is linked with when it is loaded, as crtfastmath.o of -ffast-math
// does, and in every call.
#include "khost/plugin.hpp"

extern "C" void khost_unsettle();

namespace {

class Unsettling : public khost::Probe {
 public:
  struct Config {
    static void fields(auto&) {}
  };
  explicit Unsettling(const Config&) { khost_unsettle(); }
  static void declare(khost::Signals& s, const Config&) {
    s.need("loss", khost::every(1));
    s.emit("half", "1", "half a number below the smallest normal one, after the last step");
  }
  void observe(const khost::Step&) override {
    volatile float small = 1e-39f;
    half_ = 0.5f * small;
    khost_unsettle();
  }
  void conclude(khost::Trial& trial) override { trial.record("half", static_cast<double>(half_)); }

 private:
  float half_ = 0;
};

}  // namespace

KHOST_PLUGIN(khost::probe<Unsettling>("unsettling", "sets flush-to-zero and the locale", 1))
