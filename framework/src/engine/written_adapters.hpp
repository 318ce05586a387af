// The tensors of an arm's adapters that are written in operations (khost/adapter.hpp): of all its matrices, with their gradients.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "engine/trainer.hpp"
#include "engine/weights.hpp"
#include "graph/program.hpp"
#include "khost/adapter.hpp"
#include "khost/probe.hpp"

namespace khost {

// The same with K = 0 where `adapter` is: such matrices have no U, V and core.
std::vector<AdaptedMatrix> with_core(const Adapter* adapter, std::vector<AdaptedMatrix> matrices);

class WrittenAdapters {
 public:
  // `adapter` null: there are none. `matrices` with their final ranks, in the order of `base`'s adaptable parameters. Each tensor
  // begins from a stream of its own (seed, matrix, "adapter.TENSOR"). All that it is given outlives it.
  WrittenAdapters(const Adapter* adapter, const std::vector<AdaptedMatrix>& matrices, const Weights& base, std::uint64_t seed);
  WrittenAdapters(const WrittenAdapters&) = delete;  // slots point into it

  bool any() const { return !tensors_.empty(); }
  void adapt(WeightSlot& slot, std::size_t matrix) const;  // the matrix's own slot; nothing where K = 0
  std::vector<WeightSlot> slots();                         // of the tensors
  std::vector<Trained> trained();                          // for the trainer: "layer.0.mlp.up/A"
  std::int64_t parameters() const;                         // of all tensors
  // Of one matrix, by their names in the adapter ("A"), in its order; views of what is trained.
  std::vector<NamedArray> tensors(std::size_t matrix) const;

  // dW [m, n] beside this W, which may be trained too; empty where K = 0
  std::vector<double> difference(std::size_t matrix, std::span<const float> W) const;

 private:
  struct Held {
    std::size_t matrix;
    Parameter parameter;
    Tensor value, gradient;
  };
  const Adapter* adapter_;
  std::vector<AdaptedMatrix> matrices_;
  std::deque<Held> tensors_;
};

}  // namespace khost
