// An optimizer with one fault, chosen by its configuration; without one it is fit. For `khost check`.
#include <xmmintrin.h>

#include <cmath>
#include <map>

#include "khost/plugin.hpp"

namespace {

class Misbehaving final : public khost::Optimizer {
 public:
  struct Config {
    std::string fault;
    static void fields(auto& f) { f("fault", &Config::fault).doc("what it does wrong"); }
  };
  explicit Misbehaving(const Config& config) : fault_(config.fault) {}
  int slots() const override { return 1; }
  void update(const khost::Update& u) const override {
    if (fault_ == "flush to zero") _mm_setcsr(_mm_getcsr() | 0x8040u);
    double norm = 0;
    for (const double g : u.gradient) norm += g * g;
    const auto scale = static_cast<float>(fault_ == "divides by zero" ? 0.1 / std::sqrt(norm) : 0.1);
    if (fault_ == "does nothing") return;
    const std::size_t n = u.value.size();
    for (std::size_t i = 0; i < n; ++i) {
      u.state[i] = 0.9f * u.state[i] + u.gradient[i];
      u.value[i] -= scale * u.state[i];
    }
    if (fault_ == "hidden state") u.value[0] -= 0.01f * static_cast<float>(++calls_);
    if (fault_ == "writes past its state") u.state.data()[n] = 0;
    if (fault_ == "writes to the gradient") const_cast<float*>(u.gradient.data())[0] = 0;  // NOLINT: the fault
  }

 private:
  std::string fault_;
  mutable int calls_ = 0;
};

}  // namespace

KHOST_PLUGIN(khost::optimizer<Misbehaving>("misbehaving_optimizer", "an optimizer with a fault", 1))
