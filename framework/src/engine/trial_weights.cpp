#include "engine/trial_weights.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace khost {

TrialWeights::TrialWeights(std::shared_ptr<const Weights> base, const std::vector<bool>& trains, MatrixGradients matrices,
                           const Adapters* adapters, WrittenAdapters* written)
    : base_(std::move(base)),
      adapters_(adapters),
      written_(written),
      own_(base_->values.size()),
      gradients_(base_->values.size()) {
  std::size_t matrix = 0;
  for (std::size_t i = 0; i < base_->values.size(); ++i) {
    const Parameter& p = base_->parameters[i];
    const bool trained = !trains.empty() && trains[i];
    if (trained) {
      own_[i] = Tensor(p.shape);
      std::ranges::copy(base_->values[i], own_[i].data());
    }
    if (trained || (matrices == MatrixGradients::yes && p.adaptable)) gradients_[i] = Tensor(p.shape);
    WeightSlot& slot = slots_.emplace_back();
    slot.parameter = p;
    slot.value = trained ? own_[i].data() : base_->values[i].data();
    slot.grad = gradients_[i].size() > 0 ? gradients_[i].data() : nullptr;
    slot.frozen = !trained;
    if (!p.adaptable) continue;
    if (adapters_) slot.adapter = adapters_->slot(matrix);
    if (written_) written_->adapt(slot, matrix);
    ++matrix;
  }
  if (written) std::ranges::move(written->slots(), std::back_inserter(slots_));
}

std::vector<Trained> TrialWeights::trained() {
  std::vector<Trained> out;
  for (std::size_t i = 0; i < own_.size(); ++i) {
    const Parameter& p = base_->parameters[i];
    if (own_[i].size() > 0) out.push_back({p.name, p.shape.size() == 2, own_[i].span(), gradients_[i].span(), p.shape});
  }
  return out;
}

bool TrialWeights::trains_any() const {
  return std::ranges::any_of(own_, [](const Tensor& own) { return own.size() > 0; });
}

Tensor TrialWeights::merged(std::size_t i) const {
  const WeightSlot& slot = slots_[i];
  Tensor out(slot.parameter.shape);
  std::copy_n(slot.value, out.size(), out.data());
  if (!slot.parameter.adaptable) return out;
  const auto matrix = static_cast<std::size_t>(std::count_if(slots_.begin(), slots_.begin() + static_cast<std::ptrdiff_t>(i),
                                                             [](const WeightSlot& s) { return s.parameter.adaptable; }));
  const auto add = [&](const auto& difference) {
    for (std::size_t k = 0; k < difference.size(); ++k)
      out.data()[k] = static_cast<float>(static_cast<double>(out.data()[k]) + static_cast<double>(difference[k]));
  };
  if (adapters_) add(adapters_->difference(matrix));
  if (written_) add(written_->difference(matrix, std::as_const(out).span()));
  return out;
}

std::vector<double> TrialWeights::displacement() const {
  const bool written = written_ && written_->any();
  std::vector<double> out = adapters_->displacement();
  std::size_t next = 0;
  for (std::size_t i = 0; i < own_.size(); ++i) {
    if (!slots_[i].parameter.adaptable) continue;
    const std::size_t matrix = next++;
    const bool trained = own_[i].size() > 0;
    if (!trained && !written) continue;
    const std::span<const float> before = base_->values[i], now = trained ? own_[i].span() : before;
    std::vector<double> adapter;  // empty where K = 0
    if (written)
      adapter = written_->difference(matrix, now);
    else
      std::ranges::copy(adapters_->difference(matrix), std::back_inserter(adapter));
    double sum = 0;
    for (std::size_t k = 0; k < now.size(); ++k) {
      const double moved = static_cast<double>(now[k]) - before[k] + (adapter.empty() ? 0 : adapter[k]);
      sum += moved * moved;
    }
    out[matrix] = std::sqrt(sum);
  }
  return out;
}

std::vector<Trained> of_adapters(Adapters& adapters, WrittenAdapters& written) {
  std::vector<Trained> all = adapters.trained();
  std::ranges::move(written.trained(), std::back_inserter(all));
  return all;
}

std::vector<Trained> all_trained(Adapters& adapters, WrittenAdapters& written, TrialWeights& weights) {
  std::vector<Trained> all = of_adapters(adapters, written);
  std::ranges::move(weights.trained(), std::back_inserter(all));
  return all;
}

}  // namespace khost
