// What an evaluation needs of a trial: a small model with adapters that have moved, and text.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "engine/evaluator.hpp"
#include "engine/pace.hpp"
#include "engine/written_adapters.hpp"
#include "unit/plugins.hpp"

namespace khost::test {

class AnyText final : public Data {
 public:
  static constexpr std::int64_t words = 67;
  std::int64_t vocabulary() const override { return words; }
  std::string identity() const override { return "any"; }
  std::int64_t tokens(Part) const override { return 1000; }
  void windows(Part, std::int64_t, std::int64_t, Random& random, std::span<std::int32_t> out) const override {
    for (std::int32_t& id : out) id = static_cast<std::int32_t>(random.below(words));
  }
};

struct SmallTrial {
  explicit SmallTrial(const Core* core, const Adapter* adapter = nullptr, bool trains = false) {
    ModelContext context{AnyText::words, sequence};
    model = make<Model>("gpt", Json::object({{"d_model", 32}, {"n_layer", 2}, {"n_head", 2}}), &context);
    base = std::make_shared<const Weights>(shared(draw_weights(model->parameters(), 1)));
    for (const Parameter& p : base->parameters)
      if (p.adaptable) {  // one of them carries no adapter
        const std::int64_t K = matrices.size() == 2 ? 0 : 5;
        matrices.push_back({p.name, p.shape[0], p.shape[1], K, p.layer, core && K > 0 ? core->alpha(K) : Shape{}});
      }
    Random random(7, "evaluator", "test");
    adapters.emplace(any_directions(with_core(adapter, matrices), random), with_core(adapter, matrices), core);
    written.emplace(adapter, matrices, *base, 1);
    weights.emplace(base, std::vector<bool>(base->parameters.size(), trains), MatrixGradients::no, &*adapters, &*written);
    change();
  }

  // What a step of the trainer would.
  void change() {
    Random random(9 + changes++, "values", "test");
    for (const Trained& t : all_trained(*adapters, *written, *weights))
      for (float& v : t.value) v += 0.3f * static_cast<float>(random.uniform() - 0.5);
    adapters->apply(adapters->alphas());
  }

  double by_adapters(const WindowSet& windows, Backend& backend) const {
    Program program(*model, weights->slots(), windows.batch(), sequence, backend);
    return windows.loss(program);
  }

  static constexpr std::int64_t sequence = 19;
  std::shared_ptr<Model> model;
  std::shared_ptr<const Weights> base;
  std::vector<AdaptedMatrix> matrices;
  std::optional<Adapters> adapters;
  std::optional<WrittenAdapters> written;
  std::optional<TrialWeights> weights;
  std::uint64_t changes = 0;
};

}  // namespace khost::test
