#include "compute/gemm_speed.hpp"

#include <algorithm>
#include <chrono>

#include "khost/random.hpp"
#include "khost/tensor.hpp"

namespace khost {
namespace {

using Clock = std::chrono::steady_clock;

LayerSpeed measure(Backend& backend, const LayerShape& shape, std::int64_t tokens, double seconds, Random& random) {
  Tensor x({tokens, shape.in}), w({shape.out, shape.in}), y({tokens, shape.out});
  random.normal(x.span(), 1);
  random.normal(w.span(), 0.02);
  khost_gemm g{0, 1, tokens, shape.out, shape.in, 1, x.data(), shape.in, w.data(), shape.in, 0, y.data(), shape.out};
  const auto packed = backend.pack(g);
  const auto call = [&](std::int64_t rows) {
    g.m = rows;
    const auto start = Clock::now();
    backend.gemm(g, *packed);
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  // From a few rows up to all tokens, as far as a call stays short; the first call of a size may prepare something for it.
  std::int64_t rows = std::min<std::int64_t>(tokens, 8);
  call(rows);
  double first = call(rows);
  while (rows < tokens && first < 1.5 * seconds) rows = std::min(tokens, 4 * rows), first = call(rows);
  double best = first;
  if (first < 4 * seconds)
    for (double spent = 0; spent < seconds;) {
      const double took = call(rows);
      best = std::min(best, took), spent += took;
    }
  const double operations = 2.0 * static_cast<double>(rows) * static_cast<double>(shape.out) * static_cast<double>(shape.in);
  return {shape, operations / best / 1e9, rows};
}

}  // namespace

const std::vector<LayerShape>& paper_shapes() {
  static const std::vector<LayerShape> shapes{{"attn.qkv", 768, 256, 8},
                                              {"attn.proj", 256, 256, 8},
                                              {"mlp.up", 1024, 256, 8},
                                              {"mlp.down", 256, 1024, 8},
                                              {"head", 15007, 256, 1}};
  return shapes;
}

ModelSpeed measure_gemm(Backend& backend, const std::vector<LayerShape>& shapes, std::int64_t tokens, double seconds) {
  ModelSpeed speed{tokens, {}, 0};
  Random random(0, "gemm_speed", "values");
  double operations = 0, time = 0;
  for (const LayerShape& shape : shapes) {
    const LayerSpeed& layer = speed.layers.emplace_back(measure(backend, shape, tokens, seconds, random));
    const double each = static_cast<double>(shape.count * shape.out * shape.in);  // of all layers' operations on one token
    operations += each, time += each / layer.gflops;
  }
  speed.gflops = operations / time;
  return speed;
}

}  // namespace khost
