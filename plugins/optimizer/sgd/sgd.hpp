#pragma once

#include "khost/optimizer.hpp"
#include "khost/schema.hpp"

// Stochastic gradient descent with heavy-ball momentum and decoupled weight decay:
//   u = momentum u + g,  x = x - lr (u + weight_decay x)
class Sgd : public khost::Optimizer {
 public:
  struct Config {
    double lr = 0.1;
    double momentum = 0;
    double weight_decay = 0;
    static void fields(auto& f) {
      f("lr", &Config::lr).range(0, 1000).doc("step size");
      f("momentum", &Config::momentum).range(0, 0.999999).doc("heavy-ball momentum; 0 is plain gradient descent");
      f("weight_decay", &Config::weight_decay).range(0, 1).doc("decoupled; on matrices only, not on norms, biases or alpha");
    }
  };
  explicit Sgd(const Config& config) : config_(config) {}
  int slots() const override { return config_.momentum > 0 ? 1 : 0; }
  void update(const khost::Update& u) const override;

 private:
  Config config_;
};
