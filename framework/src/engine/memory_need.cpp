#include "engine/memory_need.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "engine/batches.hpp"
#include "engine/evaluator.hpp"
#include "engine/result.hpp"
#include "graph/program.hpp"
#include "manifest/parts.hpp"
#include "plan/patterns.hpp"

namespace khost {
namespace {

constexpr double f32 = sizeof(float);

double numbers(const Shape& shape) { return static_cast<double>(element_count(shape)); }

double of_all(const std::vector<Parameter>& parameters) {
  double sum = 0;
  for (const Parameter& p : parameters) sum += numbers(p.shape) * f32;
  return sum;
}

int slots_of(const Materials& materials, const Component& optimizer) {
  return placed(optimizer.place, [&] {
    return create<Optimizer>(materials.registry().get(Kind::optimizer, optimizer.plugin), optimizer.config)->slots();
  });
}

// A model's parameters as a program would have them, without the arrays.
class Slots {
 public:
  explicit Slots(const MadeModel& model) : model_(model), adapters_(model.parameters.size()) {
    for (const Parameter& p : model.parameters) slots_.push_back({p, nullptr, nullptr, nullptr, true});
  }
  void trains(std::size_t parameter) { slots_[parameter].grad = &something_; }
  void adapts(std::size_t parameter, std::int64_t rank, const Core& core) {
    AdapterSlot& adapter = adapters_[parameter];
    adapter.rank = rank;
    adapter.core = &core;
    if (core.trains_factors()) adapter.U_grad = adapter.V_grad = &something_;
    slots_[parameter].adapter = &adapter;
  }
  void writes(std::size_t parameter, const Adapter& adapter, const AdaptedMatrix& matrix, const AdapterTensors& tensors) {
    slots_[parameter].written = &adapter;
    slots_[parameter].written_rank = matrix.rank;
    for (const AdapterTensors::Tensor& t : tensors.all()) {
      WeightSlot& slot = slots_.emplace_back();
      slot.parameter.name = matrix.name + "/" + t.name;
      slot.parameter.shape = t.shape;
      slot.grad = &something_;
      slot.of_adapter = true;
    }
  }
  double values(std::int64_t batch, std::int64_t sequence, Kept kept = {}) const {
    return static_cast<double>(Program::bytes_of(*model_.model, slots_, batch, sequence, kept));
  }

 private:
  const MadeModel& model_;
  std::vector<AdapterSlot> adapters_;
  std::vector<WeightSlot> slots_;
  float something_ = 0;  // a gradient that is there
};

class Need {
 public:
  Need(const Experiment& experiment, const Materials& materials) : experiment_(experiment), materials_(materials) {}

  double training(const BaseRecipe& base) const {
    const MadeModel& model = materials_.model();
    const std::vector<bool> trains =
        chosen(base.train, model.parameters, "'train' of base '" + base.name + "'", base.train_place);
    Slots slots(model);
    double trained = 0;
    for (std::size_t i = 0; i < trains.size(); ++i)
      if (trains[i]) slots.trains(i), trained += numbers(model.parameters[i].shape);
    return placed(base.place, [&] {
      const double state = trained * (1 + slots_of(materials_, base.optimizer));
      double values = slots.values(base.data.batch, base.data.sequence);
      if (base.until_loss) values += slots.values(window_batch(experiment_.data.calibration_windows), experiment_.data.sequence);
      return state * f32 + values;
    });
  }

  double basis(const Arm& arm) const {
    double sum = 0;
    if (materials_.arm(arm).adapter) return 0;
    for (const AdaptedMatrix& m : materials_.arm(arm).matrices) sum += numbers({checked_sum({m.rows, m.cols}), m.rank});
    return sum * f32;
  }

  double trial(const Arm& arm) const {
    return placed(arm.place, [&] {
      const ArmShape& shape = materials_.arm(arm);
      const std::set<std::string> read = signals_read(arm);
      const bool weight_gradients = read.contains("weight.grad");
      Slots slots(*shape.model);
      const Slots plain(*shape.model);
      double merged = 0, scratch = 0;  // what an evaluation with W + dW takes for them
      bool written = false;
      const double state = slots_of(materials_, arm.optimizer);
      double floats = 0, sums = 0;
      std::set<std::int64_t> ranks;
      std::size_t next = 0;
      for (std::size_t i = 0; i < shape.trains.size(); ++i) {
        const Parameter& p = shape.model->parameters[i];
        if (shape.trains[i]) floats += numbers(p.shape) * (1 + state);
        if (shape.trains[i] || (weight_gradients && p.adaptable)) slots.trains(i), floats += numbers(p.shape);
        if (!p.adaptable) continue;
        const AdaptedMatrix& m = shape.matrices[next++];
        if (m.rank == 0) continue;
        if (shape.adapter) {
          written = true;
          const AdapterTensors tensors = tensors_of(*shape.adapter, m);
          slots.writes(i, *shape.adapter, m, tensors);
          for (const AdapterTensors::Tensor& t : tensors.all()) floats += (2 + state) * numbers(t.shape);
          continue;
        }
        slots.adapts(i, m.rank, *shape.core);
        merged += numbers(p.shape), scratch = std::max(scratch, numbers({m.rows, m.rank}));
        floats += (4 + state) * numbers(m.alpha);
        if (ranks.insert(m.rank).second) floats += numbers(m.alpha) * sizeof(Core::Entry) / f32;
        sums += static_cast<double>(shape.core->sums(m.rank));
        if (shape.core->trains_factors()) floats += (2 + state) * numbers({checked_sum({m.rows, m.cols}), m.rank});
      }
      double values =
          slots.values(arm.data.batch, arm.data.sequence, {read.contains("activation"), read.contains("activation.grad")});
      std::set<std::pair<std::int64_t, bool>> evaluators;  // those of two parts may be one
      double tokens = 0;
      for (const Part part : arm.reads()) {
        if (part == Part::train) continue;
        const std::int64_t batch = window_batch(arm.data.windows(part));
        const double own = static_cast<double>(arm.data.windows(part)) * static_cast<double>(arm.data.sequence);
        // With a backend that rounds they are not merged, and take a little less or more.
        const bool merges = merges_for(own, shape.model->parameters, written);
        tokens += own;
        if (evaluators.emplace(batch, merges).second) values += (merges ? plain : slots).values(batch, arm.data.sequence);
      }
      const auto merging = std::ranges::count_if(evaluators, [](const auto& e) { return e.second; });
      if (merging > 0) floats += merged + scratch;
      const auto adapted = 1 + static_cast<std::int64_t>(evaluators.size()) - merging;  // programs, each with its own sums
      floats += sums * (sizeof(double) / f32) * static_cast<double>(adapted);
      const double records = static_cast<double>(shape.steps) * sizeof(Record);  // the loss of every step
      return floats * f32 + values + 2 * sizeof(std::int32_t) * tokens + records;
    });
  }

 private:
  std::set<std::string> signals_read(const Arm& arm) const {
    std::set<std::string> names;
    for (const Component& c : arm.probes)
      for (const Signals::Need& need : describe(materials_.registry().get(Kind::probe, c.plugin), &c.config).signals.needs)
        names.insert(need.name);
    return names;
  }

  const Experiment& experiment_;
  const Materials& materials_;
};

}  // namespace

double MemoryNeed::bytes() const { return weights + std::max(training, basis + trials * trial); }

std::string MemoryNeed::text() const {
  std::string text = "weights of the bases " + bytes_text(weights);
  if (training > basis + trials * trial) return text + ", training one of them " + bytes_text(training);
  if (basis > 0) text += ", U and V " + bytes_text(basis);
  return text + (trials == 1 ? ", a trial " + bytes_text(trial)
                             : fmt::format(", {} trials at a time of {} each", trials, bytes_text(trial)));
}

MemoryNeed memory_need(const Experiment& experiment, const Materials& materials) {
  const Need need(experiment, materials);
  MemoryNeed sum;
  const double each = placed(experiment.model.place, [&] { return of_all(materials.model().parameters); });
  for (const BaseRecipe& base : experiment.bases) sum.weights += each * static_cast<double>(base.base_draws);
  for (const BaseRecipe& base : experiment.bases) {
    if (!base.file.empty() || base.steps == 0) continue;
    if (const double bytes = need.training(base); bytes > sum.training) sum.training = bytes, sum.trains = &base;
  }
  for (const Arm& arm : experiment.arms) {
    sum.basis = std::max(sum.basis, placed(arm.place, [&] { return need.basis(arm); }));
    if (const double bytes = need.trial(arm); bytes > sum.trial) sum.trial = bytes, sum.arm = &arm;
  }
  return sum;
}

int trials_that_fit(const MemoryNeed& need, const MemoryLimit& limit) {
  constexpr double most = 1e6;
  const double left = limit.bytes - need.weights - need.basis;
  return static_cast<int>(need.trial > 0 ? std::clamp(left / need.trial, 0.0, most) : most);
}

void expect_to_fit(const MemoryNeed& need, const MemoryLimit& limit) {
  if (need.bytes() <= limit.bytes) return;
  const bool trains = need.training > need.basis + need.trials * need.trial;
  const std::string who = trains ? "base '" + need.trains->name + "'" : need.arm ? "arm '" + need.arm->name + "'" : "this";
  Error error(ErrorKind::usage,
              trains     ? need.trains->place
              : need.arm ? need.arm->place
                         : Place{},
              fmt::format("{} needs at least {} of memory, but {} {}", who, bytes_text(need.bytes()), limit.what,
                          bytes_text(limit.bytes)));
  error.hint("the sum: " + need.text());
  if (const int fit = trials_that_fit(need, limit); !trains && fit >= 1 && fit < need.trials)
    throw error.hint(fmt::format("--jobs {} fits", fit));
  throw error.hint("a smaller model, batch, sequence or rank needs less");
}

}  // namespace khost
