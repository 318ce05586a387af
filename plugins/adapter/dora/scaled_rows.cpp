#include "scaled_rows.hpp"

#include <algorithm>
#include <cmath>

#include "khost/parallel.hpp"

using khost::OpStep, khost::parallel_for;

namespace {

enum : std::size_t { of_W, of_A, of_B, of_magnitude };

template <class F>
void each(std::int64_t count, std::int64_t cost, F&& f) {
  parallel_for(count, 1 + 65536 / (1 + cost), [&](std::int64_t i, std::int64_t end) {
    for (; i < end; ++i) f(i);
  });
}

}  // namespace

double norm_of(std::span<const float> x) {
  double sum = 0;
  for (const float v : x) sum += static_cast<double>(v) * v;
  return std::sqrt(sum);
}

std::int64_t ScaledRows::columns(const khost::OpShapes& s) const {
  const auto [m, n] = s.matrix(of_W);
  if (m != m_ || n != n_) s.refuse(s.parameter(of_W) + " is not the matrix that this adapter is of");
  const auto A = s.matrix(of_A), B = s.matrix(of_B);
  if (A.n != n || B.m != m || A.m != B.n || s.vector(of_magnitude) != m)
    s.refuse(s.parameter(of_A) + ", " + s.parameter(of_B) + " and " + s.parameter(of_magnitude) + " do not fit " +
             s.parameter(of_W));
  if (s.columns() != (by_token_ ? n : m)) s.refuse(s.parameter(of_W) + " does not fit its input " + s.input());
  return s.columns();
}

void ScaledRows::plan(khost::OpPlan& p) {
  if (p.needs_gradient()) p.keep(0);
}

// Columns [begin, end) of V's row i.
void ScaledRows::row(const OpStep& s, std::int64_t i, std::int64_t begin, std::int64_t end, float* V) const {
  const float *W = s.weight(of_W) + i * n_, *A = s.weight(of_A), *B = s.weight(of_B) + i * K_;
  std::copy(W + begin, W + end, V);
  for (std::int64_t k = 0; k < K_; ++k) {
    const float b = s_ * B[k];
    const float* a = A + k * n_ + begin;
    for (std::int64_t j = 0; j < end - begin; ++j) V[j] += b * a[j];
  }
}

void ScaledRows::find_norms(const OpStep& s) {
  used_.assign(static_cast<std::size_t>(m_), !by_token_);
  if (by_token_)
    for (std::int64_t t = 0; t < s.rows(); ++t) used_[static_cast<std::size_t>(s.tokens()[t])] = 1;
  norm_.assign(static_cast<std::size_t>(m_), 0.0f);
  parallel_for(m_, 1 + 65536 / (1 + n_ * K_), [&](std::int64_t i, std::int64_t end) {
    std::vector<float> V(static_cast<std::size_t>(n_));
    for (; i < end; ++i) {
      if (!used_[static_cast<std::size_t>(i)]) continue;
      row(s, i, 0, n_, V.data());
      norm_[static_cast<std::size_t>(i)] = static_cast<float>(norm_of(V));
    }
  });
}

void ScaledRows::forward(OpStep& s) {
  find_norms(s);
  const float *x = s.in(), *magnitude = s.weight(of_magnitude);
  const std::int64_t C = s.columns();
  each(s.rows(), C, [&, y = s.out()](std::int64_t t) {
    for (std::int64_t c = 0; c < C; ++c) {
      const std::int64_t i = index(s, t, c);
      const float norm = norm_[static_cast<std::size_t>(i)];
      y[t * C + c] = norm > 0 ? x[t * C + c] * (magnitude[i] / norm) : 0;
    }
  });
}

void ScaledRows::backward(OpStep& s) {
  const float *dy = s.output_grad(), *x = s.in(), *magnitude = s.weight(of_magnitude);
  const std::int64_t C = s.columns(), rows = s.rows();
  q_.assign(static_cast<std::size_t>(m_), 0.0);
  if (by_token_)
    for (std::int64_t t = 0; t < rows; ++t) {
      double sum = 0;
      for (std::int64_t c = 0; c < C; ++c) sum += static_cast<double>(dy[t * C + c]) * x[t * C + c];
      q_[static_cast<std::size_t>(s.tokens()[t])] += sum;
    }
  else
    parallel_for(C, 16 + 65536 / (1 + rows), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t t = 0; t < rows; ++t)
        for (std::int64_t c = begin; c < end; ++c)
          q_[static_cast<std::size_t>(c)] += static_cast<double>(dy[t * C + c]) * x[t * C + c];
    });
  if (float* d = s.weight_grad(of_magnitude)) {
    const bool add = s.add_to_weight(of_magnitude);
    for (std::int64_t i = 0; i < m_; ++i) {
      const float norm = norm_[static_cast<std::size_t>(i)];
      const float own = norm > 0 ? static_cast<float>(q_[static_cast<std::size_t>(i)] / static_cast<double>(norm)) : 0;
      d[i] = add ? d[i] + own : own;
    }
  }
  through_norms(s);
  float* dx = s.input_grad();
  if (!dx) return;
  each(rows, C, [&, add = s.add_to_input()](std::int64_t t) {
    for (std::int64_t c = 0; c < C; ++c) {
      const std::int64_t i = index(s, t, c);
      const float norm = norm_[static_cast<std::size_t>(i)];
      const float own = norm > 0 ? dy[t * C + c] * (magnitude[i] / norm) : 0;
      dx[t * C + c] = add ? dx[t * C + c] + own : own;
    }
  });
}

// What reaches W, A and B through ||V_i||; nothing where norms count as constants.
void ScaledRows::through_norms(const OpStep& s) {
  float *dW = s.weight_grad(of_W), *dA = s.weight_grad(of_A), *dB = s.weight_grad(of_B);
  const float *magnitude = s.weight(of_magnitude), *A = s.weight(of_A), *B = s.weight(of_B);
  const auto first = [&](float* d, std::size_t parameter, std::int64_t size) {
    if (d && !s.add_to_weight(parameter)) std::fill_n(d, size, 0.0f);
  };
  first(dW, of_W, m_ * n_), first(dA, of_A, K_ * n_), first(dB, of_B, m_ * K_);
  if (!exact_ || !(dW || dA || dB)) return;
  std::vector<float> g(static_cast<std::size_t>(m_));  // dV_i = g_i V_i
  for (std::int64_t i = 0; i < m_; ++i) {
    const auto norm = static_cast<double>(norm_[static_cast<std::size_t>(i)]);
    if (norm > 0)
      g[static_cast<std::size_t>(i)] =
          static_cast<float>(-q_[static_cast<std::size_t>(i)] * static_cast<double>(magnitude[i]) / (norm * norm * norm));
  }
  if (dW || dB)
    parallel_for(m_, 1 + 65536 / (1 + n_ * K_), [&](std::int64_t i, std::int64_t end) {
      std::vector<float> V(static_cast<std::size_t>(n_));
      for (; i < end; ++i) {
        const float each_i = g[static_cast<std::size_t>(i)];
        if (each_i == 0) continue;
        row(s, i, 0, n_, V.data());
        for (std::int64_t k = 0; dB && k < K_; ++k) {
          double sum = 0;
          for (std::int64_t j = 0; j < n_; ++j) sum += static_cast<double>(V[static_cast<std::size_t>(j)]) * A[k * n_ + j];
          dB[i * K_ + k] += static_cast<float>(static_cast<double>(s_) * each_i * sum);
        }
        for (std::int64_t j = 0; dW && j < n_; ++j) dW[i * n_ + j] += each_i * V[static_cast<std::size_t>(j)];
      }
    });
  // By columns: each is one thread's, whose sum over the rows is the same whatever their number.
  if (dA)
    parallel_for(n_, 32, [&](std::int64_t begin, std::int64_t end) {
      const std::int64_t width = end - begin;
      std::vector<float> V(static_cast<std::size_t>(width));
      std::vector<double> sums(static_cast<std::size_t>(K_ * width));
      for (std::int64_t i = 0; i < m_; ++i) {
        const float each_i = g[static_cast<std::size_t>(i)];
        if (each_i == 0) continue;
        row(s, i, begin, end, V.data());
        for (std::int64_t k = 0; k < K_; ++k) {
          const double b = static_cast<double>(s_) * each_i * B[i * K_ + k];
          for (std::int64_t j = 0; j < width; ++j)
            sums[static_cast<std::size_t>(k * width + j)] += b * V[static_cast<std::size_t>(j)];
        }
      }
      for (std::int64_t k = 0; k < K_; ++k)
        for (std::int64_t j = 0; j < width; ++j)
          dA[k * n_ + begin + j] += static_cast<float>(sums[static_cast<std::size_t>(k * width + j)]);
    });
}

void ScaledRows::in_double(khost::OpDoubles& d) const {
  const std::int64_t m = d.shapes[of_W][0], n = d.shapes[of_W][1], K = d.shapes[of_A][0], C = d.columns[0];
  const auto &W = *d.weights[of_W], &A = *d.weights[of_A], &B = *d.weights[of_B], &magnitude = *d.weights[of_magnitude];
  std::vector<double> factor(static_cast<std::size_t>(m));
  for (std::int64_t i = 0; i < m; ++i) {
    double squared = 0;
    for (std::int64_t j = 0; j < n; ++j) {
      double v = W[i * n + j];
      for (std::int64_t k = 0; k < K; ++k) v += static_cast<double>(s_) * B[i * K + k] * A[k * n + j];
      squared += v * v;
    }
    factor[static_cast<std::size_t>(i)] = squared > 0 ? magnitude[i] / std::sqrt(squared) : 0;
  }
  for (std::int64_t t = 0; t < d.rows(); ++t)
    for (std::int64_t c = 0; c < C; ++c)
      d.out[t * C + c] =
          (*d.in[0])[t * C + c] * factor[static_cast<std::size_t>(by_token_ ? d.tokens[static_cast<std::size_t>(t)] : c)];
}
