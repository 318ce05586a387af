// A model's forward pass as recorded on the tape, compiled for one batch shape and one set of adapters: forward, backward,
// and all memory planned once. Nothing is allocated while it runs.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "compute/backend.hpp"
#include "khost/adapter.hpp"
#include "khost/core.hpp"
#include "khost/model.hpp"
#include "khost/tensor.hpp"

namespace khost {

// The adapter of one matrix W [m, n], dW = U C V'. All arrays belong to the caller and outlive the program.
struct AdapterSlot {
  std::int64_t rank = 0;         // K, at least 1
  const float* U = nullptr;      // [m, K]
  const float* V = nullptr;      // [n, K]
  const float* alpha = nullptr;  // as the core has it: what the forward pass uses (after dropout scaling)
  float* alpha_grad = nullptr;   // the same shape: written by backward (dL / d of the above); null: never
  const Core* core = nullptr;    // what C is made of
  float* U_grad = nullptr;       // where the core trains factors: [m, K]; null: never
  float* V_grad = nullptr;       // likewise [n, K]
};

// One parameter of the model, in Model::parameters() order.
struct WeightSlot {
  Parameter parameter;
  const float* value = nullptr;          // nothing here writes it; training does, between passes
  float* grad = nullptr;                 // where backward writes dL/dW when the pass asks for weight gradients; null: never
  const AdapterSlot* adapter = nullptr;  // null: none of these
  bool frozen = true;                    // it never changes while the program lives: may be packed
  // An adapter that is written in operations, with its K; the tensors that it trains are slots too, by their names (AdaptedTo).
  const Adapter* written = nullptr;
  std::int64_t written_rank = 0;
  bool of_adapter = false;  // such a tensor: its gradient is written in every pass with gradients
};

// What the model exposes that is kept until the backward pass is over, and their gradients.
struct Kept {
  bool activations = false, gradients = false;
};

class Program {
 public:
  // Records model.forward() and plans memory. Throws a plugin Error for shapes that do not fit, unknown or unused parameters.
  Program(const Model& model, std::vector<WeightSlot> weights, std::int64_t batch, std::int64_t sequence, Backend& backend,
          Kept kept = {});
  ~Program();

  // Memory of such a program's values in bytes, known without any of it being taken: what the arena is at least. `slots` say what
  // is trained and adapted; their arrays are not looked at. Throws as the constructor does: it is a rehearsal of it.
  static std::int64_t bytes_of(const Model& model, std::vector<WeightSlot> slots, std::int64_t batch, std::int64_t sequence,
                               Kept kept = {});

  enum class Gradients { none, alpha, alpha_and_weights };

  // tokens, targets: [B, T]. Mean loss in nats. With gradients, everything backward() needs is kept.
  double forward(std::span<const std::int32_t> tokens, std::span<const std::int32_t> targets, Gradients gradients);
  // After a forward with gradients; writes the gradients of adapters (and grad). Overwrites, does not accumulate.
  void backward();

  // For the error message of a NaN loss: the first value of the last forward pass, in its order, that holds a NaN or an infinity,
  // in words ("output of linear layer.3.mlp.up"), or "" when all are finite. Parameters and alphas are looked at first.
  // Runs that pass again to see every value as it is made: a backward() after it needs a new forward().
  std::string first_non_finite() const;

  // The values that the model exposes, [B*T, cols] each, in its order: of the last pass, after backward(). Null where not kept.
  struct Exposed {
    std::string name;
    std::int64_t cols;
    const float *value, *grad;
  };
  std::vector<Exposed> exposed() const;

  std::int64_t arena_bytes() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace khost
