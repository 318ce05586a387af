// An optimizer with a parameter that nobody explains.
#include "khost/plugin.hpp"

namespace {

class Undocumented final : public khost::Optimizer {
 public:
  struct Config {
    double lr = 0.1;
    static void fields(auto& f) { f("lr", &Config::lr).range(0, 1); }
  };
  explicit Undocumented(const Config& config) : lr_(static_cast<float>(config.lr)) {}
  int slots() const override { return 0; }
  void update(const khost::Update& u) const override {
    for (std::size_t i = 0; i < u.value.size(); ++i) u.value[i] -= lr_ * u.gradient[i];
  }

 private:
  float lr_;
};

}  // namespace

KHOST_PLUGIN(khost::optimizer<Undocumented>("misbehaving_undocumented", "a parameter without a word", 1))
