#include "engine/bases.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/batches.hpp"
#include "engine/trainer.hpp"
#include "khost/parallel.hpp"
#include "khost/safetensors.hpp"

namespace khost {

Bases::Bases(const Experiment& experiment, const Materials& materials, Cache& cache, Backend& backend, Report report,
             std::function<bool()> interrupted)
    : experiment_(experiment),
      materials_(materials),
      cache_(cache),
      backend_(backend),
      report_(std::move(report)),
      interrupted_(std::move(interrupted)) {}

bool Bases::cached(const PlannedBase& base) const { return !base.recipe->file.empty() || cache_.has("base", base.identity); }

std::string Bases::file(const PlannedBase& base) {
  if (!base.recipe->file.empty()) return base.recipe->file;
  return cache_.get("base", base.identity, "base " + base.recipe->name, [&](const std::string& path) { train(base, path); });
}

std::shared_ptr<const Weights> Bases::weights(const PlannedBase& base) {
  const std::lock_guard lock(mutex_);
  if (const auto failed = failures_.find(base.hash); failed != failures_.end()) throw failed->second;
  auto& held = weights_[base.hash];
  if (held) return held;
  try {
    held = std::make_shared<const Weights>(load_weights(materials_.parameters(), file(base)));
  } catch (const Error& e) {
    if (e.kind() == ErrorKind::trial) failures_.emplace(base.hash, e);
    throw;
  }
  return held;
}

std::string Bases::summary(const PlannedBase& base) {
  if (!cached(base)) return "";
  const SafetensorsFile opened(file(base));
  const auto& metadata = opened.metadata();
  const auto found = metadata.find("summary");
  return base.recipe->name + ": " + (found == metadata.end() ? base.recipe->file : found->second);
}

namespace {

// The tensors that a recipe trains. A pattern that matches nothing is a mistake in the manifest.
std::vector<bool> chosen(const BaseRecipe& recipe, const std::vector<Parameter>& parameters) {
  std::vector<bool> trains(parameters.size());
  for (const std::string& pattern : recipe.train) {
    bool any = false;
    for (std::size_t i = 0; i < parameters.size(); ++i)
      if (name_matches(pattern, parameters[i])) any = trains[i] = true;
    if (!any) {
      std::vector<std::string> names;
      for (const Parameter& p : parameters) names.push_back(p.name);
      Error error(ErrorKind::usage, recipe.place,
                  "base '" + recipe.name + "' trains '" + pattern + "', which matches no tensor of the model");
      if (const std::string near = did_you_mean(pattern, names); !near.empty()) error.hint(near);
      throw error;
    }
  }
  return trains;
}

}  // namespace

namespace {

// Measuring the target costs half a step: often enough to stop near it, seldom enough not to matter.
constexpr std::int64_t calibration_period = 5;

}  // namespace

void Bases::train(const PlannedBase& planned, const std::string& path) {
  const BaseRecipe& recipe = *planned.recipe;
  const std::uint64_t seed = recipe.base_seed + static_cast<std::uint64_t>(planned.draw);
  Weights weights = draw_weights(materials_.parameters(), seed);
  BaseProgress progress{0, recipe.steps, std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::quiet_NaN()};
  if (recipe.steps > 0) {
    const std::vector<bool> trains = chosen(recipe, weights.parameters);
    std::vector<Tensor> gradients(weights.values.size());
    std::vector<WeightSlot> slots;
    std::vector<Trained> trained;
    for (std::size_t i = 0; i < weights.values.size(); ++i) {
      const Parameter& p = weights.parameters[i];
      if (trains[i]) {
        gradients[i] = Tensor(p.shape);
        trained.push_back({p.name, p.shape.size() == 2, weights.values[i].span(), gradients[i].span()});
      }
      slots.push_back({p, weights.values[i].data(), trains[i] ? gradients[i].data() : nullptr, nullptr, !trains[i]});
    }
    const auto optimizer =
        create<Optimizer>(materials_.registry().get(Kind::optimizer, recipe.optimizer.plugin), recipe.optimizer.config);
    Trainer trainer(*optimizer, std::move(trained));
    const Data& data = materials_.data(recipe.data);
    Program program(materials_.model(), slots, recipe.data.batch, recipe.data.sequence, backend_);

    // The target is measured on the calibration part of the adapted text, which neither trials nor held-out losses use.
    std::unique_ptr<WindowSet> calibration;
    std::unique_ptr<Program> evaluator;
    if (recipe.until_loss) {
      calibration = std::make_unique<WindowSet>(materials_.data(experiment_.data), Part::calibration,
                                                experiment_.data.calibration_windows, experiment_.data.sequence);
      evaluator = std::make_unique<Program>(materials_.model(), slots, calibration->batch(), experiment_.data.sequence, backend_);
    }

    Random windows(seed, "base", "windows");
    Batch batch;
    bool reached = false;
    for (;; ++progress.step) {
      if (interrupted_()) throw Error(ErrorKind::interrupted, "interrupted while training base '" + recipe.name + "'");
      if (calibration && (progress.step % calibration_period == 0 || progress.step == recipe.steps)) {
        progress.calibration = calibration->loss(*evaluator);
        reached = progress.calibration <= *recipe.until_loss;
      }
      report_(planned, progress);
      if (reached || progress.step == recipe.steps) break;
      if (recipe.data.fresh || progress.step == 0)
        batch = draw_batch(data, Part::train, recipe.data.batch, recipe.data.sequence, windows);
      progress.loss = program.forward(batch.tokens, batch.targets, Program::Gradients::alpha_and_weights);
      if (!std::isfinite(progress.loss))
        throw Error(ErrorKind::trial, recipe.place,
                    fmt::format("the loss of base '{}' became {} at step {}", recipe.name, progress.loss, progress.step))
            .hint("first value that is not finite: " + program.first_non_finite())
            .hint("a smaller learning rate or a longer warm-up usually helps");
      program.backward();
      trainer.step();
    }
    if (recipe.until_loss && !reached)
      throw Error(ErrorKind::trial, recipe.place,
                  fmt::format("base '{}' never reached its target: calibration loss {:.4f} after {} steps, target {:.4f}",
                              recipe.name, progress.calibration, progress.step, *recipe.until_loss))
          .hint("raise 'steps' of the base, its target loss, or its learning rate");
  }
  const std::string came_out = recipe.steps == 0 ? "plain initialisation"
                               : recipe.until_loss
                                   ? fmt::format("{} steps, calibration loss {:.4f}", progress.step, progress.calibration)
                                   : fmt::format("{} steps, last training loss {:.4f}", progress.step, progress.loss);
  save_weights(weights, path,
               {{"khost", "base " + recipe.name}, {"summary", came_out}, {"recipe", planned.identity.canonical()}});
}

namespace {

// Stored with rank as the first index, so that a cut to a smaller rank reads a prefix.
Tensor transposed(const std::vector<float>& columns, std::int64_t rows, std::int64_t rank) {
  Tensor out({rank, rows});
  for (std::int64_t i = 0; i < rows; ++i)
    for (std::int64_t k = 0; k < rank; ++k) out.data()[k * rows + i] = columns[static_cast<std::size_t>(i * rank + k)];
  return out;
}

std::vector<float> columns(std::span<const float> stored, std::int64_t rows, std::int64_t rank) {
  std::vector<float> out(static_cast<std::size_t>(rows * rank));
  for (std::int64_t k = 0; k < rank; ++k)
    for (std::int64_t i = 0; i < rows; ++i)
      out[static_cast<std::size_t>(i * rank + k)] = stored[static_cast<std::size_t>(k * rows + i)];
  return out;
}

constexpr int basis_numerics = 1;

}  // namespace

void Bases::prepare(const PlannedBase& base) {
  try {
    for (const Arm& arm : experiment_.arms) {
      if (arm.adapter)
        cut(base, *arm.adapter);
      else
        weights(base);
    }
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::trial) throw;
  }
}

std::shared_ptr<const CutBasis> Bases::cut(const PlannedBase& base, const AdapterSpec& adapter) {
  const auto source = weights(base);
  const std::string& kind = adapter.basis;
  const std::int64_t rank = adapter.rank;
  std::int64_t most = 1;
  for (const Arm& arm : experiment_.arms)
    if (arm.adapter) most = std::max(most, arm.adapter->rank);
  const std::lock_guard lock(mutex_);
  auto& held = cuts_[base.hash + "/" + kind + "/" + std::to_string(rank)];
  if (held) return held;

  std::vector<std::size_t> adapted;
  std::int64_t limit = std::numeric_limits<std::int64_t>::max();
  for (std::size_t i = 0; i < source->parameters.size(); ++i)
    if (source->parameters[i].adaptable) {
      adapted.push_back(i);
      limit = std::min({limit, source->parameters[i].shape[0], source->parameters[i].shape[1]});
    }
  const std::int64_t stored = std::min(limit, (most + 63) / 64 * 64);  // in steps, so that a somewhat larger rank finds it too
  Json recipe{Json::Object{}};
  recipe.set("base", base.hash);
  recipe.set("basis", kind);
  recipe.set("rank", stored);
  recipe.set("numerics", basis_numerics);
  const std::string path =
      cache_.get("basis", recipe, kind + " basis of " + base.recipe->name, [&](const std::string& temporary) {
        std::vector<Basis> made(adapted.size());
        parallel_for(static_cast<std::int64_t>(adapted.size()), 1, [&](std::int64_t begin, std::int64_t end) {
          for (std::int64_t j = begin; j < end; ++j) {
            const Parameter& p = source->parameters[adapted[static_cast<std::size_t>(j)]];
            Random random(base.recipe->base_seed + static_cast<std::uint64_t>(base.draw), p.name, "basis");
            made[static_cast<std::size_t>(j)] =
                kind == "svd"
                    ? svd_basis(source->values[adapted[static_cast<std::size_t>(j)]].span(), p.shape[0], p.shape[1], stored)
                    : random_basis(p.shape[0], p.shape[1], stored, random);
          }
        });
        std::vector<Tensor> tensors;
        std::vector<NamedArray> arrays;
        tensors.reserve(2 * made.size());
        for (std::size_t j = 0; j < made.size(); ++j) {
          const std::string& name = source->parameters[adapted[j]].name;
          arrays.push_back({name + "/U'", tensors.emplace_back(transposed(made[j].U, made[j].m, stored)).view()});
          arrays.push_back({name + "/V'", tensors.emplace_back(transposed(made[j].V, made[j].n, stored)).view()});
        }
        write_safetensors(temporary, arrays, {{"khost", kind + " basis"}, {"recipe", recipe.canonical()}});
      });
  const SafetensorsFile file(path);
  auto cut = std::make_shared<CutBasis>();
  for (const std::size_t i : adapted) {
    const Parameter& p = source->parameters[i];
    Basis& b = cut->emplace_back();
    b.m = p.shape[0], b.n = p.shape[1], b.rank = rank;
    b.U = columns(file.get(p.name + "/U'", {stored, b.m}).f32(), b.m, rank);
    b.V = columns(file.get(p.name + "/V'", {stored, b.n}).f32(), b.n, rank);
  }
  return held = std::move(cut);
}

}  // namespace khost
