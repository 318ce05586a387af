// An adapter: what is trained beside a frozen matrix W [m, n] (out x in), and how W + dW acts where a model uses W.
//
// It is written in a graph's operations, which khost differentiates. What it trains are parameters of that graph, named after the
// matrix: own["A"] is "layer.0.mlp.up/A". plugins/adapter/lora is a whole one; docs/plugins/adapter.md walks through it.
//
// One instance serves all matrices of an arm, in all of its trials and on several threads at once: its members are const and keep
// nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "khost/graph.hpp"
#include "khost/random.hpp"
#include "khost/tensor.hpp"

namespace khost {

// One matrix that carries an adapter; valid during the call that it is given to.
struct AdaptedTo {
  std::string_view W;        // its name in the graph
  std::int64_t m, n, K = 0;  // W is [m, n]; K of the manifest, from 1 to min(m, n)

  // An adapter's tensor, as Graph's functions take it.
  std::string operator[](std::string_view tensor) const { return std::string(W) + "/" + std::string(tensor); }
};

// What an adapter trains for one matrix. A tensor begins at 0, or as `start` fills it: from W [m, n] as the base has it, and from
// a stream of its own (seed of the trial, matrix, tensor). Whatever it begins at, W + dW should be W: a trial's first loss is the
// base's. A name is made of letters, digits, '_' and '-'. Throws a plugin Error for any other, and for one that is there.
class AdapterTensors {
 public:
  using Start = std::function<void(std::span<float> values, std::span<const float> W, Random& random)>;
  AdapterTensors& train(std::string_view name, Shape shape, Start start = {});

  struct Tensor {
    std::string name;
    Shape shape;
    Start start;
  };
  const std::vector<Tensor>& all() const { return all_; }

 private:
  std::vector<Tensor> all_;
};

class Adapter {
 public:
  virtual ~Adapter();
  // Known before any weight is: shapes may depend on the matrix and K alone.
  virtual void tensors(AdapterTensors& t, const AdaptedTo& W) const = 0;
  // x [B*T, n], y = x W' [B*T, m]  ->  x (W + dW)'. Of the head y are the logits.
  virtual Value linear(Graph& g, Value x, Value y, const AdaptedTo& own) const = 0;
  // e [B*T, n], the rows of W that the step's tokens picked  ->  those of W + dW
  virtual Value lookup(Graph& g, Value e, const AdaptedTo& own) const = 0;
  // dW [m, n] in double beside this W, which may be trained too, of the tensors' values in the order of tensors(). It is 0 when
  // called.
  virtual void difference(std::span<const std::span<const float>> tensors, std::span<const float> W, const AdaptedTo& own,
                          std::span<double> dW) const = 0;
};

}  // namespace khost
