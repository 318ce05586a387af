// The weights that a trial's programs run with: whose each value is, which are trained, where gradients go, which carry an
// adapter.
#pragma once

#include <memory>
#include <vector>

#include "engine/adapters.hpp"
#include "engine/trainer.hpp"
#include "engine/weights.hpp"
#include "engine/written_adapters.hpp"
#include "graph/program.hpp"

namespace khost {

enum class MatrixGradients { no, yes };

class TrialWeights {
 public:
  // `trains`: of the parameters, or empty for none. What is trained is a copy of its own; the rest is the base's, which nothing
  // writes. With matrix gradients every adaptable matrix has room for dL/dW, whether it is trained or not. `adapters`: of the
  // adaptable matrices in their order, or null; `written` likewise. Both outlive this.
  TrialWeights(std::shared_ptr<const Weights> base, const std::vector<bool>& trains, MatrixGradients matrices,
               const Adapters* adapters, WrittenAdapters* written = nullptr);
  TrialWeights(const TrialWeights&) = delete;  // slots point into it

  // In the model's parameter order, then the tensors of the adapters that are written in operations.
  const std::vector<WeightSlot>& slots() const { return slots_; }
  std::vector<Trained> trained();  // for the trainer
  bool trains_any() const;

  // ||dW||_F of each adaptable matrix: the adapter's, or how far the matrix itself was trained. With both it is of their sum.
  std::vector<double> displacement() const;
  // The i-th parameter with what adapters add to it, summed in double: what a model without adapters would have.
  Tensor merged(std::size_t i) const;
  // dL/dW of the i-th parameter; empty where there is no room for it.
  std::span<const float> gradient(std::size_t i) const { return gradients_[i].span(); }

 private:
  std::shared_ptr<const Weights> base_;
  const Adapters* adapters_;
  const WrittenAdapters* written_;
  std::vector<Tensor> own_, gradients_;  // by parameter; empty where there is none
  std::vector<WeightSlot> slots_;
};

// What a trial trains, for the trainer: in order, of its adapters; and then of its weights.
std::vector<Trained> of_adapters(Adapters& adapters, WrittenAdapters& written);
std::vector<Trained> all_trained(Adapters& adapters, WrittenAdapters& written, TrialWeights& weights);

}  // namespace khost
