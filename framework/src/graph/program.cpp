#include "graph/program.hpp"

#include <algorithm>
#include <cmath>

#include "graph/tape.hpp"
#include "khost/error.hpp"
#include "khost/openmp.hpp"

namespace khost {

namespace {

// The most whole sequences that divide a batch evenly, with no more tokens than have logits at a time; at least one.
std::int64_t sequences_at_end(std::int64_t batch, std::int64_t sequence) {
  std::int64_t most = 1;
  for (std::int64_t n = 2; n <= batch && n * sequence <= most_rows_of_logits; ++n)
    if (batch % n == 0) most = n;
  return most;
}

}  // namespace

struct Program::Impl {
  Tape tape;
  StepState step;
  StepState part;  // of the tape's end, which runs over a part of the batch at a time: `step` but for the rows
  int ops = 0;
  MemoryPlan plan;
  Kept kept;
  std::vector<int> value, grad;  // buffers of values, by id
  Tensor arena;
  std::vector<std::int32_t> tokens, targets;  // of the last forward pass
  bool ready = false;                         // backward() may run

  // Recorded and planned, without memory.
  Impl(const Model& model, std::vector<WeightSlot> slots, std::int64_t batch, std::int64_t sequence, Backend& backend, Kept keep)
      : tape(std::move(slots), batch, sequence),
        step{backend, batch, sequence, checked_product({batch, sequence})},
        part(step),
        kept(keep) {
    model.forward(tape);
    tape.finish();
    ops = static_cast<int>(tape.ops.size());
    // Whether a probe reads what is exposed or not: reading changes no bits.
    const bool exposes = std::ranges::any_of(tape.exposed, [&](const Tape::Exposed& e) { return of_end(e.value); });
    if (end_has_values() && !exposes) part.batch = sequences_at_end(batch, sequence), part.rows = part.batch * sequence;
    step.cols = part.cols = tape.cols;
    find_needs();
    part.needs_alpha = step.needs_alpha, part.needs_weights = step.needs_weights;
    plan_memory();
  }

  bool end_has_values() const { return tape.end < ops - 1; }
  bool of_end(int v) const { return tape.producer[v] >= tape.end; }
  std::int64_t rows_of(int v) const { return of_end(v) ? part.rows : step.rows; }

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

  // When it runs backward.
  int back(int op) const { return 2 * ops - 1 - op; }

  void plan_memory() {
    value.resize(tape.cols.size()), grad.assign(tape.cols.size(), -1);
    std::vector<int> last_reader(tape.cols.size(), 0);
    for (int i = 0; i < ops; ++i)
      for (const int v : tape.ops[i].inputs) last_reader[v] = i;
    for (int v = 0; v < static_cast<int>(tape.cols.size()); ++v) {
      const std::int64_t floats = checked_product({rows_of(v), tape.cols[v]});
      const int made = tape.producer[v], read = last_reader[v];
      // What the tape's end reads of what stands before it, it reads for each part again.
      const bool by_end = !of_end(v) && read >= tape.end;
      value[v] = plan.add(floats, made, by_end && end_has_values() ? back(tape.end) : read);
      if (!step.needs_weights[v]) continue;
      // What ends the tape writes its input's gradient in the forward pass; the others theirs when they run backward.
      grad[v] = plan.add(floats, by_end ? tape.end : read == ops - 1 ? read : back(read), back(made));
    }
    for (const Tape::Exposed& e : tape.exposed) {
      if (kept.activations) plan.extend(value[e.value], back(0));
      if (kept.gradients) plan.extend(grad[e.value], back(0));
    }
    for (int i = 0; i < ops; ++i) {
      Planner planner(state_of(i), plan, value, tape.ops[i], i, ops);
      OpPlan of_op(planner);
      tape.ops[i].op->plan(of_op);
    }
    for (int i = 0; i < ops; ++i)
      if (tape.ops[i].op->in_place()) join_buffers(i);
  }

  StepState& state_of(int op) { return op < tape.end ? step : part; }

  // What lies in `gone` is to lie in `buffer`.
  void join(int buffer, int gone) {
    plan.join(buffer, gone);
    for (std::vector<int>* held : {&value, &grad}) std::ranges::replace(*held, gone, buffer);
  }

  // Op::in_place()
  void join_buffers(int i) {
    const Placed& op = tape.ops[i];
    const auto dies_here = [&](int v) { return plan.last(value[v]) == i; };
    if (op.output < 0) {
      if (const int v = op.inputs[0]; grad[v] >= 0 && dies_here(v)) join(grad[v], value[v]);
      return;
    }
    if (const auto v = std::ranges::find_if(op.inputs, dies_here); v != op.inputs.end()) join(value[*v], value[op.output]);
    if (grad[op.output] < 0 || plan.last(grad[op.output]) != back(i)) return;
    // Once i has run backward nobody reads its output's gradient, so that one input's may take its place: one that nobody wrote
    // to before. The other's may lie there too if it has been read before anything is added to the first.
    int first = -1;
    for (std::size_t k = 0; k < op.inputs.size(); ++k) {
      const int v = op.inputs[k];
      if (grad[v] < 0 || op.add_to_input[k] || of_end(v) != (i >= tape.end) || v == first) continue;
      if (first >= 0 && !read_before_added(v, first, i) && !read_before_added(first, v, i)) continue;
      join(grad[op.output], grad[v]);
      if (first < 0) first = v;
    }
  }

  // Both are inputs of i. Whether i alone writes the gradient of v, and it has been read, by what made v, before another
  // operation adds to that of `to`.
  bool read_before_added(int v, int to, int i) const {
    const int made = tape.producer[v];
    // It lives on after its value's operation has read it: with a gradient further down, which others will write, or for a probe.
    const auto lives_on = [&](int x) { return plan.last(grad[x]) != back(tape.producer[x]); };
    if (lives_on(v) || (lives_on(to) && tape.producer[to] > made)) return false;
    for (int r = 0; r < ops; ++r)
      for (const int input : tape.ops[r].inputs)
        if (r != i && (input == v || (input == to && r >= made))) return false;
    return true;
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
    part.arena = step.arena, part.offset = step.offset;
    part.value = step.value, part.grad = step.grad;
  }

  // The tape's end is to run over the sequences from `row` on.
  void place_part(std::int64_t row) {
    part.tokens = step.tokens + row, part.targets = step.targets + row;
    part.again = row > 0;
    for (std::size_t v = 0; v < tape.cols.size(); ++v) {
      if (of_end(static_cast<int>(v))) continue;
      part.value[v] = step.value[v] + row * step.cols[v];
      part.grad[v] = step.grad[v] ? step.grad[v] + row * step.cols[v] : nullptr;
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

  // Operations [first, last). False where one was found to make a value that is not finite, which ends the pass.
  bool forward(StepState& s, int first, int last) {
    for (int i = first; i < last; ++i) {
      const Placed& op = tape.ops[i];
      OpStep of_op(s, op);
      op.op->forward(of_op);
      if (!s.look) continue;
      if (s.found.empty())
        if (const std::string inner = op.op->inner_non_finite(of_op); !inner.empty()) s.found = inner + " of " + op.name;
      if (s.found.empty() && op.output >= 0 && !all_finite(s.value[op.output], s.rows * s.cols[op.output]))
        s.found = "output of " + op.name;
      if (!s.found.empty()) return false;
    }
    return true;
  }

  void backward(StepState& s, int first, int last) {
    for (int i = last; i-- > first;) {
      const Placed& op = tape.ops[i];
      if (op.output < 0 || !s.needs(op.output)) continue;
      OpStep of_op(s, op);
      op.op->backward(of_op);
    }
  }

  // The loss; with `look`, what was found.
  double forward(Gradients mode, std::string* look = nullptr) {
    for (StepState* s : {&step, &part}) s->mode = mode, s->look = look != nullptr, s->found.clear();
    part.loss = 0;
    part.counted = std::ranges::count_if(targets, [](std::int32_t t) { return t != ignored_target; });
    bool going = forward(step, 0, tape.end);
    for (std::int64_t row = 0; going && row < step.rows; row += part.rows) {
      place_part(row);
      going = forward(part, tape.end, ops);
      if (going && part.gradients()) backward(part, tape.end, ops);
    }
    if (look) *look = step.found + part.found;
    return part.loss;
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
  const double loss = p.forward(gradients);
  p.ready = gradients != Gradients::none;
  return loss;
}

void Program::backward() {
  Impl& p = *impl_;
  if (!p.ready) throw Error(ErrorKind::plugin, "Program::backward() needs a forward pass with gradients just before it");
  p.ready = false;
  p.backward(p.step, 0, p.tape.end);
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
  std::string found;
  p.forward(Gradients::none, &found);
  return found;
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
