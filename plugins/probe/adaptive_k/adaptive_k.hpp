#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "khost/probe.hpp"
#include "khost/schema.hpp"

// K of each layer from the mean in-basis effective rank that an upstream arm measured there (paper 84):
//
//   er                K_layer = round(ER_layer / c), at least 1 and at most min(m, n) of the layer's matrices
//   shuffle           the same Ks on layers in random order: does it matter which layer gets which?
//   equal_parameters  every layer the same K, within one, at exactly the parameters of `er`: is it more than the extra ones?
//
// Matrices outside layers keep their K, and so do those that carry no adapter.
class AdaptiveK : public khost::Policy {
 public:
  struct Config {
    std::string from;
    double c = 0.62;
    std::string assign = "er";
    static void fields(auto& f) {
      f("from", &Config::from)
          .required()
          .doc("ARM/PROBE: an effective_rank probe of an arm in this arm's \"needs\": \"uniform_32/effective_rank\"");
      f("c", &Config::c).range(0.01, 10).doc("effective rank per dim of K: K = round(ER / c)");
      f("assign", &Config::assign)
          .choices({"er", "shuffle", "equal_parameters"})
          .doc("by effective rank, or one of its controls");
    }
  };

  explicit AdaptiveK(const Config& config) : config_(config) {}
  static void declare(khost::Signals& s, const Config& config);
  void null(khost::NullDraw& draw) override;
  void resolve(const khost::Upstream& upstream, std::vector<std::int64_t>& ranks) override;
  void conclude(khost::Trial& trial) override;
  void state(khost::State&) override {}  // nothing is gathered from step to step

 private:
  struct Layer {
    int index = 0;
    std::vector<std::size_t> matrices;  // those with an adapter
    std::int64_t cost = 0;              // parameters of one dim: sum of m + n
    std::int64_t limit = 0;             // the smallest min(m, n)
    std::int64_t K = 0;
  };
  static std::vector<Layer> layers(const khost::TrialInfo& trial);
  void by_effective_rank(const khost::Upstream& upstream, std::vector<Layer>& layers) const;
  void assign(std::vector<Layer>& layers, khost::Random& random) const;  // by their K of `er`
  static void equal_parameters(std::vector<Layer>& layers);
  std::int64_t dims(double rank, const Layer& layer) const;
  static void report(khost::Records& records, const khost::TrialInfo& trial);

  Config config_;
};
