#include "engine/evaluator.hpp"

#include <algorithm>

#include "graph/adapted_matrix.hpp"

namespace khost {

bool merges_for(double tokens, const std::vector<Parameter>& parameters, bool written) {
  // A product of rank K with all of W is read and written besides: it takes the time of about four with as many multiplications.
  constexpr double dearer = 4;
  double formed = 0, factored = 0;
  for (const Parameter& p : parameters) {
    if (!p.adaptable) continue;
    const auto m = static_cast<double>(p.shape[0]), n = static_cast<double>(p.shape[1]);
    formed += m * n, factored += tokens * (m + n);
  }
  return !written && factored >= dearer * formed;
}

MergedWeights::MergedWeights(const TrialWeights& of) : of_(of), values_(of.slots().size()) {
  std::int64_t scratch = 0;
  for (const WeightSlot& slot : of.slots()) {
    WeightSlot& own = slots_.emplace_back();
    own.parameter = slot.parameter;
    own.value = slot.value;
    // Nothing is laid out for the backend: each forming changes them, and where an arm has no adapter it computes as the others
    // do.
    own.frozen = false;
    if (!slot.adapter) continue;
    Tensor& value = values_[slots_.size() - 1] = Tensor(slot.parameter.shape);
    own.value = value.data();
    scratch = std::max(scratch, slot.parameter.shape[0] * slot.adapter->rank);
  }
  scratch_ = Tensor({scratch});
}

void MergedWeights::form(Backend& backend) {
  for (std::size_t i = 0; i < values_.size(); ++i) {
    const WeightSlot& slot = of_.slots()[i];
    if (!slot.adapter) continue;
    std::copy_n(slot.value, values_[i].size(), values_[i].data());
    Weight weight{slot, {}};
    LowRank(weight).add_difference(backend, scratch_.data(), values_[i].data());
  }
}

double Evaluator::loss(const WindowSet& windows) {
  const std::vector<WeightSlot>& slots = weights_.slots();
  const bool written = std::ranges::any_of(slots, [](const WeightSlot& s) { return s.written != nullptr; });
  // A backend that rounds frozen weights rounds them here too, and not the small change of them that an adapter makes.
  const bool merged =
      !backend_.info().rounds() && merges_for(static_cast<double>(windows.tokens()), model_.parameters(), written);
  if (merged) {
    if (!merged_) merged_.emplace(weights_);
    merged_->form(backend_);
  }
  const auto [program, _] = programs_.try_emplace({windows.batch(), merged}, model_, merged ? merged_->slots() : slots,
                                                  windows.batch(), sequence_, backend_);
  return windows.loss(program->second);
}

}  // namespace khost
