// Records a model's forward pass: checks every shape, and keeps the operations in the order the model wrote them.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "graph/op.hpp"

namespace khost {

class Tape final : public Graph {
 public:
  Tape(std::vector<WeightSlot> slots, std::int64_t batch, std::int64_t sequence);

  std::int64_t batch() const override { return batch_; }
  std::int64_t sequence() const override { return sequence_; }
  void expose(std::string_view name, Value x) override;
  Value append(std::unique_ptr<Op> op, std::span<const Value> inputs, std::span<const std::string_view> parameters) override;

  // After the model's forward(): complains of a missing head, of values and parameters that nothing uses, and sets the
  // operations' add_to flags.
  void finish();

  std::deque<Weight> weights;  // in parameter order; addresses are stable
  std::vector<Placed> ops;
  std::vector<std::int64_t> cols;  // of each value
  std::vector<int> producer;       // the operation that makes each value
  // The tape's end, from this operation on: what ends it, and before that what an adapter written in operations puts in the place
  // of the head's matrix. Where there is that, all of it runs over a few sequences at a time, forward and backward at once, as
  // logits are by far the largest value.
  int end = 0;
  struct Exposed {
    std::string name;
    int value;
  };
  std::vector<Exposed> exposed;

 private:
  class Checked;
  Value append_adapted(const Op& op, const Weight& W, std::span<const Value> inputs,
                       std::span<const std::string_view> parameters);
  Weight& weight(const std::string& reader, std::string_view name);
  std::string name_of(const Op& op, std::span<const Value> inputs, std::span<const std::string_view> parameters) const;

  std::int64_t batch_, sequence_;
  std::map<std::string_view, Weight*> by_name_;  // names stand in `weights`
  bool ended_ = false;
  bool within_adapter_ = false;  // what is appended is an adapter's, or stands in its place
};

}  // namespace khost
