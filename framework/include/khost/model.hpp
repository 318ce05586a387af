// A model: which tensors it has, and its forward pass.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "khost/tensor.hpp"

namespace khost {

class Graph;  // khost/graph.hpp: what forward() is written on

enum class Init { normal, zeros, ones, uniform };

struct Parameter {
  std::string name;  // part of the contract: "layer.0.attn.qkv"
  Shape shape;       // matrices are [out, in]
  Init init = Init::normal;
  double sd = 0.02;        // for Init::normal and Init::uniform, which is within sqrt(3) sd of 0
  bool adaptable = false;  // a matrix that the host may adapt; "@matrices" in a manifest means all of these
  int layer = -1;          // the block it belongs to, from 0; -1 for none (embeddings, final norm)
};

// Made by the host from Config and the data's vocabulary and sequence length. Stateless after construction.
class Model {
 public:
  virtual ~Model();
  // In a fixed order: it is the order of every per-matrix signal and of the initial draws.
  virtual std::vector<Parameter> parameters() const = 0;
  // Writes the forward pass, ending in head_cross_entropy. Called once per (batch, sequence).
  virtual void forward(Graph& g) const = 0;
};

struct ModelContext {
  std::int64_t vocabulary = 0;
  std::int64_t sequence = 0;  // the longest sequence that any batch of this experiment has
};

}  // namespace khost
