// A language of no meaning with two traits of a real one: Zipf's law, and a next token that the last one helps to guess.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "khost/data.hpp"

namespace khost {

// Tokens are ranks: token r has the Zipf weight z(r) ~ (r + 1)^-zipf. Each token has `branching` preferred successors, drawn once
// from z. A token is followed with probability `coherence` by one of its preferred successors, all alike, and else by a draw from
// z.
//
// As the successors are drawn from z, tokens are distributed about as z. With h the entropy in nats of the choice between table
// and z, the entropy of a token given the one before is at most
//     h(coherence) + coherence ln(branching) + (1 - coherence) H(z)
// (less where the two overlap), and no model can have a lower loss on long text than this entropy itself. For the defaults H(z)
// is 4.76, and the bound 3.01 nats.
//
// The parts are separate walks through one table.
class Synthetic : public Data {
 public:
  struct Config {
    std::int64_t vocab = 512;
    std::int64_t source_seed = 0;
    double zipf = 1.0;
    std::int64_t branching = 4;
    double coherence = 0.7;
    std::int64_t tokens = 200'000;
    double held_out = 0.05;
    double calibration = 0.05;

    static void fields(auto& f) {
      f("vocab", &Config::vocab).range(2, 1 << 20).doc("number of different tokens");
      f("source_seed", &Config::source_seed).at_least(0).doc("another seed is another language over the same tokens");
      f("zipf", &Config::zipf).range(0, 10).doc("exponent of Zipf's law; 0: all tokens alike");
      f("branching", &Config::branching).range(1, 64).doc("preferred successors of each token");
      f("coherence", &Config::coherence).range(0, 1).doc("probability that a preferred successor follows");
      f("tokens", &Config::tokens).range(1, 1e9).doc("length of all parts together");
      f("held_out", &Config::held_out).range(0, 1).doc("fraction of the tokens that is never trained on");
      f("calibration", &Config::calibration).range(0, 1).doc("fraction of the tokens on which bases look for their target");
    }
  };

  Synthetic(const Config& config, DataContext& context);

  std::int64_t vocabulary() const override { return vocabulary_; }
  std::string identity() const override { return identity_; }
  std::int64_t tokens(Part part) const override { return std::ssize(parts_[static_cast<std::size_t>(part)]); }
  void windows(Part part, std::int64_t count, std::int64_t length, Random& random, std::span<std::int32_t> out) const override;

 private:
  std::int64_t vocabulary_;
  std::string identity_;
  std::array<std::vector<std::int32_t>, 3> parts_;  // by Part
};

}  // namespace khost
