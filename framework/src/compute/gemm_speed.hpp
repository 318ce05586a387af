// How fast a backend multiplies the matrices of a model.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "compute/backend.hpp"

namespace khost {

// y = x W' of a linear layer: x [tokens, in], W [out, in], frozen and so laid out once where the backend does that.
struct LayerShape {
  std::string name;
  std::int64_t out = 0, in = 0;
  std::int64_t count = 1;  // how many of them the model has
};

// The model of the papers: width 256, 8 layers, a vocabulary of 15007.
const std::vector<LayerShape>& paper_shapes();

struct LayerSpeed {
  LayerShape shape;
  double gflops = 0;        // of the fastest call
  std::int64_t tokens = 0;  // that were multiplied: fewer than asked for where a whole call would take too long
};

struct ModelSpeed {
  std::int64_t tokens = 0;
  std::vector<LayerSpeed> layers;
  double gflops = 0;  // of all layers together, each as often as the model has it
};

// About `seconds` per shape: at least two calls where one is short, and a part of the tokens where one is long.
ModelSpeed measure_gemm(Backend& backend, const std::vector<LayerShape>& shapes, std::int64_t tokens, double seconds = 0.05);

}  // namespace khost
