// Losses on windows: with W + dW formed once they are what the adapters' own products give.
#include "engine/evaluator.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "unit/small_trial.hpp"

using namespace khost;
using test::AnyText;
using Small = test::SmallTrial;

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
        REQUIRE(merges_for(static_cast<double>(windows.tokens()), trial.base->parameters, false));
        Evaluator evaluator(*trial.model, *trial.weights, Small::sequence, backend);
        double before = 0;
        for (int i = 0; i < 3; ++i) {
          const double loss = evaluator.loss(windows);
          CHECK(loss == doctest::Approx(trial.by_adapters(windows, backend)).epsilon(1e-6));
          CHECK(std::fabs(loss - before) > 2e-5);  // formed anew: more than the tolerance above
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
  REQUIRE_FALSE(merges_for(static_cast<double>(few.tokens()), trial.base->parameters, false));
  Evaluator evaluator(*trial.model, *trial.weights, Small::sequence, backend);
  CHECK(evaluator.loss(few) == trial.by_adapters(few, backend));

  const auto lora = test::make<Adapter>("lora");
  Small other(nullptr, lora.get());
  Evaluator of_lora(*other.model, *other.weights, Small::sequence, backend);
  CHECK(of_lora.loss(many) == other.by_adapters(many, backend));
}

TEST_CASE("whether weights are merged depends on the text and the model alone") {
  const std::vector<Parameter> square{{.name = "W", .shape = {100, 100}, .adaptable = true}, {.name = "b", .shape = {1000000}}};
  CHECK(merges_for(200, square, false));  // 200 (100 + 100) against 4 x 100 x 100
  CHECK_FALSE(merges_for(199, square, false));
  CHECK_FALSE(merges_for(200, square, true));
}
