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
void Probe::observe(const Step&) {}
void Probe::conclude(Trial&) {}
void Probe::null(NullDraw&) {}
void Policy::resolve(const Upstream&, std::vector<std::int64_t>&) {}
void Policy::before_step(StepPlan&) {}

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
  }
  return "?";
}

}  // namespace khost
