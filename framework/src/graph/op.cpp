#include "graph/op.hpp"

#include <algorithm>
#include <cmath>

#include "compute/kernels.hpp"
#include "khost/error.hpp"

namespace khost {

Value Graph::apply(std::unique_ptr<Op> op, std::initializer_list<Value> inputs,
                   std::initializer_list<std::string_view> parameters) {
  return append(std::move(op), {inputs.begin(), inputs.size()}, {parameters.begin(), parameters.size()});
}

Op::~Op() = default;
void Op::plan(OpPlan&) {}
std::string Op::inner_non_finite(const OpStep&) const { return ""; }
bool Op::adapts() const { return false; }
bool Op::ends() const { return false; }
bool Op::in_place() const { return false; }
Value Op::adapted(Graph&, std::span<const Value>, std::span<const std::string_view>, const Adapter&, const AdaptedTo&) const {
  throw Error(ErrorKind::plugin, std::string(name()) + ": it adds no adapter that is written in operations");
}

bool all_finite(const float* x, std::int64_t n) {
  return std::all_of(x, x + n, [](float v) { return std::isfinite(v); });
}

void hand_on(std::int64_t n, const float* from, float* to, bool accumulate) {
  if (accumulate)
    kernels::add(n, to, from, to);
  else if (to != from)
    std::copy_n(from, n, to);
}

std::int64_t OpShapes::rows() const { return checked_product({batch_, sequence_}); }
std::int64_t OpShapes::columns(std::size_t input) const { return columns_[static_cast<std::size_t>(placed_.inputs.at(input))]; }
std::string OpShapes::input(std::size_t i) const { return text_of({rows(), columns(i)}); }

std::string named(const Weight& w) { return "'" + w.slot.parameter.name + "' " + text_of(w.slot.parameter.shape); }

std::string OpShapes::parameter(std::size_t i) const { return named(*placed_.weights.at(i)); }

std::int64_t OpShapes::vector(std::size_t parameter) const {
  const Shape& shape = placed_.weights.at(parameter)->slot.parameter.shape;
  if (shape.size() != 1) refuse(this->parameter(parameter) + " has " + std::to_string(shape.size()) + " dimensions, expected 1");
  return shape[0];
}

OpShapes::Matrix OpShapes::matrix(std::size_t parameter) const {
  const Shape& shape = placed_.weights.at(parameter)->slot.parameter.shape;
  if (shape.size() != 2) refuse(this->parameter(parameter) + " has " + std::to_string(shape.size()) + " dimensions, expected 2");
  return {shape[0], shape[1]};
}

void OpShapes::refuse(const std::string& why) const { throw Error(ErrorKind::plugin, placed_.name + ": " + why); }

std::int64_t OpPlan::batch() const { return planner_.step.batch; }
std::int64_t OpPlan::sequence() const { return planner_.step.sequence; }
std::int64_t OpPlan::rows() const { return planner_.step.rows; }
std::int64_t OpPlan::columns() const { return planner_.step.cols[static_cast<std::size_t>(planner_.placed.output)]; }
std::int64_t OpPlan::columns(std::size_t input) const {
  return planner_.step.cols[static_cast<std::size_t>(planner_.placed.inputs[input])];
}
bool OpPlan::needs_gradient() const { return planner_.needs_gradient(); }
int OpPlan::saved(Floats floats) { return planner_.saved(checked_product(floats)); }
int OpPlan::forward_scratch(Floats floats) { return planner_.forward_scratch(checked_product(floats)); }
int OpPlan::backward_scratch(Floats floats) { return planner_.backward_scratch(checked_product(floats)); }
void OpPlan::keep(std::size_t input) { planner_.keep(planner_.placed.inputs[input]); }

std::int64_t OpStep::batch() const { return state_.batch; }
std::int64_t OpStep::sequence() const { return state_.sequence; }
std::int64_t OpStep::rows() const { return state_.rows; }
std::int64_t OpStep::columns() const { return state_.cols[static_cast<std::size_t>(placed_.output)]; }
std::int64_t OpStep::columns(std::size_t input) const { return state_.cols[static_cast<std::size_t>(placed_.inputs[input])]; }
const std::int32_t* OpStep::tokens() const { return state_.tokens; }
const std::int32_t* OpStep::targets() const { return state_.targets; }
float* OpStep::buffer(int id) const { return state_.buffer(id); }
const float* OpStep::in(std::size_t input) const { return state_.value[static_cast<std::size_t>(placed_.inputs[input])]; }
float* OpStep::out() const { return state_.value[static_cast<std::size_t>(placed_.output)]; }
const float* OpStep::weight(std::size_t parameter) const { return placed_.weights[parameter]->slot.value; }
bool OpStep::needs_gradient() const { return placed_.output >= 0 && state_.needs(placed_.output); }
const float* OpStep::output_grad() const { return state_.grad[static_cast<std::size_t>(placed_.output)]; }
float* OpStep::input_grad(std::size_t input) const {
  const int value = placed_.inputs[input];
  return state_.needs(value) ? state_.grad[static_cast<std::size_t>(value)] : nullptr;
}
bool OpStep::add_to_input(std::size_t input) const { return placed_.add_to_input[input]; }
float* OpStep::weight_grad(std::size_t parameter) const {
  const WeightSlot& slot = placed_.weights[parameter]->slot;
  return state_.weights() || (slot.of_adapter && state_.gradients()) ? slot.grad : nullptr;
}
bool OpStep::add_to_weight(std::size_t parameter) const { return state_.again || placed_.add_to_weight[parameter]; }
void OpStep::gemm(const khost_gemm& g) const { state_.backend.gemm(g); }

namespace {
std::vector<OpCase>& cases() {
  static std::vector<OpCase> all;
  return all;
}
}  // namespace

const std::vector<OpCase>& op_cases() { return cases(); }
detail::RegisteredCase::RegisteredCase(OpCase c) { cases().push_back(std::move(c)); }

}  // namespace khost
