// What a model writes its forward pass on: a tape of coarse differentiable operations.
//
// B is the batch, T the sequence length, C a width. Activations are [B*T, C], row-major f32. Parameters are named; the
// host owns them, and wherever a named matrix carries an adapter (linear, embedding, head) the operation adds it. A model
// never sees adapters, gradients or memory.
#pragma once

#include <cstdint>
#include <string_view>

namespace khost {

// A value on the tape; meaningful only with the Graph that made it.
struct Value {
  int id = -1;
};

class Graph {
 public:
  virtual std::int64_t batch() const = 0;     // B
  virtual std::int64_t sequence() const = 0;  // T

  // Every operation throws a plugin Error that names the operation, the parameter and both shapes when they do not fit.

  // Rows of W [V, C] picked by the step's tokens -> [B*T, C]
  virtual Value embedding(std::string_view W) = 0;
  // x [B*T, C] + P [at least T, C], row t of P to every position t -> [B*T, C]
  virtual Value add_positions(Value x, std::string_view P) = 0;
  // x [B*T, n], W [m, n] (out x in) -> x W' [B*T, m]
  virtual Value linear(Value x, std::string_view W) = 0;
  // x [B*T, C]; weight [C], bias [C]; biased variance over C, then eps added -> [B*T, C]
  virtual Value layer_norm(Value x, std::string_view weight, std::string_view bias, float eps = 1e-5f) = 0;
  // qkv [B*T, 3C], columns q then k then v, each split by head; scores scaled by 1/sqrt(C / heads) -> [B*T, C]
  virtual Value causal_attention(Value qkv, std::int64_t heads) = 0;
  // exact: x Phi(x) with erf
  virtual Value gelu(Value x) = 0;
  virtual Value add(Value a, Value b) = 0;
  // h [B*T, C], W [V, C]: logits h W', mean over all B*T tokens of -log softmax(logits)[target], in nats. Ends the tape.
  virtual void head_cross_entropy(Value h, std::string_view W) = 0;

 protected:
  ~Graph() = default;
};

}  // namespace khost
