#pragma once

#include <cstdint>

#include "khost/optimizer.hpp"
#include "khost/schema.hpp"

// Adam (Kingma & Ba 2015, algorithm 1) with bias correction, decoupled weight decay (Loshchilov & Hutter 2019) and linear
// warm-up:
//   m = b1 m + (1 - b1) g,  v = b2 v + (1 - b2) g^2,  mh = m / (1 - b1^t),  vh = v / (1 - b2^t)
//   x = x - lr_t (mh / (sqrt(vh) + eps) + weight_decay x),  lr_t = lr min(1, t / warmup)
class Adam : public khost::Optimizer {
 public:
  struct Config {
    double lr = 5e-3;
    double beta1 = 0.9, beta2 = 0.999;
    double eps = 1e-8;
    double weight_decay = 0;
    std::int64_t warmup = 0;
    static void fields(auto& f) {
      f("lr", &Config::lr).range(0, 1000).doc("step size");
      f("beta1", &Config::beta1).range(0, 0.999999).doc("decay of the first moment");
      f("beta2", &Config::beta2).range(0, 0.999999).doc("decay of the second moment");
      f("eps", &Config::eps).range(0, 1).doc("added to the root of the second moment");
      f("weight_decay", &Config::weight_decay).range(0, 1).doc("decoupled; on matrices only, not on norms, biases or alpha");
      f("warmup", &Config::warmup).at_least(0).doc("steps over which lr rises linearly from lr / warmup");
    }
  };
  explicit Adam(const Config& config) : config_(config) {}
  int slots() const override { return 2; }
  void update(const khost::Update& u) const override;

 private:
  Config config_;
};
