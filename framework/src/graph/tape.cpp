#include "graph/tape.hpp"

#include <algorithm>
#include <set>

#include "graph/ops.hpp"
#include "khost/error.hpp"

namespace khost {

namespace {

[[noreturn]] void refuse(std::string_view op, const std::string& why) {
  throw Error(ErrorKind::plugin, std::string(op) + ": " + why);
}

std::string named(const Weight& w) { return "'" + w.slot.parameter.name + "' " + text_of(w.slot.parameter.shape); }

std::string with(std::string_view op, std::string_view parameter) { return std::string(op) + " " + std::string(parameter); }

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
    if (w.slot.adapter->core != Core::block) w.alpha_sum.resize(static_cast<std::size_t>(K));
  }
}

Weight& Tape::weight(std::string_view op, std::string_view name, std::size_t dimensions) {
  if (const auto found = by_name_.find(name); found != by_name_.end()) {
    Weight& w = *found->second;
    if (w.slot.parameter.shape.size() != dimensions)
      refuse(with(op, name), named(w) + " has " + std::to_string(w.slot.parameter.shape.size()) + " dimensions, expected " +
                                 std::to_string(dimensions));
    return w;
  }
  std::vector<std::string_view> names;
  for (const auto& entry : by_name_) names.push_back(entry.first);
  Error error(ErrorKind::plugin, with(op, name) + ": the model has no parameter '" + std::string(name) + "'");
  if (const std::string near = did_you_mean(name, names); !near.empty()) error.hint(near);
  throw error;
}

std::int64_t Tape::width(std::string_view op, Value x) const {
  if (x.id < 0 || x.id >= static_cast<int>(cols.size())) refuse(op, "its input is not a value of this graph");
  return cols[static_cast<std::size_t>(x.id)];
}

void Tape::must_be_plain(std::string_view op, const Weight& w) const {
  if (w.slot.adapter)
    refuse(with(op, w.slot.parameter.name), named(w) + " carries an adapter, which only linear, embedding and head add");
}

std::string Tape::after(Value x) const {
  return " after " + ops[static_cast<std::size_t>(producer[static_cast<std::size_t>(x.id)])]->name;
}

Value Tape::push(std::unique_ptr<Op> op, std::string name, std::vector<int> inputs, std::vector<Weight*> used,
                 std::int64_t width) {
  if (ended_) refuse(name, "head_cross_entropy has already ended the graph");
  op->name = std::move(name);
  op->inputs = std::move(inputs);
  op->weights = std::move(used);
  if (width > 0) {
    op->output = static_cast<int>(cols.size());
    cols.push_back(width);
    producer.push_back(static_cast<int>(ops.size()));
  }
  ops.push_back(std::move(op));
  return {ops.back()->output};
}

Value Tape::embedding(std::string_view W) {
  Weight& w = weight("embedding", W, 2);
  return push(make_embedding(), with("embedding", W), {}, {&w}, w.cols());
}

Value Tape::add_positions(Value x, std::string_view P) {
  const std::string name = with("add_positions", P);
  Weight& w = weight("add_positions", P, 2);
  const std::int64_t C = width(name, x);
  must_be_plain("add_positions", w);
  if (w.cols() != C || w.rows() < sequence_)
    refuse(name, named(w) + " does not fit its input " + text_of({batch_ * sequence_, C}) + ": expected at least [" +
                     std::to_string(sequence_) + ", " + std::to_string(C) + "]");
  return push(make_add_positions(), name, {x.id}, {&w}, C);
}

Value Tape::linear(Value x, std::string_view W) {
  const std::string name = with("linear", W);
  Weight& w = weight("linear", W, 2);
  const std::int64_t n = width(name, x);
  if (w.cols() != n)
    refuse(name, named(w) + " (out x in) does not fit its input " + text_of({batch_ * sequence_, n}) + ": expected " +
                     std::to_string(n) + " columns");
  return push(make_linear(), name, {x.id}, {&w}, w.rows());
}

Value Tape::layer_norm(Value x, std::string_view weight_name, std::string_view bias_name, float eps) {
  const std::string name = with("layer_norm", weight_name);
  Weight &w = weight("layer_norm", weight_name, 1), &b = weight("layer_norm", bias_name, 1);
  const std::int64_t C = width(name, x);
  for (const Weight* p : {&w, &b})
    if (p->rows() != C)
      refuse(name, named(*p) + " does not fit its input " + text_of({batch_ * sequence_, C}) + ": expected " + text_of({C}));
  return push(make_layer_norm(eps), name, {x.id}, {&w, &b}, C);
}

Value Tape::causal_attention(Value qkv, std::int64_t heads) {
  const std::int64_t wide = width("causal_attention", qkv);
  const std::string name = "causal_attention" + after(qkv);
  if (heads < 1 || wide % 3 != 0 || wide / 3 % heads != 0)
    refuse(name, "its input " + text_of({batch_ * sequence_, wide}) + " cannot be split into q, k, v of " +
                     std::to_string(heads) + " heads: expected 3 x heads x width columns");
  return push(make_causal_attention(heads), name, {qkv.id}, {}, wide / 3);
}

Value Tape::gelu(Value x) {
  const std::int64_t C = width("gelu", x);
  return push(make_gelu(), "gelu" + after(x), {x.id}, {}, C);
}

Value Tape::add(Value a, Value b) {
  const std::int64_t left = width("add", a), right = width("add", b);
  const std::string name = "add" + after(b);
  if (left != right)
    refuse(name, "its inputs " + text_of({batch_ * sequence_, left}) + " and " + text_of({batch_ * sequence_, right}) +
                     " differ in shape");
  return push(make_add(), name, {a.id, b.id}, {}, left);
}

void Tape::head_cross_entropy(Value h, std::string_view W) {
  const std::string name = with("head", W);
  Weight& w = weight("head", W, 2);
  const std::int64_t n = width(name, h);
  if (w.cols() != n)
    refuse(name, named(w) + " does not fit its input " + text_of({batch_ * sequence_, n}) + ": expected " + std::to_string(n) +
                     " columns");
  push(make_head(), name, {h.id}, {&w}, 0);
  ended_ = true;
}

void Tape::finish() {
  if (!ended_) refuse("graph", "the model's forward pass does not end in head_cross_entropy");
  std::vector<char> read(cols.size(), 0);  // by an operation later than the one at hand
  std::set<const Weight*> used;
  for (auto op = ops.rbegin(); op != ops.rend(); ++op) {
    if ((*op)->output >= 0 && !read[static_cast<std::size_t>((*op)->output)]) refuse((*op)->name, "nothing uses its output");
    for (const int input : (*op)->inputs) {
      (*op)->add_to_input.push_back(read[static_cast<std::size_t>(input)]);
      read[static_cast<std::size_t>(input)] = 1;
    }
    for (const Weight* w : (*op)->weights) {
      (*op)->add_to_weight.push_back(!used.insert(w).second);
    }
  }
  for (const Weight& w : weights)
    if (!used.contains(&w)) refuse("graph", "the forward pass never uses the parameter " + named(w));
}

}  // namespace khost
