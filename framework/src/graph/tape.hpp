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
  Value embedding(std::string_view W) override;
  Value add_positions(Value x, std::string_view P) override;
  Value linear(Value x, std::string_view W) override;
  Value layer_norm(Value x, std::string_view weight, std::string_view bias, float eps) override;
  Value causal_attention(Value qkv, std::int64_t heads) override;
  Value gelu(Value x) override;
  Value add(Value a, Value b) override;
  void head_cross_entropy(Value h, std::string_view W) override;

  // After the model's forward(): complains of a missing head, of values and parameters that nothing uses, and sets the
  // operations' add_to flags.
  void finish();

  std::deque<Weight> weights;  // in parameter order; addresses are stable
  std::vector<std::unique_ptr<Op>> ops;
  std::vector<std::int64_t> cols;  // of each value
  std::vector<int> producer;       // the operation that makes each value

 private:
  Weight& weight(std::string_view op, std::string_view name, std::size_t dimensions);
  std::int64_t width(std::string_view op, Value x) const;
  void must_be_plain(std::string_view op, const Weight& w) const;
  std::string after(Value x) const;
  Value push(std::unique_ptr<Op> op, std::string name, std::vector<int> inputs, std::vector<Weight*> used, std::int64_t width);

  std::int64_t batch_, sequence_;
  std::map<std::string_view, Weight*> by_name_;  // names stand in `weights`
  bool ended_ = false;
};

}  // namespace khost
