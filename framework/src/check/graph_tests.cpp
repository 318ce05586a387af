// Gradients of models (and of the operations that they bring), of adapters and of cores: each against central differences of the
// same computation in double, along a random direction of each tensor.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "check/adapted.hpp"
#include "check/process_state.hpp"
#include "check/test.hpp"
#include "check/with_context.hpp"
#include "compute/backend.hpp"
#include "graph/program.hpp"
#include "plan/materials.hpp"

namespace khost::check {

namespace {

constexpr std::int64_t B = 2, T = 5, K = 3, vocabulary = 61;
constexpr double tolerance = 2e-3;  // of a gradient; f32 gives 1e-5, what is wrong by a factor or a term is far off

using Values = std::map<std::string, Doubles>;  // of variables, by name

struct Batch {
  std::vector<std::int32_t> tokens, targets;
  explicit Batch(Random& random) {
    for (std::int64_t i = 0; i < B * T; ++i) {
      tokens.push_back(static_cast<std::int32_t>(random.below(vocabulary)));
      targets.push_back(static_cast<std::int32_t>(random.below(vocabulary)));
    }
  }
};

Values values_of(const std::deque<Variable>& all) {
  Values out;
  for (const Variable& v : all) out[v.name] = Doubles(v.value.begin(), v.value.end());
  return out;
}

// The loss of the model in double, with plain weights of those values.
double loss_in_double(const Model& model, const Values& at, const std::map<std::string, Shape>& shapes, const Batch& batch) {
  Point point;
  for (const auto& [name, value] : at)
    if (const auto shape = shapes.find(name); shape != shapes.end())
      point.weights[name] = value, point.shapes[name] = shape->second;
  OracleGraph graph(point, B, T, batch.tokens, batch.targets);
  model.forward(graph);
  return graph.loss;
}

// The largest error of the gradients of `some`, relative to what a random direction sees of a gradient of that size. Throws a
// Failure that names the tensor.
std::string compare(const std::deque<Variable>& all, const std::function<double(const Values&)>& loss, double found,
                    Random& random, const std::string& mend) {
  constexpr std::size_t most = 24;  // tensors; a model of many layers has the same in each
  constexpr double h = 1e-3;
  const Values at = values_of(all);
  const double expected = loss(at);
  if (!(std::fabs(found - expected) <= 1e-4 * std::max(1.0, std::fabs(expected))))
    throw Failure(fmt::format("the loss is {}, and {} by the definitions of its operations in double", found, expected),
                  "forward() and in_double() of an operation disagree");
  std::vector<const Variable*> some;
  for (const Variable& v : all) some.push_back(&v);
  for (std::size_t i = some.size(); i > 1; --i) std::swap(some[i - 1], some[random.below(i)]);
  some.resize(std::min(some.size(), most));
  double whole = 0, worst = 0;
  for (const Variable& v : all)
    for (const float g : v.gradient) whole += static_cast<double>(g) * g;
  std::string where;
  for (const Variable* v : some) {
    Doubles direction(v->value.size());
    double norm = 0, along = 0, square = 0;
    for (double& d : direction) d = random.normal(), norm += d * d;
    for (std::size_t i = 0; i < direction.size(); ++i) {
      direction[i] /= std::sqrt(norm);
      along += direction[i] * static_cast<double>(v->gradient[i]);
      square += static_cast<double>(v->gradient[i]) * v->gradient[i];
    }
    Values moved = at;
    const auto moved_by = [&](double step) {
      for (std::size_t i = 0; i < direction.size(); ++i) moved[v->name][i] = at.at(v->name)[i] + step * direction[i];
      return loss(moved);
    };
    const double difference = (moved_by(h) - moved_by(-h)) / (2 * h);
    const double size = (std::sqrt(square) + 1e-3 * std::sqrt(whole)) / std::sqrt(static_cast<double>(direction.size()));
    const double error = std::fabs(along - difference) / std::max(size, std::fabs(difference));
    if (!(error <= tolerance))
      throw Failure(fmt::format("the gradient of {} along a random direction is {:.6g}, and by differences {:.6g}", v->name,
                                along, difference),
                    mend);
    if (error > worst) worst = error, where = v->name;
  }
  return fmt::format("{} tensors, the largest error {:.1e} ({})", some.size(), worst, where);
}

constexpr const char* mend_op =
    "look at backward() of the operation that makes it: a missing term, add_to_input() that is not asked, a sum over the wrong "
    "dims";

// A program over these variables, as the host builds one. What carries no adapter here is a plain parameter.
double run(const Model& model, std::vector<WeightSlot> slots, const Batch& batch) {
  Backend portable("portable", nullptr, "{}", 1);
  Program program(model, std::move(slots), B, T, portable);
  const ProcessState before(Kind::model);
  const double loss = program.forward(batch.tokens, batch.targets, Program::Gradients::alpha_and_weights);
  before.expect_unchanged_by("forward() of an operation");
  program.backward();
  before.expect_unchanged_by("backward() of an operation");
  return loss;
}

std::string model_test(const Subject& of) {
  std::string figure;
  with_context(of, [&](void* context) {
    const auto model = of.make<Model>(context);
    Random random(of.seed, "check", "gradients");
    const Batch batch(random);
    std::deque<Variable> all;
    std::map<std::string, Shape> shapes;
    std::vector<WeightSlot> slots;
    for (const Parameter& p : model->parameters()) {
      Variable& v = all.emplace_back(variable(p, random));
      shapes[p.name] = p.shape;
      slots.push_back({p, v.value.data(), v.gradient.data(), nullptr, false});
    }
    const double loss = run(*model, slots, batch);
    figure = compare(
        all, [&](const Values& at) { return loss_in_double(*model, at, shapes, batch); }, loss, random, mend_op);
  });
  return figure;
}

// And the loss, on the first of the models.
std::string adapter_gradients(const Adapter& adapter, std::uint64_t seed, std::optional<double>& first) {
  std::string figure;
  for (const bool tied : {true, false}) {
    const TestModel model = host_model(tied, vocabulary);
    Random random(seed, "check", "gradients");
    const Batch batch(random);
    const Adapted adapted(model, adapter, K, 0.1, random);
    const double loss = run(model, adapted.slots(), batch);
    if (!first) first = loss;
    // Of what the adapter trains: what it does to the weights' own gradient, it may leave out (a norm taken for constant).
    std::deque<Variable> own;
    for (const Variable& v : adapted.variables())
      if (v.name.find('/') != std::string::npos) own.push_back(v);
    const Point others = adapted.point();
    figure = compare(
        own,
        [&](const Values& at) {
          Point whole = others;
          for (const auto& [name, value] : at) whole.weights[name] = value;
          return adapted.loss(whole, B, T, batch.tokens, batch.targets);
        },
        loss, random,
        "an adapter is written in operations, which khost differentiates: an operation of its own has a wrong backward(), or the "
        "gradient is approximate on purpose: then let a choice among its parameters give the exact one");
  }
  return figure;
}

// Of an adapter whose gradient is not that of its loss: another of its choices with which the loss is the same and the gradient
// right. Then what was chosen is how the gradient is taken, as in DoRA, which lets none through a norm.
std::string exact_choice(const Subject& of, double loss) {
  const Json config = of.config();
  for (const Field& f : describe(of.plugin, nullptr).schema.fields)
    for (const std::string& choice : f.choices) {
      if (f.type != FieldType::string || config.at(f.name) == Json(choice)) continue;
      Json other = of.given;
      other.set(f.name, choice);
      std::optional<double> its;
      try {
        adapter_gradients(*create<Adapter>(of.plugin, resolve_config(of.plugin, other)), of.seed, its);
        if (its == loss) return fmt::format("{} = {}", f.name, choice);
      } catch (const std::exception&) {
        continue;  // nor is that one
      }
    }
  return "";
}

std::string adapter_test(const Subject& of) {
  std::optional<double> loss;
  try {
    return adapter_gradients(*of.make<Adapter>(), of.seed, loss);
  } catch (const Failure&) {
    const std::string exact = loss ? exact_choice(of, *loss) : "";
    if (exact.empty()) throw;
    throw Skipped("its gradient is not that of its loss; with " + exact + ", whose loss is the same, it is: left out on purpose");
  }
}

std::string start_test(const Subject& of) {
  const auto adapter = of.make<Adapter>();
  const TestModel model = host_model(false, vocabulary);
  Random random(of.seed, "check", "start");
  const Batch batch(random);
  const Adapted adapted(model, *adapter, K, 0, random);
  const double with = run(model, adapted.slots(), batch),
               without = adapted.loss(adapted.point(), B, T, batch.tokens, batch.targets, false);
  if (!(std::fabs(with - without) <= 1e-5 * std::fabs(without)))
    throw Failure(fmt::format("before any update the loss is {:.7g}, and the base's is {:.7g}", with, without),
                  "W + dW is W at first: let one of the factors begin at 0 (train() without a start does)");
  return fmt::format("loss {:.6g}, the base's {:.6g}", with, without);
}

// dW of difference() must be what linear() and lookup() do.
std::string difference_test(const Subject& of) {
  const auto adapter = of.make<Adapter>();
  double worst = 0;
  for (const bool tied : {true, false}) {
    const TestModel model = host_model(tied, vocabulary);
    Random random(of.seed, "check", "difference");
    const Batch batch(random);
    const Adapted adapted(model, *adapter, K, 0.1, random);
    const double with = adapted.loss(adapted.point(), B, T, batch.tokens, batch.targets);
    const double of_merged = adapted.loss(adapted.merged(), B, T, batch.tokens, batch.targets, false);
    const double error = std::fabs(with - of_merged) / std::fabs(with);
    if (!(error <= 1e-5))
      throw Failure(
          fmt::format("with {} the loss is {:.7g} as linear() and lookup() have it, and {:.7g} with W + difference()",
                      tied ? "a tied head" : "a head of its own", with, of_merged),
          "the three describe one dW: look for a transpose, a scale that one of them forgets, or the bias that y already has");
    worst = std::max(worst, error);
  }
  return fmt::format("the losses agree within {:.1e}", worst);
}

std::string core_test(const Subject& of) {
  const auto core = of.make<Core>();
  const TestModel model = host_model(true, vocabulary);
  Random random(of.seed, "check", "gradients");
  const Batch batch(random);
  std::deque<Variable> all;
  std::map<std::string, Shape> shapes;
  std::vector<WeightSlot> slots;
  std::deque<AdapterSlot> adapters;
  const auto add = [&](const std::string& name, const Shape& shape, double sd) -> Variable& {
    return all.emplace_back(variable(name, shape, sd, 0, random));
  };
  for (const Parameter& p : model.parameters()) {
    Variable& W = all.emplace_back(variable(p, random));
    shapes[p.name] = p.shape;
    slots.push_back({p, W.value.data(), W.gradient.data(), nullptr, false});
    if (!p.adaptable) continue;
    Variable& U = add(p.name + "/U", {p.shape[0], K}, 1 / std::sqrt(static_cast<double>(p.shape[0])));
    Variable& V = add(p.name + "/V", {p.shape[1], K}, 1 / std::sqrt(static_cast<double>(p.shape[1])));
    Variable& alpha = add(p.name + "/alpha", core->alpha(K), 0.5);
    AdapterSlot& slot = adapters.emplace_back(
        AdapterSlot{K, U.value.data(), V.value.data(), alpha.value.data(), alpha.gradient.data(), core.get()});
    if (core->trains_factors()) slot.U_grad = U.gradient.data(), slot.V_grad = V.gradient.data();
    slots.back().adapter = &slot;
  }
  const double loss = run(model, slots, batch);
  std::deque<Variable> trained;
  for (const Variable& v : all)
    if (v.name.ends_with("/alpha") || (core->trains_factors() && v.name.find('/') != std::string::npos)) trained.push_back(v);
  const Values others = values_of(all);
  return compare(
      trained,
      [&](const Values& at) {
        Values now = others;
        for (const auto& [name, value] : at) now[name] = value;
        Values merged;
        for (const auto& [name, shape] : shapes) {
          merged[name] = now[name];
          if (!now.contains(name + "/alpha")) continue;
          const Doubles &alpha = now[name + "/alpha"], &U = now[name + "/U"], &V = now[name + "/V"];
          for (std::size_t e = 0; e < alpha.size(); ++e) {
            const Core::Entry entry = core->entry(K, static_cast<std::int64_t>(e));
            for (std::int64_t i = 0; i < shape[0]; ++i)
              for (std::int64_t j = 0; j < shape[1]; ++j)
                merged[name][static_cast<std::size_t>(i * shape[1] + j)] +=
                    alpha[e] * U[static_cast<std::size_t>(i * K + entry.row)] * V[static_cast<std::size_t>(j * K + entry.column)];
          }
        }
        return loss_in_double(model, merged, shapes, batch);
      },
      loss, random, "look at the core's gradient, and at whether entry() says where each of alpha stands in C");
}

}  // namespace

std::vector<Test> graph_tests() {
  return {{"gradients", "are its gradients those of its loss?", {Kind::model}, &model_test},
          {"gradients", "are its gradients those of its loss?", {Kind::adapter}, &adapter_test},
          {"start", "is a trial's first loss the base's?", {Kind::adapter}, &start_test},
          {"difference", "is dW what it does in a model?", {Kind::adapter}, &difference_test},
          {"gradients", "are its gradients those of its loss?", {Kind::core}, &core_test}};
}

}  // namespace khost::check
