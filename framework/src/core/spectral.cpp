#include "khost/spectral.hpp"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "core/products.hpp"
#include "khost/error.hpp"
#include "khost/parallel.hpp"
#include "khost/tensor.hpp"

namespace khost {
namespace {

using Matrix = Eigen::MatrixXd;  // column-major
using Vector = Eigen::VectorXd;
using RowMajorF = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

void check_matrix(const char* who, std::span<const float> W, std::int64_t m, std::int64_t n) {
  if (std::ssize(W) != m * n) {
    throw Error(ErrorKind::plugin,
                std::string(who) + ": " + std::to_string(W.size()) + " values are not a matrix " + text_of({m, n}));
  }
  const auto bad = std::find_if(W.begin(), W.end(), [](float w) { return !std::isfinite(w); });
  if (bad != W.end()) {
    const std::int64_t at = bad - W.begin();
    throw Error(ErrorKind::trial, "no singular values: entry [" + std::to_string(at / n) + ", " + std::to_string(at % n) +
                                      "] of a matrix " + text_of({m, n}) + " is " + std::to_string(*bad));
  }
}

void check_rank(std::int64_t m, std::int64_t n, std::int64_t K) {
  if (K < 0 || K > std::min(m, n)) {
    throw Error(ErrorKind::usage, "a rank of " + std::to_string(K) + " does not fit a matrix " + text_of({m, n}) + ": at most " +
                                      std::to_string(std::min(m, n)));
  }
}

// Appends x to the orthonormal columns of Q as column j. Gram-Schmidt applied twice keeps orthogonality at rounding level (Giraud
// et al. 2005) and, unlike a blocked Householder QR, lets column j depend on nothing but the columns before it. False, with Q
// unchanged, when x lies in the span of those columns but for rounding.
bool append_orthonormal(Matrix& Q, Eigen::Index j, const Vector& x) {
  const double length = x.norm();
  if (!(length > 0)) return false;
  Vector y = x / length;
  const auto before = Q.leftCols(j);
  for (int pass = 0; pass < 2; ++pass) {
    const Vector overlap = before.transpose() * y;
    y.noalias() -= before * overlap;
    const double left = y.norm();
    if (left < 1e-3) return false;
    y /= left;
  }
  Q.col(j) = y;
  return true;
}

// For a singular value of zero any direction serves: the first axis from j on that is not in the span already. There is one, as
// the squared lengths that the axes have outside the span add up to Q.rows() - j.
void append_any_axis(Matrix& Q, Eigen::Index j) {
  for (Eigen::Index i = 0; i < Q.rows(); ++i) {
    if (append_orthonormal(Q, j, Vector::Unit(Q.rows(), (j + i) % Q.rows()))) return;
  }
}

// Eigen cuts products into blocks that fit the processor's caches, and where it cuts decides the last bits. One size everywhere
// keeps a basis the same on every processor.
void fix_block_sizes() {
  static const bool done = (Eigen::setCpuCacheSizes(32 << 10, 512 << 10, 4 << 20), true);
  static_cast<void>(done);
}

// Eigenvalues ascend, and vectors come with them when asked for. The Gram matrix is that of W's smaller side.
Eigen::SelfAdjointEigenSolver<Matrix> eigen_of_gram(std::span<const float> W, std::int64_t m, std::int64_t n, int vectors) {
  fix_block_sizes();
  const std::int64_t c = std::min(m, n);
  Matrix squares(c, c);  // symmetric: row-major and column-major are the same
  gram(std::max(m, n), m >= n ? Factor{W.data(), nullptr, n, 1} : Factor{W.data(), nullptr, 1, n}, c, squares.data());
  Eigen::SelfAdjointEigenSolver<Matrix> solver(squares, vectors);
  if (solver.info() != Eigen::Success) throw Error(ErrorKind::trial, "the eigenvalues of a Gram matrix did not converge");
  return solver;
}

// A [r, c] with r >= c. Right: the leading K right singular vectors [c, K]; left: the left ones [r, K].
struct Triplets {
  Matrix left, right;
  std::vector<double> sigma;
};

// Of A and the eigenvectors of A'A by descending eigenvalue.
Triplets leading_triplets(const Matrix& A, const Matrix& eigenvectors, Eigen::Index K) {
  const Eigen::Index r = A.rows(), c = A.cols();
  Triplets t{Matrix(r, K), eigenvectors.leftCols(K), std::vector<double>(static_cast<std::size_t>(K))};
  // A v for whole blocks of columns, whatever K: a product's last bits may depend on how many columns it has.
  constexpr Eigen::Index block = 16;
  Matrix images;
  double previous = std::numeric_limits<double>::infinity();
  for (Eigen::Index j = 0; j < K; ++j) {
    if (j % block == 0) images.noalias() = A * eigenvectors.middleCols(j, std::min(block, c - j));
    const auto image = images.col(j % block);
    if (!append_orthonormal(t.left, j, image)) append_any_axis(t.left, j);
    // Nearer to the singular value than the eigenvalue's square root, which has lost half of its digits where it is small.
    previous = std::clamp(t.left.col(j).dot(image), 0.0, previous);
    t.sigma[static_cast<std::size_t>(j)] = previous;
  }
  return t;
}

constexpr double none = std::numeric_limits<double>::quiet_NaN();

// (sigma / max sigma)^2: squares of what the square of a double could not hold.
std::vector<double> relative_squares(std::span<const double> sigma) {
  const double largest = sigma.empty() ? 0 : *std::max_element(sigma.begin(), sigma.end());
  std::vector<double> out(sigma.begin(), sigma.end());
  if (largest != 0)
    for (double& s : out) s = s / largest * (s / largest);
  return out;
}

std::vector<float> row_major_floats(const Matrix& Q) {
  std::vector<float> out(static_cast<std::size_t>(Q.size()));
  Eigen::Map<RowMajorF>(out.data(), Q.rows(), Q.cols()) = Q.cast<float>();
  return out;
}

}  // namespace

double effective_rank(std::span<const double> sigma) {
  double sum = 0;
  for (const double s : sigma) sum += s;
  if (sum == 0) return none;
  double entropy = 0;
  for (const double s : sigma) {
    const double p = s / sum;
    if (p != 0) entropy -= p * std::log(p);
  }
  return std::exp(entropy);
}

double effective_rank_squared(std::span<const double> sigma) { return effective_rank(relative_squares(sigma)); }

double participation_ratio(std::span<const double> sigma) {
  double squares = 0, fourths = 0;
  for (const double s2 : relative_squares(sigma)) squares += s2, fourths += s2 * s2;
  return squares == 0 ? none : squares * squares / fourths;
}

double stable_rank(std::span<const double> sigma) {
  double squares = 0;
  for (const double s2 : relative_squares(sigma)) squares += s2;
  return squares == 0 ? none : squares;
}

std::vector<double> singular_values(std::span<const float> W, std::int64_t m, std::int64_t n) {
  check_matrix("singular_values", W, m, n);
  if (W.empty()) return {};
  const Vector eigenvalues = eigen_of_gram(W, m, n, Eigen::EigenvaluesOnly).eigenvalues();
  std::vector<double> sigma;
  for (Eigen::Index i = eigenvalues.size(); i-- > 0;) sigma.push_back(std::sqrt(std::max(eigenvalues(i), 0.0)));  // rounding
  return sigma;
}

std::vector<std::vector<double>> spectra(std::span<const ArrayView> matrices) {
  std::vector<std::vector<double>> out(matrices.size());
  std::vector<std::int64_t> costs;  // a product for every pair of the smaller side's vectors
  for (const ArrayView& a : matrices) {
    if (a.shape.size() != 2) throw Error(ErrorKind::plugin, "spectra: an array " + text_of(a.shape) + " is not a matrix");
    costs.push_back(a.size() * std::min(a.shape[0], a.shape[1]));
  }
  parallel_tasks(costs,
                 [&](std::size_t i) { out[i] = singular_values(matrices[i].f32(), matrices[i].shape[0], matrices[i].shape[1]); });
  return out;
}

std::vector<double> project(const ArrayView& W, const ArrayView& U, const ArrayView& V, std::int64_t K) {
  const auto fits = [&](const ArrayView& basis, std::size_t side) {
    return basis.shape.size() == 2 && basis.shape[0] == W.shape[side] && basis.shape[1] >= K;
  };
  if (K < 0 || W.shape.size() != 2 || !fits(U, 0) || !fits(V, 1))
    throw Error(ErrorKind::plugin, "project: " + std::to_string(K) + " columns of " + text_of(U.shape) + " and " +
                                       text_of(V.shape) + " are not bases of a matrix " + text_of(W.shape));
  const std::int64_t m = W.shape[0], n = W.shape[1];
  std::vector<double> images(static_cast<std::size_t>(checked_product({m, K}))),
      out(static_cast<std::size_t>(checked_product({K, K})));
  product(n, {W.f32().data(), nullptr, 1, n}, m, {V.f32().data(), nullptr, V.shape[1], 1}, K, images.data());
  product(m, {U.f32().data(), nullptr, U.shape[1], 1}, K, {nullptr, images.data(), K, 1}, K, out.data());
  return out;
}

Basis svd_basis(std::span<const float> W, std::int64_t m, std::int64_t n, std::int64_t K) {
  check_rank(m, n, K);
  check_matrix("svd_basis", W, m, n);
  const Eigen::Map<const RowMajorF> given(W.data(), m, n);
  const bool tall = m >= n;
  const Matrix A = tall ? Matrix(given.cast<double>()) : Matrix(given.transpose().cast<double>());
  Triplets t = leading_triplets(A, eigen_of_gram(W, m, n, Eigen::ComputeEigenvectors).eigenvectors().rowwise().reverse(), K);
  Matrix& U = tall ? t.left : t.right;
  Matrix& V = tall ? t.right : t.left;
  for (Eigen::Index j = 0; j < K; ++j) {
    Eigen::Index largest = 0;
    V.col(j).cast<float>().cwiseAbs().maxCoeff(&largest);  // as stored: two that differ in double may be equal there
    if (V(largest, j) < 0) {
      V.col(j) = -V.col(j);
      U.col(j) = -U.col(j);
    }
  }
  return {m, n, K, row_major_floats(U), row_major_floats(V), std::move(t.sigma)};
}

Basis random_basis(std::int64_t m, std::int64_t n, std::int64_t K, Random& random) {
  check_rank(m, n, K);
  Matrix U(m, K), V(n, K);
  const auto append_gaussian = [&](Matrix& Q, Eigen::Index j) {
    Vector x(Q.rows());
    do {  // a Gaussian column in the span of the others has probability 0
      for (double& value : x) value = random.normal();
    } while (!append_orthonormal(Q, j, x));
  };
  for (Eigen::Index j = 0; j < K; ++j) {
    append_gaussian(U, j);
    append_gaussian(V, j);
  }
  return {m, n, K, row_major_floats(U), row_major_floats(V), {}};
}

}  // namespace khost
