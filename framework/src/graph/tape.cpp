#include "graph/tape.hpp"

#include <algorithm>
#include <cctype>
#include <set>

#include "core/shown.hpp"
#include "khost/error.hpp"

namespace khost {

namespace {

[[noreturn]] void refuse(std::string_view op, const std::string& why) {
  throw Error(ErrorKind::plugin, std::string(op) + ": " + why);
}

}  // namespace

Tape::Tape(std::vector<WeightSlot> slots, std::int64_t batch, std::int64_t sequence) : batch_(batch), sequence_(sequence) {
  if (batch < 1 || sequence < 1)
    refuse("graph", "batch " + std::to_string(batch) + " and sequence " + std::to_string(sequence) + " must be at least 1");
  for (WeightSlot& slot : slots) {
    Weight& w = weights.emplace_back();
    w.slot = std::move(slot);
    if (!by_name_.emplace(w.slot.parameter.name, &w).second)
      refuse("graph", "the model has two parameters called '" + w.slot.parameter.name + "'");
    if (!w.slot.adapter) continue;
    if (w.slot.parameter.shape.size() != 2) refuse("graph", named(w) + " is not a matrix and cannot carry an adapter");
    const std::int64_t K = w.slot.adapter->rank, most = std::min(w.rows(), w.cols());
    if (K < 1 || K > most)
      refuse("graph",
             "the adapter of " + named(w) + " has rank " + std::to_string(K) + "; it must be from 1 to " + std::to_string(most));
    w.alpha_sums.resize(static_cast<std::size_t>(w.slot.adapter->core->sums(K)));
  }
}

Weight& Tape::weight(const std::string& reader, std::string_view name) {
  if (const auto found = by_name_.find(name); found != by_name_.end()) return *found->second;
  std::vector<std::string_view> names;
  for (const auto& entry : by_name_) names.push_back(entry.first);
  Error error(ErrorKind::plugin, reader + ": the model has no parameter '" + std::string(name) + "'");
  if (const std::string near = did_you_mean(name, names); !near.empty()) error.hint(near);
  throw error;
}

// By its first parameter, or by what stands before it.
std::string Tape::name_of(const Op& op, std::span<const Value> inputs, std::span<const std::string_view> parameters) const {
  const std::string name(op.name());
  if (!parameters.empty()) return name + " " + std::string(parameters.front());
  if (inputs.empty()) return name;
  const auto value = static_cast<std::size_t>(inputs.back().id);
  return name + " after " + ops[static_cast<std::size_t>(producer[value])].name;
}

Value Tape::append(std::unique_ptr<Op> op, std::span<const Value> inputs, std::span<const std::string_view> parameters) {
  Placed placed;
  for (const Value x : inputs) {
    if (x.id < 0 || x.id >= static_cast<int>(cols.size())) refuse(op->name(), "its input is not a value of this graph");
    placed.inputs.push_back(x.id);
  }
  placed.name = name_of(*op, inputs, parameters);
  if (op->ends() && !within_adapter_) end = static_cast<int>(ops.size());
  if (op->adapts() && !within_adapter_)
    if (const Weight& W = weight(placed.name, parameters.front()); W.slot.written)
      return append_adapted(*op, W, inputs, parameters);
  if (ended_) refuse(placed.name, "head_cross_entropy or cross_entropy has already ended the graph");
  for (const std::string_view name : parameters) {
    Weight& w = weight(std::string(op->name()) + " " + std::string(name), name);
    const bool adapted = w.slot.adapter || (w.slot.written && !within_adapter_);
    if (adapted && !(op->adapts() && placed.weights.empty()))
      refuse(placed.name, named(w) + " carries an adapter, which only linear, embedding and head add");
    placed.weights.push_back(&w);
  }
  const std::int64_t columns = op->columns(OpShapes(placed, batch_, sequence_, cols));
  if (columns < 1) refuse(placed.name, "its output would have " + std::to_string(columns) + " columns");
  ended_ = op->ends();
  if (!ended_) {
    placed.output = static_cast<int>(cols.size());
    cols.push_back(columns);
    producer.push_back(static_cast<int>(ops.size()));
  }
  placed.op = std::move(op);
  ops.push_back(std::move(placed));
  return {ops.back().output};
}

// An adapter, what it gives back looked at.
class Tape::Checked final : public Adapter {
 public:
  Checked(const Tape& tape, const Adapter& adapter) : tape_(tape), adapter_(adapter) {}
  void tensors(AdapterTensors& t, const AdaptedTo& W) const override { adapter_.tensors(t, W); }
  Value linear(Graph& g, Value x, Value y, const AdaptedTo& own) const override {
    return checked(adapter_.linear(g, x, y, own), own.m, "linear()", own);
  }
  Value lookup(Graph& g, Value e, const AdaptedTo& own) const override {
    return checked(adapter_.lookup(g, e, own), own.n, "lookup()", own);
  }
  void difference(std::span<const std::span<const float>> tensors, std::span<const float> W, const AdaptedTo& own,
                  std::span<double> dW) const override {
    adapter_.difference(tensors, W, own, dW);
  }

 private:
  Value checked(Value made, std::int64_t columns, const char* by, const AdaptedTo& own) const {
    const std::string of = std::string(by) + " of the adapter of " + std::string(own.W);
    if (made.id < 0 || made.id >= static_cast<int>(tape_.cols.size())) refuse(of, "what it gives back is no value of this graph");
    if (const std::int64_t found = tape_.cols[static_cast<std::size_t>(made.id)]; found != columns)
      refuse(of, "it gives back " + std::to_string(found) + " columns, expected " + std::to_string(columns));
    return made;
  }
  const Tape& tape_;
  const Adapter& adapter_;
};

Value Tape::append_adapted(const Op& op, const Weight& W, std::span<const Value> inputs,
                           std::span<const std::string_view> parameters) {
  const struct Within {
    bool& flag;
    explicit Within(bool& within) : flag(within) { flag = true; }
    ~Within() { flag = false; }
  } within(within_adapter_);
  const AdaptedTo own{W.slot.parameter.name, W.rows(), W.cols(), W.slot.written_rank};
  return op.adapted(*this, inputs, parameters, Checked(*this, *W.slot.written), own);
}

void Tape::expose(std::string_view name, Value x) {
  const auto fits = [](unsigned char c) { return std::isalnum(c) || c == '_' || c == '.' || c == '-'; };
  const std::string called = "expose '" + printable(name) + "'";
  if (name.empty() || name.size() > 128 || !std::ranges::all_of(name, fits))
    refuse(called, "a name is made of letters, digits, '_', '.' and '-', at most 128 of them");
  if (x.id < 0 || x.id >= static_cast<int>(cols.size())) refuse(called, "it is not a value of this graph");
  if (std::ranges::find(exposed, name, &Exposed::name) != exposed.end())
    refuse(called, "the model exposes two values by that name");
  exposed.push_back({std::string(name), x.id});
}

void Tape::finish() {
  if (!ended_) refuse("graph", "the model's forward pass does not end in head_cross_entropy or cross_entropy");
  std::vector<char> read(cols.size(), 0);  // by an operation later than the one at hand
  std::set<const Weight*> used;
  for (auto op = ops.rbegin(); op != ops.rend(); ++op) {
    if (op->output >= 0 && !read[static_cast<std::size_t>(op->output)]) refuse(op->name, "nothing uses its output");
    for (const int input : op->inputs) {
      op->add_to_input.push_back(read[static_cast<std::size_t>(input)]);
      read[static_cast<std::size_t>(input)] = 1;
    }
    for (const Weight* w : op->weights) {
      op->add_to_weight.push_back(!used.insert(w).second);
    }
  }
  for (const Weight& w : weights)
    if (!used.contains(&w)) refuse("graph", "the forward pass never uses the parameter " + named(w));
}

}  // namespace khost
