// Bases and the bases of singular vectors cut from them: built once, cached, shared by all trials.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "artifact/cache.hpp"
#include "compute/backend.hpp"
#include "engine/weights.hpp"
#include "khost/spectral.hpp"
#include "plan/plan.hpp"

namespace khost {

// U and V of every adapted matrix, cut to one rank, in the order of Materials::matrices().
using CutBasis = std::vector<Basis>;

struct BaseProgress {
  std::int64_t step = 0, steps = 0;
  double loss = 0;         // of the training batch
  double calibration = 0;  // NaN without a target
};

class Bases {
 public:
  using Report = std::function<void(const PlannedBase&, const BaseProgress&)>;
  // `backend` is the artifacts' own, not the run's. `interrupted` is asked between steps.
  Bases(const Experiment& experiment, const Materials& materials, Cache& cache, Backend& backend, Report report,
        std::function<bool()> interrupted);

  // Trains it if it is not in the cache. Throws a trial Error, the same at every call, when it never reaches its target, or its
  // loss turns NaN.
  std::shared_ptr<const Weights> weights(const PlannedBase& base);
  bool cached(const PlannedBase& base) const;
  // How it came out, from its artifact's metadata: "spectral-null: 57 steps, calibration loss 7.83"; "" when it is not there.
  std::string summary(const PlannedBase& base);

  // U and V of every adaptable matrix. One artifact a base and basis serves all ranks of the experiment.
  std::shared_ptr<const CutBasis> cut(const PlannedBase& base, const AdapterSpec& adapter);

  // Makes the base and what all arms cut from it. A trial Error is kept, and thrown again by weights() for every trial.
  void prepare(const PlannedBase& base);

 private:
  std::string file(const PlannedBase& base);
  void train(const PlannedBase& base, const std::string& path);

  const Experiment& experiment_;
  const Materials& materials_;
  Cache& cache_;
  Backend& backend_;
  Report report_;
  std::function<bool()> interrupted_;
  std::mutex mutex_;
  std::map<std::string, Error> failures_;
  std::map<std::string, std::shared_ptr<const Weights>> weights_;
  std::map<std::string, std::shared_ptr<const CutBasis>> cuts_;
};

}  // namespace khost
