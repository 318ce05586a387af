#include "engine/written_adapters.hpp"

#include "plan/materials.hpp"

namespace khost {

namespace {
AdaptedTo adapted_to(const AdaptedMatrix& m) { return {m.name, m.rows, m.cols, m.rank}; }
}  // namespace

std::vector<AdaptedMatrix> with_core(const Adapter* adapter, std::vector<AdaptedMatrix> matrices) {
  if (adapter)
    for (AdaptedMatrix& m : matrices) m.rank = 0;
  return matrices;
}

WrittenAdapters::WrittenAdapters(const Adapter* adapter, const std::vector<AdaptedMatrix>& matrices, const Weights& base,
                                 std::uint64_t seed)
    : adapter_(adapter), matrices_(matrices) {
  if (!adapter) return;
  std::vector<std::span<const float>> weights;  // one a matrix
  for (std::size_t i = 0; i < base.parameters.size(); ++i)
    if (base.parameters[i].adaptable) weights.push_back(base.values[i]);
  for (std::size_t i = 0; i < matrices_.size(); ++i) {
    const AdaptedMatrix& m = matrices_[i];
    if (m.rank == 0) continue;
    const AdapterTensors declared = tensors_of(*adapter, m);
    for (const AdapterTensors::Tensor& t : declared.all()) {
      Parameter parameter;
      parameter.name = adapted_to(m)[t.name];
      parameter.shape = t.shape;
      Held& held = tensors_.emplace_back(Held{i, std::move(parameter), Tensor(t.shape), Tensor(t.shape)});
      Random random(seed, m.name, "adapter." + t.name);
      if (t.start) t.start(held.value.span(), weights[i], random);
    }
  }
}

void WrittenAdapters::adapt(WeightSlot& slot, std::size_t matrix) const {
  if (!adapter_ || matrices_[matrix].rank == 0) return;
  slot.written = adapter_;
  slot.written_rank = matrices_[matrix].rank;
}

std::vector<WeightSlot> WrittenAdapters::slots() {
  std::vector<WeightSlot> out;
  for (Held& t : tensors_) {
    WeightSlot& slot = out.emplace_back();
    slot.parameter = t.parameter;
    slot.value = t.value.data();
    slot.grad = t.gradient.data();
    slot.frozen = false;
    slot.of_adapter = true;
  }
  return out;
}

std::vector<Trained> WrittenAdapters::trained() {
  std::vector<Trained> out;
  for (Held& t : tensors_)
    out.push_back({t.parameter.name, t.parameter.shape.size() == 2, t.value.span(), t.gradient.span(), t.parameter.shape});
  return out;
}

std::int64_t WrittenAdapters::parameters() const {
  std::int64_t sum = 0;
  for (const Held& t : tensors_) sum += t.value.size();
  return sum;
}

std::vector<NamedArray> WrittenAdapters::tensors(std::size_t matrix) const {
  std::vector<NamedArray> out;
  const std::size_t owner = matrices_[matrix].name.size() + 1;  // "layer.0.mlp.up/A"
  for (const Held& t : tensors_)
    if (t.matrix == matrix) out.push_back({t.parameter.name.substr(owner), t.value.view()});
  return out;
}

std::vector<double> WrittenAdapters::difference(std::size_t matrix, std::span<const float> W) const {
  const AdaptedMatrix& m = matrices_[matrix];
  if (!adapter_ || m.rank == 0) return {};
  std::vector<std::span<const float>> values;
  for (const Held& t : tensors_)
    if (t.matrix == matrix) values.push_back(t.value.span());
  std::vector<double> dW(static_cast<std::size_t>(checked_product({m.rows, m.cols})));
  adapter_->difference(values, W, adapted_to(m), dW);
  return dW;
}

}  // namespace khost
