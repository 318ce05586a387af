// The base models and the directions (U and V) of their matrices: built once, cached, shared by all trials.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "artifact/cache.hpp"
#include "compute/backend.hpp"
#include "engine/recent.hpp"
#include "engine/weights.hpp"
#include "khost/safetensors.hpp"
#include "khost/spectral.hpp"
#include "plan/plan.hpp"

namespace khost {

// U and V of every adaptable matrix of an arm, the first K columns, in the order of ArmShape::matrices; empty where K = 0.
using Directions = std::vector<Basis>;

struct BaseProgress {
  std::int64_t step = 0, steps = 0;
  double loss = 0;         // of the training batch
  double calibration = 0;  // NaN without a target
};

class BaseModels {
 public:
  // How bases are in memory: mapped, all processes that use them share one copy.
  using Hold = SafetensorsFile::Hold;
  using Report = std::function<void(const PlannedBase&, const BaseProgress&)>;
  // `backend` is the artifacts' own, not the run's: its products are cut in parts. `interrupted` is asked between steps. A
  // training's checkpoint is kept every so many seconds, and when it is interrupted.
  BaseModels(const Experiment& experiment, const Materials& materials, Cache& cache, Backend& backend, Report report,
             std::function<bool()> interrupted, double checkpoint_period = 30, Hold hold = Hold::copied);

  // Trains it if it is not in the cache. Throws an Error, the same at every call, when it cannot be had: it never reaches its
  // target, its loss turns NaN, a plugin fails, the disk is full, its file is not what it says, or no longer the one that was
  // planned.
  std::shared_ptr<const Weights> weights(const PlannedBase& base);
  // The same for an arm whose model is another than the base's: tensors that the base has not are drawn from its seed. Throws a
  // usage Error for a tensor of the base that the arm's model has not, or has in another shape.
  std::shared_ptr<const Weights> weights(const PlannedBase& base, const Arm& arm);
  bool cached(const PlannedBase& base) const;
  // How it came out, from its artifact's metadata: "57 steps, calibration loss 7.83"; of one from a file that file; "" when it is
  // not there.
  std::string summary(const PlannedBase& base);

  // `kind`: svd or random. One artifact a base and kind serves all ranks of the experiment.
  std::shared_ptr<const Directions> directions(const PlannedBase& base, const std::string& kind,
                                               const std::vector<AdaptedMatrix>& matrices);

  // What went wrong when it was made, thrown again.
  void expect(const PlannedBase& base);
  // What those who map it need, in the cache.
  void share(const PlannedBase& base);
  // Of what nobody uses any more: it is read again when somebody does.
  void release();

  // The loss of an unadapted base on the held-out windows of an arm's data: the same for all its trials, so `measure` is called
  // once.
  double held_out_base(const PlannedBase& base, const Arm& arm, const std::function<double()>& measure);

  // Makes the base and what all arms cut from it. Throws an interrupted Error alone: what else goes wrong is thrown again by
  // weights() and directions() for every trial, and ends those trials only.
  void prepare(const PlannedBase& base);

 private:
  std::string file(const PlannedBase& base);
  Weights load(const PlannedBase& base);
  std::string shared_copy(const PlannedBase& base);
  void expect_locked(const PlannedBase& base) const;
  void train(const PlannedBase& base, const std::string& path);
  void build_basis(const PlannedBase& base, const std::string& kind, std::int64_t rank, const Json& recipe,
                   const std::string& path);

  const Experiment& experiment_;
  const Materials& materials_;
  Cache& cache_;
  Backend& backend_;
  Report report_;
  std::function<bool()> interrupted_;
  double checkpoint_period_;
  Hold hold_;
  std::mutex mutex_;
  std::map<std::string, Error> failures_;
  std::map<std::string, std::shared_ptr<const Weights>> weights_;
  Recent<const Directions> directions_{
      4};  // each run of an arm's trials uses one; ranks that a trial resolves make one for each trial
  std::map<std::string, double> held_out_;
};

}  // namespace khost
