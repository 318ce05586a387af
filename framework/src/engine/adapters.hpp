// The trained side of a trial: the adapters of all its matrices, whatever their core and rank.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/base_models.hpp"
#include "engine/trainer.hpp"
#include "graph/program.hpp"
#include "khost/probe.hpp"
#include "khost/state.hpp"

namespace khost {

class Adapters {
 public:
  // `matrices` with their final ranks. Alphas start at 0, so dW = 0. Where the core trains factors, they are copies of the basis.
  // `core` may be null where all ranks are 0, else it outlives this.
  Adapters(std::shared_ptr<const Directions> basis, const std::vector<AdaptedMatrix>& matrices, const Core* core);
  Adapters(const Adapters&) = delete;  // slots point into it

  const AdapterSlot* slot(std::size_t matrix) const;  // null where K = 0
  std::vector<Trained> trained();                     // for the trainer, in order of the matrices; those of K = 0 have none

  const Alphas& alphas() const { return alpha_; }
  const Alphas& gradients() const { return gradient_; }
  Alphas zero() const;  // of the same shapes
  const float* U(std::size_t matrix) const { return slots_[matrix].U; }
  const float* V(std::size_t matrix) const { return slots_[matrix].V; }
  Shape alpha_shape(std::size_t matrix) const;

  // What the next forward pass uses: `values` times the step's scale.
  void apply(const Alphas& values);
  // After a backward pass: from the gradient of the scaled values to that of the values, 0 for dims that are switched off.
  void chain();

  std::span<float> scale(std::size_t matrix);  // of this step; 1 again after unscale()
  void unscale();

  void reset(std::size_t matrix, std::int64_t k);  // alpha_k, or column k of C, is 0

  // Only the first K dims of a matrix count from now on; what they lose or gain is set to 0. True when the rank changed.
  bool set_rank(std::size_t matrix, std::int64_t K);
  void state(State& s);  // of a checkpoint: which dims count; what is trained is the trainer's
  bool active(std::size_t matrix, std::size_t entry) const;  // of the core's entries
  std::int64_t adapter_parameters() const;                   // sum of K (m + n), of active dims
  std::int64_t trainable_parameters() const;                 // of active dims

  std::vector<double> displacement() const;                 // ||U C V'||_F of each matrix
  std::vector<float> difference(std::size_t matrix) const;  // U C V' [m, n]; empty where K = 0
  std::vector<double> core(std::size_t matrix) const;       // C [K, K], row-major; likewise

 private:
  std::shared_ptr<const Directions> basis_;
  std::vector<AdaptedMatrix> matrices_;
  const Core* core_;
  bool trains_factors_;
  std::map<std::int64_t, std::vector<Core::Entry>> entries_of_;  // by K
  std::vector<std::span<const Core::Entry>> entries_;            // of each alpha
  std::vector<Basis> own_;                                       // U and V as trained
  std::vector<std::vector<float>> U_grad_, V_grad_;
  Alphas alpha_, gradient_, scale_, effective_;
  std::vector<AdapterSlot> slots_;
  std::vector<std::int64_t> active_;          // dims of each matrix
  std::vector<std::int64_t> active_entries_;  // of alpha, within them
  bool scaled_ = false, partial_ = false;
};

}  // namespace khost
