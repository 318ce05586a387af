#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "khost/probe.hpp"
#include "khost/schema.hpp"
#include "khost/spectral.hpp"

// Coverage (paper 87): how much of G = dL/dW_eff lies in a basis of rank K. Block: ||U'GV||_F / ||G||_F; diagonal:
// ||diag(U'GV)|| / ||G||_F, which is what a diagonal adapter can follow. For the base's singular vectors, a random basis, and the
// singular vectors of G at step 1; for every adaptable matrix, adapted or not. A basis of a smaller rank is the beginning of the
// larger one's, so that one product at the largest rank serves all of them.
class Coverage : public khost::Probe {
 public:
  struct Config {
    std::vector<std::string> bases{"svd", "random", "gradient"};
    std::vector<std::int64_t> ranks{2, 4, 8, 16, 32, 64};
    std::vector<std::int64_t> steps{1, 10, 20, 40};
    static void fields(auto& f) {
      f("bases", &Config::bases).doc("of svd, random and gradient: which bases' coverage");
      f("ranks", &Config::ranks).at_least(1).doc("for which K; at most min(m, n) of every matrix");
      f("steps", &Config::steps).at_least(1).doc("at which steps; step 1 sees the gradient before any update");
    }
  };

  explicit Coverage(const Config& config);
  static void declare(khost::Signals& s, const Config& config);
  void null(khost::NullDraw& draw) override;
  void begin(const khost::TrialInfo& trial) override;
  void observe(const khost::Step& step) override;
  void conclude(khost::Trial& trial) override;
  void state(khost::State& s) override { s(gradients_, measured_); }

 private:
  // Means over matrices, of one basis and K at one step.
  struct Figures {
    std::string basis;
    std::int64_t K = 0, step = 0;  // from 1
    khost::Mean block, diagonal, block_over_null, diagonal_over_null;
    void state(khost::State& s) { s(basis, K, step, block, diagonal, block_over_null, diagonal_over_null); }
  };
  // U and V of matrix i.
  struct Pair {
    khost::ArrayView U, V;
  };
  // How much of one matrix's G of that norm its U'GV covers, for each rank; empty where G is 0.
  struct Covered {
    double block = 0, diagonal = 0;
  };
  std::vector<Covered> covered(const std::vector<double>& core, double norm) const;
  void take(const std::string& basis, std::int64_t step, const std::vector<khost::AdaptedMatrix>& matrices,
            const std::vector<std::vector<Covered>>& covered);
  void report(khost::Records& records) const;
  void keep_gradient_basis(const khost::Step& step);
  Pair pair(const khost::Step& step, const std::string& basis, std::size_t matrix) const;
  void measure(const khost::Step& step, const std::string& basis);

  Config config_;
  std::int64_t most_ = 0;                // the largest rank
  std::vector<khost::Basis> gradients_;  // of each matrix's gradient at step 1
  std::vector<Figures> measured_;
};
