#include "engine/adapters.hpp"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <numeric>

#include "khost/error.hpp"

namespace khost {

namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Stored = Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>;

// Throws a plugin Error for two in one place.
std::vector<Core::Entry> entries_of(const Core& core, std::int64_t K, std::size_t size) {
  std::vector<Core::Entry> entries;
  std::vector<bool> taken(static_cast<std::size_t>(checked_product({K, K})));
  for (std::size_t i = 0; i < size; ++i) {
    const Core::Entry& e = entries.emplace_back(core.entry(K, static_cast<std::int64_t>(i)));
    const auto place = static_cast<std::size_t>(e.row * K + e.column);
    if (taken[place])
      throw Error(ErrorKind::plugin, "of K = " + std::to_string(K) + " the core puts two entries of alpha into row " +
                                         std::to_string(e.row) + ", column " + std::to_string(e.column));
    taken[place] = true;
  }
  return entries;
}

Matrix core_matrix(std::int64_t K, std::span<const Core::Entry> entries, std::span<const float> alpha) {
  Matrix C = Matrix::Zero(K, K);
  for (std::size_t i = 0; i < entries.size(); ++i) C(entries[i].row, entries[i].column) = static_cast<double>(alpha[i]);
  return C;
}

}  // namespace

Adapters::Adapters(std::shared_ptr<const Directions> basis, const std::vector<AdaptedMatrix>& matrices, const Core* core)
    : basis_(std::move(basis)), matrices_(matrices), core_(core), trains_factors_(core && core->trains_factors()) {
  if (trains_factors_) own_ = *basis_;
  for (std::size_t i = 0; i < matrices_.size(); ++i) {
    const AdaptedMatrix& m = matrices_[i];
    active_.push_back(m.rank);
    const auto size = static_cast<std::size_t>(m.rank > 0 ? element_count(core_->alpha(m.rank)) : 0);
    const auto [entries, is_new] = entries_of_.try_emplace(m.rank);
    if (is_new && size > 0) entries->second = entries_of(*core_, m.rank, size);
    entries_.emplace_back(entries->second);
    active_entries_.push_back(static_cast<std::int64_t>(size));
    alpha_.emplace_back(size, 0.0f), gradient_.emplace_back(size, 0.0f);
    scale_.emplace_back(static_cast<std::size_t>(m.rank), 1.0f), effective_.emplace_back(size, 0.0f);
    U_grad_.emplace_back(trains_factors_ ? static_cast<std::size_t>(checked_product({m.rows, m.rank})) : 0);
    V_grad_.emplace_back(trains_factors_ ? static_cast<std::size_t>(checked_product({m.cols, m.rank})) : 0);
  }
  for (std::size_t i = 0; i < matrices_.size(); ++i) {
    AdapterSlot& slot = slots_.emplace_back();
    slot.rank = matrices_[i].rank;
    slot.core = core_;
    if (slot.rank == 0) continue;
    const Basis& b = own_.empty() ? (*basis_)[i] : own_[i];
    slot.U = b.U.data(), slot.V = b.V.data();
    slot.alpha = effective_[i].data(), slot.alpha_grad = gradient_[i].data();
    if (trains_factors_) slot.U_grad = U_grad_[i].data(), slot.V_grad = V_grad_[i].data();
  }
}

const AdapterSlot* Adapters::slot(std::size_t matrix) const { return slots_[matrix].rank > 0 ? &slots_[matrix] : nullptr; }

std::vector<Trained> Adapters::trained() {
  std::vector<Trained> out;
  for (std::size_t i = 0; i < matrices_.size(); ++i) {
    if (matrices_[i].rank == 0) continue;
    const AdaptedMatrix& m = matrices_[i];
    if (trains_factors_) out.push_back({m.name + "/U", false, own_[i].U, U_grad_[i], {m.rows, m.rank}});
    out.push_back({m.name + "/alpha", false, alpha_[i], gradient_[i], alpha_shape(i)});
    if (trains_factors_) out.push_back({m.name + "/V", false, own_[i].V, V_grad_[i], {m.cols, m.rank}});
  }
  return out;
}

Alphas Adapters::zero() const {
  Alphas out;
  for (const auto& a : alpha_) out.emplace_back(a.size(), 0.0f);
  return out;
}

Shape Adapters::alpha_shape(std::size_t matrix) const { return core_->alpha(matrices_[matrix].rank); }

void Adapters::apply(const Alphas& values) {
  for (std::size_t i = 0; i < values.size(); ++i)
    for (std::size_t k = 0; k < values[i].size(); ++k)
      effective_[i][k] = values[i][k] * scale_[i][static_cast<std::size_t>(entries_[i][k].column)];
}

void Adapters::chain() {
  if (scaled_)
    for (std::size_t i = 0; i < gradient_.size(); ++i)
      for (std::size_t k = 0; k < gradient_[i].size(); ++k)
        gradient_[i][k] *= scale_[i][static_cast<std::size_t>(entries_[i][k].column)];
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

void Adapters::reset(std::size_t matrix, std::int64_t k) {
  for (std::size_t i = 0; i < alpha_[matrix].size(); ++i)
    if (entries_[matrix][i].column == k) alpha_[matrix][i] = 0;
}

bool Adapters::set_rank(std::size_t matrix, std::int64_t K) {
  if (active_[matrix] == K) return false;
  const std::int64_t kept = std::min(K, active_[matrix]);
  active_[matrix] = kept;
  for (std::size_t k = 0; k < alpha_[matrix].size(); ++k)
    if (!active(matrix, k)) alpha_[matrix][k] = 0;
  active_[matrix] = K;
  active_entries_[matrix] = 0;
  for (std::size_t k = 0; k < alpha_[matrix].size(); ++k) active_entries_[matrix] += active(matrix, k);
  partial_ = false;
  for (std::size_t i = 0; i < active_.size(); ++i) partial_ |= active_[i] < matrices_[i].rank;
  return true;
}

void Adapters::state(State& s) {
  std::vector<std::int64_t> active = active_;
  s(active);
  for (std::size_t i = 0; s.reading() && i < active_.size(); ++i) set_rank(i, active.at(i));
}

bool Adapters::active(std::size_t matrix, std::size_t entry) const {
  const Core::Entry& e = entries_[matrix][entry];
  return std::max(e.row, e.column) < active_[matrix];
}

std::int64_t Adapters::adapter_parameters() const {
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < matrices_.size(); ++i) sum += active_[i] * (matrices_[i].rows + matrices_[i].cols);
  return sum;
}

std::int64_t Adapters::trainable_parameters() const {
  const std::int64_t sum = std::accumulate(active_entries_.begin(), active_entries_.end(), std::int64_t{0});
  return trains_factors_ ? sum + adapter_parameters() : sum;
}

std::vector<double> Adapters::displacement() const {
  const auto C = [this](std::size_t i) { return core_matrix(matrices_[i].rank, entries_[i], alpha_[i]); };
  std::vector<double> out;
  for (std::size_t i = 0; i < matrices_.size(); ++i) {
    const std::int64_t K = matrices_[i].rank;
    if (!trains_factors_) {  // U and V have orthonormal columns
      double sum = 0;
      for (const float a : alpha_[i]) sum += static_cast<double>(a) * a;
      out.push_back(std::sqrt(sum));
      continue;
    }
    // tr(C'U'UC V'V)
    const Matrix left = Stored(own_[i].U.data(), matrices_[i].rows, K).cast<double>() * C(i),
                 right = Stored(own_[i].V.data(), matrices_[i].cols, K).cast<double>();
    const double squared = (left.transpose() * left).cwiseProduct(right.transpose() * right).sum();
    out.push_back(std::sqrt(std::max(0.0, squared)));
  }
  return out;
}

std::vector<double> Adapters::core(std::size_t matrix) const {
  const Matrix C = core_matrix(matrices_[matrix].rank, entries_[matrix], alpha_[matrix]);
  return {C.data(), C.data() + C.size()};
}

std::vector<float> Adapters::difference(std::size_t matrix) const {
  const AdaptedMatrix& m = matrices_[matrix];
  if (m.rank == 0) return {};
  const Matrix U = Stored(slots_[matrix].U, m.rows, m.rank).cast<double>(),
               V = Stored(slots_[matrix].V, m.cols, m.rank).cast<double>();
  const Matrix all = U * core_matrix(m.rank, entries_[matrix], alpha_[matrix]) * V.transpose();
  std::vector<float> out(static_cast<std::size_t>(all.size()));
  std::ranges::transform(all.reshaped<Eigen::RowMajor>(), out.begin(), [](double v) { return static_cast<float>(v); });
  return out;
}

}  // namespace khost
