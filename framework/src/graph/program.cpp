#include "graph/program.hpp"

#include <algorithm>
#include <cmath>

#include "graph/tape.hpp"
#include "khost/error.hpp"
#include "khost/openmp.hpp"

namespace khost {

struct Program::Impl {
  Tape tape;
  StepState step;
  MemoryPlan plan;
  Kept kept;
  std::vector<int> value, grad;  // buffers of values, by id
  Tensor arena;
  std::vector<std::int32_t> tokens, targets;  // of the last forward pass
  bool ready = false;                         // backward() may run

  // Recorded and planned, without memory.
  Impl(const Model& model, std::vector<WeightSlot> slots, std::int64_t batch, std::int64_t sequence, Backend& backend, Kept keep)
      : tape(std::move(slots), batch, sequence), step{backend, batch, sequence, checked_product({batch, sequence})}, kept(keep) {
    model.forward(tape);
    tape.finish();
    step.cols = tape.cols;
    find_needs();
    plan_memory();
  }

  // A value's gradient is needed when something that made it, directly or further up, is trained, or when it is to be shown.
  void find_needs() {
    step.needs_alpha.assign(tape.cols.size(), 0);
    step.needs_weights.assign(tape.cols.size(), 0);
    std::vector<char> shown(tape.cols.size(), 0);
    if (kept.gradients)
      for (const Tape::Exposed& e : tape.exposed) shown[e.value] = 1;
    for (const Placed& op : tape.ops) {
      if (op.output < 0) continue;
      bool alpha = shown[op.output], any = false;
      for (const Weight* w : op.weights) {
        any |= w->slot.grad != nullptr;
        alpha |= w->slot.adapter || (w->slot.of_adapter && w->slot.grad);
      }
      for (const int v : op.inputs) alpha |= step.needs_alpha[v], any |= step.needs_weights[v];
      step.needs_alpha[op.output] = alpha;
      step.needs_weights[op.output] = alpha || any;
    }
  }

  void plan_memory() {
    const int ops = static_cast<int>(tape.ops.size());
    value.resize(tape.cols.size()), grad.assign(tape.cols.size(), -1);
    std::vector<int> last_reader(tape.cols.size(), 0);
    for (int i = 0; i < ops; ++i)
      for (const int v : tape.ops[i].inputs) last_reader[v] = i;
    for (std::size_t v = 0; v < tape.cols.size(); ++v) {
      const std::int64_t floats = checked_product({step.rows, tape.cols[v]});
      const int made = tape.producer[v], read = last_reader[v];
      value[v] = plan.add(floats, made, read);
      if (!step.needs_weights[v]) continue;
      // The head writes its input's gradient in the forward pass; the others theirs when they run backward.
      grad[v] = plan.add(floats, read == ops - 1 ? read : 2 * ops - 1 - read, 2 * ops - 1 - made);
    }
    const int end = 2 * ops - 1;  // of the backward pass
    for (const Tape::Exposed& e : tape.exposed) {
      if (kept.activations) plan.extend(value[e.value], end);
      if (kept.gradients) plan.extend(grad[e.value], end);
    }
    for (int i = 0; i < ops; ++i) {
      Planner planner(step, plan, value, tape.ops[i], i, ops);
      OpPlan of_op(planner);
      tape.ops[i].op->plan(of_op);
    }
  }

  void take_memory() {
    tokens.resize(static_cast<std::size_t>(step.rows));
    targets.resize(tokens.size());
    plan.place();
    arena = Tensor({plan.floats()});
    step.arena = arena.data();
    for (int id = 0; id < plan.buffers(); ++id) step.offset.push_back(plan.offset(id));
    for (std::size_t v = 0; v < tape.cols.size(); ++v) {
      step.value.push_back(step.buffer(value[v]));
      step.grad.push_back(step.buffer(grad[v]));
    }
  }

  void check(std::span<const std::int32_t> ids, const char* what) const {
    if (static_cast<std::int64_t>(ids.size()) != step.rows)
      throw Error(ErrorKind::plugin, std::string(what) + ": " + std::to_string(ids.size()) +
                                         " were given to a program for batch " + std::to_string(step.batch) + " x sequence " +
                                         std::to_string(step.sequence));
    const bool target = what[1] == 'a';
    bool counts = !target;
    for (const Placed& op : tape.ops) {
      if (target ? op.output >= 0 : !op.inputs.empty()) continue;  // tokens: embeddings; targets: the head
      const std::int64_t vocabulary = op.weights.empty() ? step.cols[op.inputs[0]] : op.weights[0]->rows();
      for (std::size_t i = 0; i < ids.size(); ++i) {
        if (target && ids[i] == ignored_target) continue;
        counts = true;
        if (ids[i] < 0 || ids[i] >= vocabulary)
          throw Error(
              ErrorKind::plugin,
              std::string(what) + ": id " + std::to_string(ids[i]) + " at sequence " +
                  std::to_string(static_cast<std::int64_t>(i) / step.sequence) + ", position " +
                  std::to_string(static_cast<std::int64_t>(i) % step.sequence) + " is outside the " + std::to_string(vocabulary) +
                  (op.weights.empty() ? " columns of the logits" : " rows of '" + op.weights[0]->slot.parameter.name + "'"));
      }
    }
    if (!counts) throw Error(ErrorKind::plugin, std::string(what) + ": none of them counts, so that there is no mean loss");
  }

  double forward() {
    for (const Placed& op : tape.ops) {
      OpStep of_op(step, op);
      op.op->forward(of_op);
      if (!step.look) continue;
      if (step.found.empty())
        if (const std::string inner = op.op->inner_non_finite(of_op); !inner.empty()) step.found = inner + " of " + op.name;
      if (step.found.empty() && op.output >= 0 && !all_finite(step.value[op.output], step.rows * step.cols[op.output]))
        step.found = "output of " + op.name;
      if (!step.found.empty()) break;
    }
    return step.loss;
  }
};

Program::Program(const Model& model, std::vector<WeightSlot> weights, std::int64_t batch, std::int64_t sequence, Backend& backend,
                 Kept kept)
    : impl_(std::make_unique<Impl>(model, std::move(weights), batch, sequence, backend, kept)) {
  impl_->take_memory();
}

Program::~Program() = default;

double Program::forward(std::span<const std::int32_t> tokens, std::span<const std::int32_t> targets, Gradients gradients) {
  Impl& p = *impl_;
  p.ready = false;
  p.check(tokens, "tokens");
  p.check(targets, "targets");
  std::copy(tokens.begin(), tokens.end(), p.tokens.begin());
  std::copy(targets.begin(), targets.end(), p.targets.begin());
  p.step.tokens = p.tokens.data();
  p.step.targets = p.targets.data();
  p.step.mode = gradients;
  const double loss = p.forward();
  p.ready = gradients != Gradients::none;
  return loss;
}

void Program::backward() {
  Impl& p = *impl_;
  if (!p.ready) throw Error(ErrorKind::plugin, "Program::backward() needs a forward pass with gradients just before it");
  p.ready = false;
  for (auto op = p.tape.ops.rbegin(); op != p.tape.ops.rend(); ++op)
    if (op->output >= 0 && p.step.needs(op->output)) {
      OpStep of_op(p.step, *op);
      op->op->backward(of_op);
    }
}

std::string Program::first_non_finite() const {
  Impl& p = *impl_;
  for (const Weight& w : p.tape.weights) {
    const Parameter& parameter = w.slot.parameter;
    if (!all_finite(w.slot.value, element_count(parameter.shape))) return "parameter " + parameter.name;
    if (const AdapterSlot* a = w.slot.adapter) {
      if (!all_finite(a->alpha, element_count(a->core->alpha(a->rank)))) return "alpha of " + parameter.name;
      if (!all_finite(a->U, w.rows() * a->rank)) return "basis U of " + parameter.name;
      if (!all_finite(a->V, w.cols() * a->rank)) return "basis V of " + parameter.name;
    }
  }
  if (!p.step.tokens) return "";
  // Much of the last pass has been overwritten by now; the same pass once more, looked at as it goes, finds the first. It
  // computes no gradients, so those that are there stay.
  p.ready = false;
  p.step.mode = Gradients::none;
  p.step.look = true;
  p.step.found.clear();
  p.forward();
  p.step.look = false;
  return p.step.found;
}

std::vector<Program::Exposed> Program::exposed() const {
  std::vector<Exposed> all;
  for (const Tape::Exposed& e : impl_->tape.exposed)
    all.push_back({e.name, impl_->step.cols[e.value], impl_->kept.activations ? impl_->step.value[e.value] : nullptr,
                   impl_->kept.gradients ? impl_->step.grad[e.value] : nullptr});
  return all;
}

std::int64_t Program::bytes_of(const Model& model, std::vector<WeightSlot> slots, std::int64_t batch, std::int64_t sequence,
                               Kept kept) {
  for (WeightSlot& slot : slots) slot.frozen = false;  // nothing is packed: there is nothing to pack
  const struct Threads {
    int before = omp_get_max_threads();  // a backend sets them
    ~Threads() { omp_set_num_threads(before); }
  } restored;
  Backend none("", nullptr, "{}", 1);
  const Impl rehearsed(model, std::move(slots), batch, sequence, none, kept);
  if ((kept.activations || kept.gradients) && rehearsed.tape.exposed.empty())
    throw Error(ErrorKind::usage, "a probe reads the model's activations, but this model exposes none")
        .hint("Graph::expose(name, value) in the model's forward() names a value that probes may read");
  return rehearsed.plan.most_at_once() * static_cast<std::int64_t>(sizeof(float));
}

std::int64_t Program::arena_bytes() const { return impl_->arena.size() * static_cast<std::int64_t>(sizeof(float)); }

}  // namespace khost
