// A policy with one fault, chosen by its configuration; without one it is fit. For `khost check`.
#include <vector>

#include "khost/plugin.hpp"

namespace {

class Misbehaving final : public khost::Policy {
 public:
  struct Config {
    std::string fault;
    static void fields(auto& f) { f("fault", &Config::fault).doc("what it does wrong"); }
  };
  explicit Misbehaving(const Config& config) : fault_(config.fault) {}

  static void declare(khost::Signals& s, const Config&) { s.need("weights", khost::at({0})).modify("alpha.scale"); }

  void observe(const khost::Step& step) override { weights_ = step["weights"][0].array.f32(); }

  void before_step(khost::StepPlan& plan) override {
    for (float& scale : plan.alpha_scale(0)) scale = 0.5f;
    if (fault_ == "undeclared") plan.reset_optimizer();
    if (fault_ == "writes" && plan.index() == 5) const_cast<float*>(weights_.data())[1] += 0.1f;  // NOLINT: the fault
  }

 private:
  std::string fault_;
  std::span<const float> weights_;
};

}  // namespace

KHOST_PLUGIN(khost::probe<Misbehaving>("misbehaving_policy", "a policy with a fault", 1))
