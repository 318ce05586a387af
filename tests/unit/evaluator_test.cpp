// Losses on windows: with W + dW formed once they are what the adapters' own products give.
#include "engine/evaluator.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "engine/pace.hpp"
#include "engine/written_adapters.hpp"
#include "unit/plugins.hpp"

using namespace khost;

namespace {

constexpr std::int64_t vocabulary = 67;

class AnyText final : public Data {
 public:
  std::int64_t vocabulary() const override { return ::vocabulary; }
  std::string identity() const override { return "any"; }
  std::int64_t tokens(Part) const override { return 1000; }
  void windows(Part, std::int64_t, std::int64_t, Random& random, std::span<std::int32_t> out) const override {
    for (std::int32_t& id : out) id = static_cast<std::int32_t>(random.below(::vocabulary));
  }
};

struct Small {
  explicit Small(const Core* core, const Adapter* adapter = nullptr, bool trains = false) {
    ModelContext context{vocabulary, sequence};
    model = test::make<Model>("gpt", Json::object({{"d_model", 24}, {"n_layer", 2}, {"n_head", 2}}), &context);
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
    for (auto&& trained : {adapters->trained(), written->trained(), weights->trained()})
      for (const Trained& t : trained)
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

}  // namespace

TEST_CASE("evaluations with W + dW formed once agree with the adapters' products, after every change, for every core") {
  const AnyText text;
  for (const std::string backend_name : {"portable", "onednn", "openblas"})
    for (const std::string core : {"diagonal", "block", "factors"})
      for (const bool trains : {false, true}) {
        CAPTURE(backend_name);
        CAPTURE(core);
        CAPTURE(trains);
        Backend backend(backend_name, test::compute_table(backend_name), "{}", 2);
        Small trial(test::core(core), nullptr, trains);
        const WindowSet windows(text, Part::held_out, 12, Small::sequence);
        REQUIRE(merges_for(static_cast<double>(windows.tokens()), trial.base->parameters));
        Evaluator evaluator(*trial.model, *trial.weights, Small::sequence, backend);
        double before = 0;
        for (int i = 0; i < 3; ++i) {
          const double loss = evaluator.loss(windows);
          CHECK(loss == doctest::Approx(trial.by_adapters(windows, backend)).epsilon(1e-6));
          CHECK(std::fabs(loss - before) > 2e-5);  // formed anew: five times the tolerance above
          CHECK(evaluator.loss(windows) == loss);
          before = loss;
          trial.change();
        }
      }
}

TEST_CASE("evaluations: too few tokens, or an adapter of operations, take the adapters' own products") {
  const AnyText text;
  Backend backend("portable", nullptr, "{}", 1);
  Small trial(test::core("diagonal"));
  const WindowSet few(text, Part::held_out, 1, Small::sequence), many(text, Part::held_out, 12, Small::sequence);
  REQUIRE_FALSE(merges_for(static_cast<double>(few.tokens()), trial.base->parameters));
  Evaluator evaluator(*trial.model, *trial.weights, Small::sequence, backend);
  CHECK(evaluator.loss(few) == trial.by_adapters(few, backend));

  const auto lora = test::make<Adapter>("lora");
  Small other(nullptr, lora.get());
  Evaluator of_lora(*other.model, *other.weights, Small::sequence, backend);
  CHECK(of_lora.loss(many) == other.by_adapters(many, backend));
}

TEST_CASE("whether weights are merged depends on the text and the model alone") {
  const std::vector<Parameter> square{{.name = "W", .shape = {100, 100}, .adaptable = true}, {.name = "b", .shape = {1000000}}};
  CHECK(merges_for(200, square));  // 200 (100 + 100) against 4 x 100 x 100
  CHECK_FALSE(merges_for(199, square));
}
