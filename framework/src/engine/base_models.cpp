#include "engine/base_models.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/interrupt.hpp"
#include "engine/batches.hpp"
#include "engine/checkpoint.hpp"
#include "engine/trainer.hpp"
#include "khost/parallel.hpp"
#include "khost/safetensors.hpp"
#include "plan/code_identity.hpp"
#include "plan/patterns.hpp"

namespace khost {

BaseModels::BaseModels(const Experiment& experiment, const Materials& materials, Cache& cache, Backend& backend, Report report,
                       std::function<bool()> interrupted, double checkpoint_period, Hold hold)
    : experiment_(experiment),
      materials_(materials),
      cache_(cache),
      backend_(backend),
      report_(std::move(report)),
      interrupted_(std::move(interrupted)),
      checkpoint_period_(checkpoint_period),
      hold_(hold) {}

bool BaseModels::cached(const PlannedBase& base) const { return !base.recipe->file.empty() || cache_.has("base", base.identity); }

std::string BaseModels::file(const PlannedBase& base) {
  if (!base.recipe->file.empty()) return base.recipe->file;
  const std::string made =
      cache_.get("base", base.identity, "base " + base.recipe->name, [&](const std::string& path) { train(base, path); });
  remove_checkpoint(cache_.root(), base.hash);
  return made;
}

std::shared_ptr<const Weights> BaseModels::weights(const PlannedBase& base) {
  const std::lock_guard lock(mutex_);
  expect_locked(base);
  auto& held = weights_[base.hash];
  if (held) return held;
  // Whatever it is that goes wrong, it would go wrong again for the next trial: kept, so that a training is not tried twice.
  const auto keep = [&](const Error& e) {
    if (e.kind() != ErrorKind::interrupted || !interrupted_()) failures_.emplace(base.hash, e);
  };
  try {
    held = std::make_shared<const Weights>(load(base));
  } catch (Error& e) {
    e.within("base " + base.recipe->name);
    keep(e);
    throw;
  } catch (const std::exception& e) {
    Error error(ErrorKind::trial, base.recipe->place, e.what());
    keep(error.within("base " + base.recipe->name));
    throw error;
  }
  return held;
}

Weights BaseModels::load(const PlannedBase& base) {
  const std::vector<Parameter>& parameters = materials_.parameters(*base.recipe);
  if (hold_ == Hold::mapped)
    return load_weights(parameters, std::make_shared<const SafetensorsFile>(
                                        base.recipe->file.empty() ? file(base) : shared_copy(base), Hold::mapped));
  auto opened = std::make_shared<const SafetensorsFile>(file(base));
  const std::string loaded = base.file_hash.empty() ? "" : opened->content_hash();
  if (loaded != base.file_hash)
    throw Error(ErrorKind::usage, base.recipe->place,
                "the file of base '" + base.recipe->name + "', " + opened->path() + ", changed after this run was planned")
        .hint("it had the SHA-256 " + base.file_hash.substr(0, 16) + "..., and was loaded with " + loaded.substr(0, 16) +
              "...; nothing was computed with it")
        .hint("run the command again when nothing writes to it any more");
  return load_weights(parameters, std::move(opened));
}

// Of a file that is the user's, and may change: what a mapping needs, in the cache.
std::string BaseModels::shared_copy(const PlannedBase& base) {
  const Json recipe = Json::object({{"file", base.file_hash}, {"model", text_of(experiment_.model)}, {"code", code_identity()}});
  return cache_.get("weights", recipe, "base " + base.recipe->name + " to be shared", [&](const std::string& path) {
    BaseModels copied(experiment_, materials_, cache_, backend_, report_, interrupted_);
    save_weights(copied.load(base), path, {{"khost", "base " + base.recipe->name}, {"recipe", recipe.canonical()}});
  });
}

void BaseModels::share(const PlannedBase& base) {
  if (!base.recipe->file.empty()) shared_copy(base);
}

void BaseModels::expect(const PlannedBase& base) {
  const std::lock_guard lock(mutex_);
  expect_locked(base);
}

void BaseModels::expect_locked(const PlannedBase& base) const {
  if (const auto failed = failures_.find(base.hash); failed != failures_.end()) throw failed->second;
}

void BaseModels::release() {
  const std::lock_guard lock(mutex_);
  weights_.clear();
  directions_ = Recent<const Directions>(4);
}

std::string BaseModels::summary(const PlannedBase& base) {
  if (!base.recipe->file.empty()) return base.recipe->file;
  if (!cached(base)) return "";
  const SafetensorsFile opened(file(base));
  const auto& metadata = opened.metadata();
  const auto found = metadata.find("summary");
  return found == metadata.end() ? "" : found->second;
}

std::shared_ptr<const Weights> BaseModels::weights(const PlannedBase& base, const Arm& arm) {
  const auto own = weights(base);
  const MadeModel& model = *materials_.arm(arm).model;
  if (&model == &materials_.model()) return own;
  const std::lock_guard lock(mutex_);
  auto& held = weights_[base.hash + "/" + text_of(arm.model)];
  if (held) return held;
  Weights mixed = shared(draw_weights(model.parameters, base.recipe->base_seed + static_cast<std::uint64_t>(base.draw)));
  mixed.in.push_back(own);
  for (std::size_t i = 0; i < own->parameters.size(); ++i) {
    const Parameter& p = own->parameters[i];
    const auto same = std::ranges::find(mixed.parameters, p.name, &Parameter::name);
    if (same == mixed.parameters.end() || same->shape != p.shape)
      throw Error(ErrorKind::usage, arm.place_of("model"),
                  "the model of arm '" + arm.name + "' has no tensor '" + p.name + "' " + text_of(p.shape) + ", which base '" +
                      base.recipe->name + "' has")
          .hint("an arm's model may have more tensors than the experiment's, not others");
    mixed.values[static_cast<std::size_t>(same - mixed.parameters.begin())] = own->values[i];
  }
  return held = std::make_shared<const Weights>(std::move(mixed));
}

namespace {

// Measuring the target costs half a step: often enough to stop near it, seldom enough not to matter.
constexpr std::int64_t calibration_period = 5;

}  // namespace

void BaseModels::train(const PlannedBase& planned, const std::string& path) {
  const FixedRanges fixed(artifact_parts);  // whoever trains it, with whatever threads
  const BaseRecipe& recipe = *planned.recipe;
  const std::uint64_t seed = recipe.base_seed + static_cast<std::uint64_t>(planned.draw);
  OwnWeights weights = draw_weights(materials_.parameters(recipe), seed);
  BaseProgress progress{0, recipe.steps, std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::quiet_NaN()};
  if (recipe.steps > 0) {
    const std::vector<bool> trains =
        chosen(recipe.train, weights.parameters, "'train' of base '" + recipe.name + "'", recipe.place);
    std::vector<Tensor> gradients(weights.values.size());
    std::vector<WeightSlot> slots;
    std::vector<Trained> trained;
    for (std::size_t i = 0; i < weights.values.size(); ++i) {
      const Parameter& p = weights.parameters[i];
      if (trains[i]) {
        gradients[i] = Tensor(p.shape);
        trained.push_back({p.name, p.shape.size() == 2, weights.values[i].span(), gradients[i].span(), p.shape});
      }
      slots.push_back({p, weights.values[i].data(), trains[i] ? gradients[i].data() : nullptr, nullptr, !trains[i]});
    }
    const auto optimizer =
        create<Optimizer>(materials_.registry().get(Kind::optimizer, recipe.optimizer.plugin), recipe.optimizer.config);
    Trainer trainer(*optimizer, std::move(trained), recipe.steps);
    const Data& data = materials_.data(recipe.data);
    check_part(data, recipe.data, Part::train);
    Program program(*materials_.model().model, slots, recipe.data.batch, recipe.data.sequence, backend_);

    // The target is measured on the calibration part of the adapted text, which neither trials nor held-out losses use.
    std::unique_ptr<WindowSet> calibration;
    std::unique_ptr<Program> evaluator;
    if (recipe.until_loss) {
      check_part(materials_.data(experiment_.data), experiment_.data, Part::calibration);
      calibration = std::make_unique<WindowSet>(materials_.data(experiment_.data), Part::calibration,
                                                experiment_.data.calibration_windows, experiment_.data.sequence);
      evaluator =
          std::make_unique<Program>(*materials_.model().model, slots, calibration->batch(), experiment_.data.sequence, backend_);
    }

    Random windows(seed, "base", "windows");
    Batch batch;
    bool reached = false;
    const auto state = [&](State& s) {
      s(progress.step, progress.loss, progress.calibration, windows, batch.tokens, batch.targets);
      trainer.state(s);
    };
    Checkpoint checkpoint(checkpoint_file(cache_.root(), planned.hash), planned.hash, checkpoint_period_);
    checkpoint.resume(state);
    Activity steps("base " + recipe.name, Activity::Kind::dropped, recipe.expected_steps.value_or(recipe.steps));
    steps.advance(progress.step);
    for (;; ++progress.step, steps.advance()) {
      if (interrupted_()) {
        checkpoint.keep(state);
        throw Error(ErrorKind::interrupted, "interrupted while training base '" + recipe.name + "'");
      }
      if (checkpoint.due()) checkpoint.keep(state);
      const Activity in_hand("the step in hand of base " + recipe.name, Activity::Kind::step);
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
  save_weights(shared(std::move(weights)), path,
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

}  // namespace

void BaseModels::prepare(const PlannedBase& base) {
  try {
    weights(base);
    for (const Arm* arm : experiment_.arms_on(base.recipe->name))
      if (arm->adapter && !arm->adapter->written && arm->adapter->basis != "gradient")
        directions(base, arm->adapter->basis, materials_.arm(*arm).matrices);
  } catch (const Error& e) {
    if (e.kind() == ErrorKind::interrupted && interrupted_()) throw;
  } catch (const std::exception&) {
    // a basis that cannot be cut: its trials say so, each with its own words
  }
}

double BaseModels::held_out_base(const PlannedBase& base, const Arm& arm, const std::function<double()>& measure) {
  const std::string key = base.hash + "/" + text_of(arm.model) + "/" + text_of(arm.data.source) + "/" +
                          std::to_string(arm.data.sequence) + "/" + std::to_string(arm.data.held_out_windows);
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = held_out_.find(key); found != held_out_.end()) return found->second;
  }
  const double loss = measure();  // two jobs may both come here: they find the same
  const std::lock_guard lock(mutex_);
  return held_out_.emplace(key, loss).first->second;
}

void BaseModels::build_basis(const PlannedBase& base, const std::string& kind, std::int64_t rank, const Json& recipe,
                             const std::string& path) {
  const Weights& source = *weights_.at(base.hash);
  std::vector<std::size_t> adaptable;
  for (std::size_t i = 0; i < source.parameters.size(); ++i)
    if (source.parameters[i].adaptable) adaptable.push_back(i);
  std::vector<Basis> made(adaptable.size());
  Activity matrices("matrices of the " + kind + " basis of " + base.recipe->name, Activity::Kind::dropped,
                    static_cast<std::int64_t>(adaptable.size()));
  parallel_for(static_cast<std::int64_t>(adaptable.size()), 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto j = static_cast<std::size_t>(begin); j < static_cast<std::size_t>(end); ++j) {
      const Parameter& p = source.parameters[adaptable[j]];
      const std::int64_t K = std::min({rank, p.shape[0], p.shape[1]});
      Random random(base.recipe->base_seed + static_cast<std::uint64_t>(base.draw), p.name, "basis");
      made[j] = kind == "svd" ? svd_basis(source.values[adaptable[j]], p.shape[0], p.shape[1], K)
                              : random_basis(p.shape[0], p.shape[1], K, random);
      matrices.advance();
    }
  });
  std::vector<Tensor> tensors;
  std::vector<NamedArray> arrays;
  tensors.reserve(2 * made.size());
  for (std::size_t j = 0; j < made.size(); ++j) {
    const std::string& name = source.parameters[adaptable[j]].name;
    arrays.push_back({name + "/U'", tensors.emplace_back(transposed(made[j].U, made[j].m, made[j].rank)).view()});
    arrays.push_back({name + "/V'", tensors.emplace_back(transposed(made[j].V, made[j].n, made[j].rank)).view()});
  }
  write_safetensors(path, arrays, {{"khost", kind + " basis"}, {"recipe", recipe.canonical()}});
}

std::shared_ptr<const Directions> BaseModels::directions(const PlannedBase& base, const std::string& kind,
                                                         const std::vector<AdaptedMatrix>& matrices) {
  weights(base);
  std::int64_t most = 1;
  for (const Arm& arm : experiment_.arms) most = std::max(most, materials_.arm(arm).largest_rank());
  std::string key = base.hash + "/" + kind;
  for (const AdaptedMatrix& m : matrices) {
    key += "/" + m.name + ":" + std::to_string(m.rank);
    most = std::max(most, m.rank);
  }
  const std::lock_guard lock(mutex_);
  if (auto held = directions_.find(key)) return held;

  const std::int64_t stored = (most + 63) / 64 * 64;  // in steps, so that a somewhat larger rank finds it too
  const Json recipe = Json::object({{"base", base.hash}, {"basis", kind}, {"rank", stored}, {"code", code_identity()}});
  const std::string path = cache_.get("basis", recipe, kind + " basis of " + base.recipe->name,
                                      [&](const std::string& temporary) { build_basis(base, kind, stored, recipe, temporary); });
  const SafetensorsFile file(path, hold_);
  auto cut = std::make_shared<Directions>();
  for (const AdaptedMatrix& m : matrices) {
    Basis& b = cut->emplace_back();
    b.m = m.rows, b.n = m.cols, b.rank = m.rank;
    if (m.rank == 0) continue;
    const std::int64_t there = std::min({stored, m.rows, m.cols});
    b.U = columns(file.get(m.name + "/U'", {there, b.m}).f32(), b.m, b.rank);
    b.V = columns(file.get(m.name + "/V'", {there, b.n}).f32(), b.n, b.rank);
  }
  return directions_.keep(key, std::move(cut));
}

}  // namespace khost
