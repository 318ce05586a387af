#include "khost/nulls.hpp"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>

#include "khost/error.hpp"

namespace khost::nulls {

namespace {

using Matrix = Eigen::MatrixXd;

// The noise's side of a trial.
class NoiseTrial final : public Trial {
 public:
  explicit NoiseTrial(NullDraw& draw) : draw_(draw) {
    for (const AdaptedMatrix& m : draw.trial().matrices) {
      const auto size = static_cast<std::size_t>(m.rank > 0 ? element_count(draw.trial().alpha_shape(m)) : 0);
      zero_.emplace_back(size, 0.0f), gradient_.emplace_back(size, 0.0f);
    }
  }

  void draw_gradient() {
    for (auto& g : gradient_)
      for (float& v : g) v = static_cast<float>(draw_.random().normal());
  }

  Signal gradient() const {
    std::vector<NamedArray> arrays;
    for (std::size_t i = 0; i < gradient_.size(); ++i) {
      const AdaptedMatrix& m = info().matrices[i];
      if (m.rank == 0) continue;
      arrays.push_back({m.name, {DType::f32, gradient_[i].data(), info().alpha_shape(m)}});
    }
    return Signal(std::move(arrays));
  }

  const TrialInfo& info() const override { return draw_.trial(); }
  const Alphas& alphas() const override { return zero_; }
  const Outcome& outcome() const override { refuse("outcome()"); }
  std::vector<double> displacement() override { refuse("displacement()"); }
  double evaluate(const Alphas&, Part) override { refuse("evaluate()"); }
  double evaluate_adapter(const AdapterValues&, Part) override { refuse("evaluate_adapter()"); }
  AdapterValues adapter() const override { refuse("adapter()"); }
  void gradients(const Alphas&, std::int64_t count, const Visit& visit) override {
    for (std::int64_t i = 0; i < count; ++i) {
      draw_gradient();
      visit(i, missing, gradient_);
    }
  }
  Random random(std::string_view purpose) override { return Random(info().seed, "null", purpose); }
  void write_artifact(std::string_view, std::span<const NamedArray>) override {}
  void record(std::string_view name, double value) override { draw_.record(name, value); }
  void record(std::string_view, std::int64_t, double) override {}  // of single steps: nobody compares them

 private:
  [[noreturn]] static void refuse(const char* what) {
    throw Error(ErrorKind::plugin, std::string("noise has no losses: ") + what + " cannot be asked in nulls::iid_gradients()");
  }
  NullDraw& draw_;
  Alphas zero_, gradient_;
};

class NoiseStep final : public Step {
 public:
  NoiseStep(const NullDraw& draw, std::int64_t index, const Signal& gradient) : draw_(draw), index_(index), gradient_(gradient) {}
  std::int64_t index() const override { return index_; }
  const TrialInfo& trial() const override { return draw_.trial(); }
  const Signal& operator[](std::string_view signal) const override {
    if (signal != "alpha.grad")
      throw Error(ErrorKind::plugin, "nulls::iid_gradients() has alpha.grad alone, not '" + std::string(signal) + "'");
    return gradient_;
  }
  void record(std::string_view, double) const override {}

 private:
  const NullDraw& draw_;
  std::int64_t index_;
  const Signal& gradient_;
};

// Gamma of shape a >= 1 and scale 1 (Marsaglia & Tsang 2000).
double gamma(double a, Random& random) {
  const double d = a - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  for (;;) {
    const double x = random.normal(), v = 1 + c * x;
    if (v <= 0) continue;
    const double cube = v * v * v;
    if (std::log1p(-random.uniform()) < 0.5 * x * x + d - d * cube + d * std::log(cube)) return d * cube;
  }
}

// The length of `dims` standard normals.
double chi(std::int64_t dims, Random& random) {
  if (dims == 1) return std::abs(random.normal());
  return std::sqrt(2 * gamma(static_cast<double>(dims) / 2, random));
}

// R of the QR decomposition of a [rows, cols] matrix of iid standard normals, min(rows, cols) x cols, up to the signs of its
// rows: chi on the diagonal, normals above (Bartlett's decomposition of R'R).
Matrix normal_factor(std::int64_t rows, std::int64_t cols, Random& random) {
  const std::int64_t size = std::min(rows, cols);
  Matrix R = Matrix::Zero(size, cols);
  for (std::int64_t i = 0; i < size; ++i) {
    R(i, i) = chi(rows - i, random);
    for (std::int64_t j = i + 1; j < cols; ++j) R(i, j) = random.normal();
  }
  return R;
}

std::vector<double> descending_roots(const Eigen::VectorXd& ascending) {
  std::vector<double> sigma(static_cast<std::size_t>(ascending.size()));
  for (std::size_t i = 0; i < sigma.size(); ++i)
    sigma[sigma.size() - 1 - i] = std::sqrt(std::max(0.0, ascending[static_cast<Eigen::Index>(i)]));
  return sigma;
}

// C [r, r], r the least of tokens, m and n, in G = A'B = P C Q': P [m, r] and Q [n, r] are orthonormal and Haar-distributed where
// they are not square, and independent of C.
Matrix token_core(std::int64_t tokens, std::int64_t m, std::int64_t n, Random& random) {
  // A' = P R_A and B' = Q R_B.
  if (tokens <= std::min(m, n)) return normal_factor(m, tokens, random) * Matrix(normal_factor(n, tokens, random).transpose());
  // With B = Q_B R_B, A'Q_B is again [m, n] of iid normals whatever Q_B is; G = (P R) R_B.
  if (n <= m) return normal_factor(m, n, random) * normal_factor(tokens, n, random);
  return token_core(tokens, n, m, random).transpose();
}

}  // namespace

void iid_gradients(Probe& probe, NullDraw& draw) {
  NoiseTrial trial(draw);
  probe.begin(draw.trial());
  bool drawn = false;
  for (std::int64_t step = 0; step < draw.trial().steps; ++step) {
    const auto& needs = draw.declared().needs;
    if (std::none_of(needs.begin(), needs.end(), [&](const Signals::Need& n) { return n.when.includes(step); })) continue;
    if (draw.trial().fresh || !drawn) trial.draw_gradient();
    drawn = true;
    const Signal gradient = trial.gradient();
    probe.observe(NoiseStep(draw, step, gradient));
  }
  probe.conclude(trial);
}

std::vector<double> iid_spectrum(std::int64_t m, std::int64_t n, Random& random) {
  if (m < n) std::swap(m, n);
  Eigen::VectorXd diagonal(n), beside(std::max<std::int64_t>(n - 1, 0));  // of B'B, B with chi_m .. and chi_(n-1) .. above
  double above = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const double d = chi(m - i, random);
    diagonal[i] = d * d + above * above;
    if (i + 1 == n) break;
    above = chi(n - 1 - i, random);
    beside[i] = d * above;
  }
  Eigen::SelfAdjointEigenSolver<Matrix> solver;
  solver.computeFromTridiagonal(diagonal, beside, Eigen::EigenvaluesOnly);
  return descending_roots(solver.eigenvalues());
}

std::vector<double> core_spectrum(std::int64_t K, NullDraw& draw) {
  if (has_block_core(draw.trial()))
    return draw.pick("iid block of " + std::to_string(K), 5000, [K](Random& random) { return iid_spectrum(K, K, random); });
  std::vector<double> sigma(static_cast<std::size_t>(K));
  for (double& v : sigma) v = std::abs(draw.random().normal());
  return sigma;
}

std::vector<double> token_product_spectrum(std::int64_t tokens, std::int64_t m, std::int64_t n, Random& random) {
  const Matrix core = token_core(tokens, m, n, random);
  const Matrix gram = core * core.transpose();
  return descending_roots(Eigen::SelfAdjointEigenSolver<Matrix>(gram, Eigen::EigenvaluesOnly).eigenvalues());
}

std::vector<double> random_block(std::int64_t tokens, std::int64_t m, std::int64_t n, std::int64_t K, Random& random) {
  const Matrix middle = token_core(tokens, m, n, random);  // G = P middle Q'
  // U'P: the first r columns of K orthonormal rows in m dims, which whitened Gaussians are; likewise V'Q. Of the rows that
  // are not looked at only the Gram matrix matters.
  const auto seen = [&](std::int64_t width, std::int64_t columns) {
    Matrix top(columns, K);
    for (std::int64_t k = 0; k < K; ++k)
      for (std::int64_t i = 0; i < columns; ++i) top(i, k) = random.normal();
    Matrix gram = top.transpose() * top;
    if (width > columns) {
      const Matrix rest = normal_factor(width - columns, K, random);
      gram += rest.transpose() * rest;
    }
    const Matrix lower = gram.llt().matrixL();
    return Matrix(lower.triangularView<Eigen::Lower>().solve(top.transpose()));  // [K, columns]
  };
  const Matrix block = seen(m, middle.rows()) * middle * seen(n, middle.cols()).transpose();
  const double norm = middle.norm();
  std::vector<double> out(static_cast<std::size_t>(K * K));
  for (std::int64_t i = 0; i < K; ++i)
    for (std::int64_t j = 0; j < K; ++j) out[static_cast<std::size_t>(i * K + j)] = block(i, j) / norm;
  return out;
}

std::vector<double> exchangeable_tails(const TrialInfo& trial, Random& random) {
  const bool block = has_block_core(trial);
  std::int64_t K = 0;
  for (const AdaptedMatrix& m : trial.matrices) K = std::max(K, m.rank);
  std::vector<double> tails(static_cast<std::size_t>(K) + 1);
  for (std::int64_t k = K - 1; k >= 0; --k) {
    std::int64_t entries = 0;  // that go with dim k when those beyond it are gone
    for (const AdaptedMatrix& m : trial.matrices)
      if (k < m.rank) entries += block ? 2 * k + 1 : 1;
    const auto at = static_cast<std::size_t>(k);
    tails[at] = tails[at + 1] + gamma(static_cast<double>(entries), random);  // the sum of so many exponentials
  }
  return tails;
}

double gaussian_rank_share() {
  return std::sqrt(2 / std::numbers::pi) * std::exp(-(std::numbers::ln2 - std::numbers::egamma) / 2);
}
double laplace_rank_share() { return std::exp(std::numbers::egamma - 1); }
double block_coverage(std::int64_t m, std::int64_t n, std::int64_t K) {
  return static_cast<double>(K) / std::sqrt(static_cast<double>(m) * static_cast<double>(n));
}
double diagonal_coverage(std::int64_t m, std::int64_t n, std::int64_t K) {
  return std::sqrt(static_cast<double>(K)) / std::sqrt(static_cast<double>(m) * static_cast<double>(n));
}
double exchangeable_share(std::int64_t K, std::int64_t keep, bool block) {
  const auto left = static_cast<double>(K - keep), most = static_cast<double>(K - 2);
  if (!block) return left / most;
  return left * static_cast<double>(K + keep) / (most * static_cast<double>(K + 2));
}
double cosine_sd(std::int64_t K) { return 1 / std::sqrt(static_cast<double>(K)); }

}  // namespace khost::nulls
