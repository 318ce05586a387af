// The base classes of components: their destructors live here, so that there is one vtable and one type_info of each.
#include "khost/data.hpp"
#include "khost/model.hpp"
#include "khost/optimizer.hpp"
#include "khost/plugin.hpp"
#include "khost/probe.hpp"

namespace khost {

Model::~Model() = default;
Optimizer::~Optimizer() = default;
Data::~Data() = default;
Probe::~Probe() = default;

void Probe::begin(const TrialInfo&) {}
void Probe::state(State& s) { s.unknown(); }
void Probe::observe(const Step&) {}
void Probe::conclude(Trial&) {}
void Probe::null(NullDraw&) {}
void Policy::resolve(const Upstream&, std::vector<std::int64_t>&) {}
void Policy::before_step(StepPlan&) {}

std::vector<std::int64_t> indices_of_steps(std::vector<std::int64_t> steps) {
  for (std::int64_t& step : steps) --step;
  return steps;
}

bool has_block_core(const TrialInfo& trial) {
  bool block = false;
  for (const AdaptedMatrix& m : trial.matrices) {
    if (m.rank == 0) continue;
    const Shape shape = trial.alpha_shape(m);
    block |= shape == Shape{m.rank, m.rank};
    if (shape != Shape{m.rank} && shape != Shape{m.rank, m.rank})
      throw Error(ErrorKind::usage, "arm " + trial.arm + " has the core '" + trial.core + "', whose alpha is " + text_of(shape) +
                                        " where K = " + std::to_string(m.rank) + ": neither a diagonal nor a block")
          .hint("restrict the probe with \"arms\"");
  }
  return block;
}

void require_steps(const TrialInfo& trial, const std::vector<std::int64_t>& steps) {
  std::string beyond;
  for (const std::int64_t step : steps)
    if (step < 1 || step > trial.steps) beyond += (beyond.empty() ? "" : ", ") + std::to_string(step);
  if (beyond.empty()) return;
  throw Error(ErrorKind::usage,
              "steps has " + beyond + ", but arm " + trial.arm + " takes steps 1 to " + std::to_string(trial.steps))
      .hint("leave them out, or restrict the probe with \"arms\"");
}

const char* name_of(Part part) {
  switch (part) {
    case Part::train:
      return "train";
    case Part::calibration:
      return "calibration";
    case Part::held_out:
      return "held_out";
  }
  return "?";
}

const char* name_of(Kind kind) {
  switch (kind) {
    case Kind::compute:
      return "compute";
    case Kind::model:
      return "model";
    case Kind::optimizer:
      return "optimizer";
    case Kind::data:
      return "data";
    case Kind::probe:
      return "probe";
    case Kind::adapter:
      return "adapter";
    case Kind::core:
      return "core";
  }
  return "?";
}

}  // namespace khost
