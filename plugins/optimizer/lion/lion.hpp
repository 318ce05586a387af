#pragma once

#include <cstdint>
#include <string>

#include "khost/optimizer.hpp"
#include "khost/schema.hpp"

// Lion (Chen et al. 2023, algorithm 2), the sign of an interpolated momentum, with decoupled weight decay:
//   x = x - lr_t (sign(b1 m + (1 - b1) g) + weight_decay x),  m = b2 m + (1 - b2) g
// lr_t of step t of T is lr t / warmup up to step `warmup`; after it, with s = t - 1 - warmup steps behind,
//   lr (constant), or lr (1 + cos(pi s / (T - warmup))) / 2 (cosine; Loshchilov & Hutter 2017, one period):
// the first of these steps has the whole lr, and the last is not yet 0.
class Lion : public khost::Optimizer {
 public:
  struct Config {
    double lr = 5e-4;
    double beta1 = 0.9, beta2 = 0.99;
    double weight_decay = 0;
    std::string schedule = "constant";
    std::int64_t warmup = 0;
    static void fields(auto& f) {
      f("lr", &Config::lr).range(0, 1000).doc("step size: each value moves by it; a tenth to a third of Adam's");
      f("beta1", &Config::beta1).range(0, 0.999999).doc("momentum's share in the direction of a step");
      f("beta2", &Config::beta2).range(0, 0.999999).doc("decay of the momentum");
      f("weight_decay", &Config::weight_decay).range(0, 100).doc("decoupled; on matrices only, not on norms, biases or alpha");
      f("schedule", &Config::schedule)
          .choices({"constant", "cosine"})
          .doc("lr after the warm-up; cosine: down towards 0 at the training's last step");
      f("warmup", &Config::warmup).at_least(0).doc("steps over which lr rises linearly from lr / warmup");
    }
  };
  explicit Lion(const Config& config) : config_(config), cosine_(config.schedule == "cosine") {}
  int slots() const override { return 1; }
  void update(const khost::Update& u) const override;
  // lr_t. Throws a usage Error where it depends on `steps`, and these are not known.
  double rate(std::int64_t step, std::int64_t steps) const;

 private:
  Config config_;
  bool cosine_;
};
