// What a model writes its forward pass on: a tape of coarse differentiable operations.
//
// B is the batch, T the sequence length, C a width. Activations are [B*T, C], row-major f32. Parameters are named; the
// host owns them, and wherever a named matrix carries an adapter (linear, embedding, head) the operation adds it. A model
// never sees adapters, gradients or memory.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string_view>

namespace khost {

class Op;

// A value on the tape; meaningful only with the Graph that made it.
struct Value {
  int id = -1;
};

class Graph {
 public:
  virtual std::int64_t batch() const = 0;     // B
  virtual std::int64_t sequence() const = 0;  // T

  // Appends an operation that reads these values and these named parameters: what the functions below are made of, and what an
  // operation of a plugin's own comes in by (khost/draft/op.hpp). Throws a plugin Error that names the operation, the parameter
  // and both shapes when they do not fit. Of an operation that ends the tape the Value is none.
  Value apply(std::unique_ptr<Op> op, std::initializer_list<Value> inputs,
              std::initializer_list<std::string_view> parameters = {});
  // Names a value that probes may read, each step, as one of the signals `activation` and `activation.grad` (dL / d of it):
  // "resid.3". One that no probe asks for costs nothing. Letters, digits, '_', '.' and '-'; two of one name are refused.
  virtual void expose(std::string_view name, Value x) = 0;
  virtual Value append(std::unique_ptr<Op> op, std::span<const Value> inputs, std::span<const std::string_view> parameters) = 0;

 protected:
  ~Graph() = default;
};

// The operations, a file each in src/graph/ops. All throw as Graph::apply() does.

// Rows of W [V, C] picked by the step's tokens -> [B*T, C]
Value embedding(Graph& g, std::string_view W);
// x [B*T, C] + P [at least T, C], row t of P to every position t -> [B*T, C]
Value add_positions(Graph& g, Value x, std::string_view P);
// x [B*T, n], W [m, n] (out x in) -> x W' [B*T, m]; with a bias b [m], x W' + b
Value linear(Graph& g, Value x, std::string_view W);
Value linear(Graph& g, Value x, std::string_view W, std::string_view b);
// x [B*T, m], A [m, n] -> x A [B*T, n]. A carries no adapter.
Value matmul(Graph& g, Value x, std::string_view A);

// x [B*T, C]; weight [C], bias [C]; biased variance over C, then eps added -> [B*T, C]
Value layer_norm(Graph& g, Value x, std::string_view weight, std::string_view bias, float eps = 1e-5f);
// x [B*T, C], weight [C]: x / sqrt(mean of x^2 over C + eps) * weight -> [B*T, C] (Zhang and Sennrich 2019)
Value rms_norm(Graph& g, Value x, std::string_view weight, float eps = 1e-6f);

// qkv [B*T, 3C], columns q then k then v, each split by head; scores scaled by 1/sqrt(C / heads) -> [B*T, C]
Value causal_attention(Graph& g, Value qkv, std::int64_t heads);
// Grouped queries (Ainslie et al. 2023): q [B*T, heads w], k [B*T, groups w] and v [B*T, groups u], split by head; consecutive
// heads / groups heads of q share a head of k and v; scores scaled by 1/sqrt(w) -> [B*T, heads u]
Value causal_attention(Graph& g, Value q, Value k, Value v, std::int64_t heads, std::int64_t groups);

// Which two columns of a head rotary positions turn: i and i + w/2 (halves: GPT-NeoX, Llama as Hugging Face has it), or 2i and
// 2i + 1 (pairs: GPT-J, Llama as Meta has it).
enum class Rotary { halves, pairs };
// Rotary positions (Su et al. 2021): x [B*T, heads w], w even; at position t pair i of each head, counted from 0, is turned by
// t base^(-2 i / w) -> [B*T, heads w]
Value rotary(Graph& g, Value x, std::int64_t heads, Rotary pairs, double base = 10000);

enum class Gelu { erf, tanh };
// x Phi(x), exact with erf; or 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) (Hendrycks and Gimpel 2016)
Value gelu(Graph& g, Value x, Gelu form = Gelu::erf);
// x / (1 + exp(-x))
Value silu(Graph& g, Value x);
// Element by element, of two values of one width.
Value add(Graph& g, Value a, Value b);
Value multiply(Graph& g, Value a, Value b);
// factor x
Value scale(Graph& g, Value x, float factor);

// A target that does not count: nobody asks what comes there. (PyTorch's ignore_index.)
inline constexpr std::int32_t ignored_target = -100;
// h [B*T, C], W [V, C]: logits h W', mean over all tokens whose target counts of -log softmax(logits)[target], in nats. Ends the
// tape.
void head_cross_entropy(Graph& g, Value h, std::string_view W);
// The same of logits [B*T, V] that are there. Ends the tape. head_cross_entropy() never holds them all, and is faster.
void cross_entropy(Graph& g, Value logits);

}  // namespace khost
