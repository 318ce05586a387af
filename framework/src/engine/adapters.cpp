#include "engine/adapters.hpp"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>

namespace khost {

namespace {

Core core_of(std::string_view name) { return name == "block" ? Core::block : name == "factors" ? Core::factors : Core::diagonal; }

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Stored = Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>;

}  // namespace

Adapters::Adapters(std::shared_ptr<const CutBasis> basis, const std::vector<AdaptedMatrix>& matrices, std::string_view core)
    : basis_(std::move(basis)), matrices_(matrices), core_(core_of(core)) {
  if (core_ == Core::factors) own_ = *basis_;
  for (std::size_t i = 0; i < matrices_.size(); ++i) {
    const AdaptedMatrix& m = matrices_[i];
    active_.push_back(m.rank);
    const auto size = static_cast<std::size_t>(core_ == Core::block ? checked_product({m.rank, m.rank}) : m.rank);
    alpha_.emplace_back(size, 0.0f), gradient_.emplace_back(size, 0.0f);
    scale_.emplace_back(static_cast<std::size_t>(m.rank), 1.0f), effective_.emplace_back(size, 0.0f);
    const bool factors = core_ == Core::factors;
    U_grad_.emplace_back(factors ? static_cast<std::size_t>(checked_product({m.rows, m.rank})) : 0);
    V_grad_.emplace_back(factors ? static_cast<std::size_t>(checked_product({m.cols, m.rank})) : 0);
  }
  for (std::size_t i = 0; i < matrices_.size(); ++i) {
    AdapterSlot& slot = slots_.emplace_back();
    slot.rank = matrices_[i].rank;
    slot.core = core_;
    if (slot.rank == 0) continue;
    const Basis& b = own_.empty() ? (*basis_)[i] : own_[i];
    slot.U = b.U.data(), slot.V = b.V.data();
    slot.alpha = effective_[i].data(), slot.alpha_grad = gradient_[i].data();
    if (core_ == Core::factors) slot.U_grad = U_grad_[i].data(), slot.V_grad = V_grad_[i].data();
  }
}

const AdapterSlot* Adapters::slot(std::size_t matrix) const { return slots_[matrix].rank > 0 ? &slots_[matrix] : nullptr; }

std::vector<Trained> Adapters::trained() {
  std::vector<Trained> out;
  for (std::size_t i = 0; i < matrices_.size(); ++i) {
    if (matrices_[i].rank == 0) continue;
    const AdaptedMatrix& m = matrices_[i];
    if (core_ == Core::factors) out.push_back({m.name + "/U", false, own_[i].U, U_grad_[i], {m.rows, m.rank}});
    out.push_back({m.name + "/alpha", false, alpha_[i], gradient_[i], core_shape(i)});
    if (core_ == Core::factors) out.push_back({m.name + "/V", false, own_[i].V, V_grad_[i], {m.cols, m.rank}});
  }
  return out;
}

Alphas Adapters::zero() const {
  Alphas out;
  for (const auto& a : alpha_) out.emplace_back(a.size(), 0.0f);
  return out;
}

Shape Adapters::core_shape(std::size_t matrix) const {
  const std::int64_t K = matrices_[matrix].rank;
  return core_ == Core::block ? Shape{K, K} : Shape{K};
}

void Adapters::apply(const Alphas& values) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t K = scale_[i].size();
    for (std::size_t k = 0; k < values[i].size(); ++k)
      effective_[i][k] = values[i][k] * scale_[i][core_ == Core::block ? k % K : k];
  }
}

void Adapters::chain() {
  if (scaled_)
    for (std::size_t i = 0; i < gradient_.size(); ++i) {
      const std::size_t K = scale_[i].size();
      for (std::size_t k = 0; k < gradient_[i].size(); ++k) gradient_[i][k] *= scale_[i][core_ == Core::block ? k % K : k];
    }
  if (!partial_) return;
  for (std::size_t i = 0; i < gradient_.size(); ++i)
    for (std::size_t k = 0; k < gradient_[i].size(); ++k)
      if (!active(i, k)) gradient_[i][k] = 0;
}

std::span<float> Adapters::scale(std::size_t matrix) {
  scaled_ = true;
  return scale_.at(matrix);
}

void Adapters::unscale() {
  if (!scaled_) return;
  for (auto& s : scale_) std::ranges::fill(s, 1.0f);
  scaled_ = false;
}

bool Adapters::set_rank(std::size_t matrix, std::int64_t K) {
  if (active_[matrix] == K) return false;
  const std::int64_t kept = std::min(K, active_[matrix]);
  active_[matrix] = kept;
  for (std::size_t k = 0; k < alpha_[matrix].size(); ++k)
    if (!active(matrix, k)) alpha_[matrix][k] = 0;
  active_[matrix] = K;
  partial_ = false;
  for (std::size_t i = 0; i < active_.size(); ++i) partial_ |= active_[i] < matrices_[i].rank;
  return true;
}

bool Adapters::active(std::size_t matrix, std::size_t entry) const {
  const auto K = static_cast<std::size_t>(matrices_[matrix].rank), dims = static_cast<std::size_t>(active_[matrix]);
  return core_ == Core::block ? entry / K < dims && entry % K < dims : entry < dims;
}

std::int64_t Adapters::adapter_parameters() const {
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < matrices_.size(); ++i) sum += active_[i] * (matrices_[i].rows + matrices_[i].cols);
  return sum;
}

std::int64_t Adapters::trainable_parameters() const {
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < matrices_.size(); ++i) sum += active_[i] * (core_ == Core::block ? active_[i] : 1);
  return core_ == Core::factors ? sum + adapter_parameters() : sum;
}

std::vector<double> Adapters::displacement() const {
  std::vector<double> out;
  for (std::size_t i = 0; i < matrices_.size(); ++i) {
    const std::int64_t K = matrices_[i].rank;
    if (core_ != Core::factors) {  // U and V have orthonormal columns
      double sum = 0;
      for (const float a : alpha_[i]) sum += static_cast<double>(a) * a;
      out.push_back(std::sqrt(sum));
      continue;
    }
    // tr(a U'U a V'V)
    Matrix left = Stored(own_[i].U.data(), matrices_[i].rows, K).cast<double>();
    const Matrix right = Stored(own_[i].V.data(), matrices_[i].cols, K).cast<double>();
    for (std::int64_t k = 0; k < K; ++k) left.col(k) *= static_cast<double>(alpha_[i][static_cast<std::size_t>(k)]);
    const double squared = (left.transpose() * left).cwiseProduct(right.transpose() * right).sum();
    out.push_back(std::sqrt(std::max(0.0, squared)));
  }
  return out;
}

std::vector<float> Adapters::difference(std::size_t matrix) const {
  const AdaptedMatrix& m = matrices_[matrix];
  if (m.rank == 0) return {};
  const Matrix U = Stored(slots_[matrix].U, m.rows, m.rank).cast<double>(),
               V = Stored(slots_[matrix].V, m.cols, m.rank).cast<double>();
  const std::vector<float>& core = alpha_[matrix];
  Matrix left;
  if (core_ == Core::block) {
    left = U * Stored(core.data(), m.rank, m.rank).cast<double>();
  } else {
    left = U;
    for (std::int64_t k = 0; k < m.rank; ++k) left.col(k) *= static_cast<double>(core[static_cast<std::size_t>(k)]);
  }
  const Matrix all = left * V.transpose();
  std::vector<float> out(static_cast<std::size_t>(all.size()));
  std::ranges::transform(all.reshaped<Eigen::RowMajor>(), out.begin(), [](double v) { return static_cast<float>(v); });
  return out;
}

}  // namespace khost
