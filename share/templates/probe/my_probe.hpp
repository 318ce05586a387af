#pragma once

#include "khost/nulls.hpp"
#include "khost/plugin.hpp"

// How much of alpha's gradient lies in the first dims, those of the largest singular values.
class MyProbe final : public khost::Probe {
 public:
  struct Config {
    std::int64_t dims = 4;
    static void fields(auto& f) { f("dims", &Config::dims).at_least(1).doc("how many of a matrix's dims count as the first"); }
  };

  explicit MyProbe(const Config& config) : dims_(static_cast<std::size_t>(config.dims)) {}

  static void declare(khost::Signals& s, const Config&) {
    s.need("alpha.grad");  // at each step; at(...) and every(n) ask for fewer
    s.emit("share", "1", "share of ||dL/dalpha||^2 in the first `dims` dims, mean over matrices; of the trial: mean over steps");
    s.null("share", "independent Gaussian gradients, whose share is dims / K");
  }

  void observe(const khost::Step& step) override {
    khost::Mean over_matrices;
    for (const auto& [matrix, gradient] : step["alpha.grad"]) {
      double first = 0, all = 0;
      std::size_t k = 0;
      for (const double g : gradient.f32()) {
        if (k++ < dims_) first += g * g;
        all += g * g;
      }
      over_matrices.add(all > 0 ? first / all : khost::missing);
    }
    step.record("share", over_matrices.value());
    over_steps_.add(over_matrices.value());
  }

  void conclude(khost::Trial& trial) override { trial.record("share", over_steps_.value()); }

  // What noise alone gives: the same sums over gradients that are nothing else.
  void null(khost::NullDraw& draw) override { khost::nulls::iid_gradients(*this, draw); }

  // What a trial that was broken off goes on with.
  void state(khost::State& s) override { s(over_steps_.sum, over_steps_.n); }

 private:
  std::size_t dims_;
  khost::Mean over_steps_;
};
