#include <algorithm>
#include <cmath>

#include "compute/kernels.hpp"
#include "compute/portable_gemm.hpp"
#include "graph/op.hpp"
#include "khost/parallel.hpp"

namespace khost {
namespace {

constexpr std::int64_t line = 16;        // floats in a cache line
constexpr std::int64_t block_rows = 64;  // queries at a time; keys beyond a block's last query are never looked at

// Per sequence and head, with q, k [T, w] and v [T, u]: P = softmax(q k' / sqrt(w)) below the diagonal [T, T], o = P v [T, u].
// Heads that share a key head, of one sequence, are one worker's; the products are small, so they run on the host's own kernel.
class CausalAttention final : public Op {
 public:
  // fused: of one input, columns q then k then v
  CausalAttention(std::int64_t heads, std::int64_t groups, bool fused) : heads_(heads), groups_(groups), fused_(fused) {}

  std::string_view name() const override { return "causal_attention"; }

  std::int64_t columns(const OpShapes& s) const override {
    if (fused_) {
      const std::int64_t wide = s.columns();
      if (heads_ < 1 || wide % 3 != 0 || wide / 3 % heads_ != 0)
        s.refuse("its input " + s.input() + " cannot be split into q, k, v of " + std::to_string(heads_) +
                 " heads: expected 3 x heads x width columns");
      return wide / 3;
    }
    if (heads_ < 1 || groups_ < 1 || heads_ % groups_ != 0)
      s.refuse(std::to_string(heads_) + " heads cannot share " + std::to_string(groups_) +
               " heads of keys: expected a multiple of these");
    const std::int64_t q = s.columns(0), k = s.columns(1), v = s.columns(2);
    if (q % heads_ != 0 || k != q / heads_ * groups_)
      s.refuse("its queries " + s.input(0) + " of " + std::to_string(heads_) + " heads do not fit its keys " + s.input(1) +
               " of " + std::to_string(groups_) + ": expected heads of one width");
    if (v % groups_ != 0) s.refuse("its values " + s.input(2) + " cannot be split into " + std::to_string(groups_) + " heads");
    return v / groups_ * heads_;
  }

  void plan(OpPlan& p) override {
    u_ = p.columns() / heads_;
    w_ = fused_ ? u_ : p.columns(0) / heads_;
    ld_ = checked_sum({p.sequence(), line - 1}) / line * line;
    P_ = p.saved({p.batch(), heads_, p.sequence(), ld_});
    if (!p.needs_gradient()) return;
    dP_ = p.backward_scratch({p.batch(), heads_, p.sequence(), ld_});
    for (std::size_t i = 0; i < (fused_ ? 1u : 3u); ++i) p.keep(i);
  }

  void forward(OpStep& s) override {
    const std::int64_t T = s.sequence(), ldo = s.columns();
    const float scale = 1.0f / std::sqrt(static_cast<float>(w_));
    of_each_group(s, [&](std::int64_t b, std::int64_t group, std::int64_t h) {
      const Part q = query(s, b, h), k = key(s, b, group), v = value(s, b, group);
      float *P = s.buffer(P_) + (b * heads_ + h) * T * ld_, *o = s.out() + b * T * ldo + h * u_;
      for (std::int64_t r = 0; r < T; r += block_rows) {
        const std::int64_t n = std::min(block_rows, T - r), seen = r + n;
        kernels::portable_gemm_serial({0, 1, n, seen, w_, 1.0f, q.at(r), q.ld, k.at(0), k.ld, 0.0f, P + r * ld_, ld_});
        kernels::causal_softmax(n, r, seen, scale, P + r * ld_, ld_);
        kernels::portable_gemm_serial({0, 0, n, u_, seen, 1.0f, P + r * ld_, ld_, v.at(0), v.ld, 0.0f, o + r * ldo, ldo});
      }
    });
  }

  // dv = P' do; dP = do v'; dS = softmax backward of dP; dq = dS k; dk = dS' q
  void backward(OpStep& s) override {
    const std::int64_t T = s.sequence(), ldo = s.columns();
    const float scale = 1.0f / std::sqrt(static_cast<float>(w_));
    if (!wanted(s, 0) && !wanted(s, 1) && !wanted(s, 2)) return;
    of_each_group(s, [&](std::int64_t b, std::int64_t group, std::int64_t h) {
      const Part q = query(s, b, h), k = key(s, b, group), v = value(s, b, group);
      const float *g = s.output_grad() + b * T * ldo + h * u_, *P = s.buffer(P_) + (b * heads_ + h) * T * ld_;
      float* D = s.buffer(dP_) + (b * heads_ + h) * T * ld_;
      const auto beta = [&](std::size_t part, bool first) { return s.add_to_input(fused_ ? 0 : part) || !first ? 1.0f : 0.0f; };
      const bool first = h % (heads_ / groups_) == 0;  // of those that share this key head: the others add to what it wrote
      for (std::int64_t r = 0; r < T; r += block_rows) {
        const std::int64_t n = std::min(block_rows, T - r), seen = r + n;
        kernels::portable_gemm_serial({0, 1, n, seen, u_, 1.0f, g + r * ldo, ldo, v.at(0), v.ld, 0.0f, D + r * ld_, ld_});
        kernels::causal_softmax_backward(n, r, seen, scale, P + r * ld_, D + r * ld_, ld_);
        if (float* dq = gradient(s, 0, q))
          kernels::portable_gemm_serial(
              {0, 0, n, w_, seen, 1.0f, D + r * ld_, ld_, k.at(0), k.ld, beta(0, true), dq + r * q.ld, q.ld});
      }
      for (std::int64_t c = 0; c < T; c += block_rows) {  // a block of keys, seen by the queries from its first on
        const std::int64_t n = std::min(block_rows, T - c), queries = T - c;
        if (float* dk = gradient(s, 1, k))
          kernels::portable_gemm_serial(
              {1, 0, n, w_, queries, 1.0f, D + c * ld_ + c, ld_, q.at(c), q.ld, beta(1, first), dk + c * k.ld, k.ld});
        if (float* dv = gradient(s, 2, v))
          kernels::portable_gemm_serial(
              {1, 0, n, u_, queries, 1.0f, P + c * ld_ + c, ld_, g + c * ldo, ldo, beta(2, first), dv + c * v.ld, v.ld});
      }
    });
  }

  void in_double(OpDoubles& d) const override {
    const std::int64_t T = d.sequence;
    const std::int64_t w = d.columns[0] / heads_ / (fused_ ? 3 : 1), u = fused_ ? w : d.columns[2] / groups_;
    const auto part = [&](std::size_t i, std::int64_t b, std::int64_t t, std::int64_t column) {
      if (fused_) return (*d.in[0])[(b * T + t) * 3 * heads_ * w + static_cast<std::int64_t>(i) * heads_ * w + column];
      return (*d.in[i])[(b * T + t) * d.columns[i] + column];
    };
    for (std::int64_t b = 0; b < d.batch; ++b)
      for (std::int64_t h = 0; h < heads_; ++h)
        for (std::int64_t t = 0; t < T; ++t) {
          const std::int64_t group = h / (heads_ / groups_);
          std::vector<double> p;
          double total = 0;
          for (std::int64_t j = 0; j <= t; ++j) {
            double score = 0;
            for (std::int64_t c = 0; c < w; ++c) score += part(0, b, t, h * w + c) * part(1, b, j, group * w + c);
            p.push_back(std::exp(score / std::sqrt(static_cast<double>(w))));
            total += p.back();
          }
          for (std::int64_t j = 0; j <= t; ++j)
            for (std::int64_t c = 0; c < u; ++c)
              d.out[(b * T + t) * heads_ * u + h * u + c] +=
                  p[static_cast<std::size_t>(j)] / total * part(2, b, j, group * u + c);
        }
  }

  std::string inner_non_finite(const OpStep& s) const override {
    for (std::int64_t row = 0; row < s.batch() * heads_ * s.sequence(); ++row)
      if (!all_finite(s.buffer(P_) + row * ld_, row % s.sequence() + 1)) return "probabilities";
    return "";
  }

 private:
  // A head of q, k or v in one sequence: row t stands at data + t ld, and the part begins `offset` floats into its input.
  struct Part {
    const float* data;
    std::int64_t ld, offset;
    const float* at(std::int64_t t) const { return data + t * ld; }
  };
  Part part(const OpStep& s, std::size_t which, std::int64_t b, std::int64_t column) const {
    const std::int64_t ld = s.columns(fused_ ? 0 : which);
    const std::int64_t offset = b * s.sequence() * ld + (fused_ ? static_cast<std::int64_t>(which) * heads_ * w_ : 0) + column;
    return {s.in(fused_ ? 0 : which) + offset, ld, offset};
  }
  Part query(const OpStep& s, std::int64_t b, std::int64_t h) const { return part(s, 0, b, h * w_); }
  Part key(const OpStep& s, std::int64_t b, std::int64_t group) const { return part(s, 1, b, group * w_); }
  Part value(const OpStep& s, std::int64_t b, std::int64_t group) const { return part(s, 2, b, group * u_); }

  float* wanted(const OpStep& s, std::size_t which) const { return s.input_grad(fused_ ? 0 : which); }
  float* gradient(const OpStep& s, std::size_t which, const Part& of) const {
    float* all = wanted(s, which);
    return all ? all + of.offset : nullptr;
  }

  template <class F>
  void of_each_group(const OpStep& s, F&& f) const {
    const std::int64_t sharing = heads_ / groups_;
    parallel_for(s.batch() * groups_, 1, [&](std::int64_t i, std::int64_t end) {
      for (; i < end; ++i)
        for (std::int64_t h = i % groups_ * sharing; h < (i % groups_ + 1) * sharing; ++h) f(i / groups_, i % groups_, h);
    });
  }

  std::int64_t heads_, groups_;
  bool fused_;
  std::int64_t w_ = 0, u_ = 0, ld_ = 0;
  int P_ = -1, dP_ = -1;
};

const detail::RegisteredCase fused{{"causal_attention, q, k, v in one",
                                    {2, 6, 66},
                                    [](std::int64_t C) {
                                      return std::vector<Parameter>{{"qkv", {3 * C, C}}};
                                    },
                                    [](Graph& g, Value x, std::int64_t) { return causal_attention(g, linear(g, x, "qkv"), 2); }}};
// Heads of queries and keys are as wide as x, those of values three times as wide.
const detail::RegisteredCase grouped{{"causal_attention, grouped queries",
                                      {1, 5, 33},
                                      [](std::int64_t C) {
                                        return std::vector<Parameter>{{"q", {6 * C, C}}, {"k", {2 * C, C}}, {"v", {6 * C, C}}};
                                      },
                                      [](Graph& g, Value x, std::int64_t) {
                                        return causal_attention(g, linear(g, x, "q"), linear(g, x, "k"), linear(g, x, "v"), 6, 2);
                                      }}};
const detail::RegisteredCase of_one_value{{"causal_attention of one value three times",
                                           {6},
                                           [](std::int64_t) { return std::vector<Parameter>{}; },
                                           [](Graph& g, Value x, std::int64_t) { return causal_attention(g, x, x, x, 2, 2); }}};

}  // namespace

Value causal_attention(Graph& g, Value qkv, std::int64_t heads) {
  return g.apply(std::make_unique<CausalAttention>(heads, heads, true), {qkv});
}
Value causal_attention(Graph& g, Value q, Value k, Value v, std::int64_t heads, std::int64_t groups) {
  return g.apply(std::make_unique<CausalAttention>(heads, groups, false), {q, k, v});
}

}  // namespace khost
