#include "export/adapter.hpp"

#include <algorithm>
#include <map>

#include "graph/tape.hpp"
#include "manifest/parts.hpp"

namespace khost {
namespace {

[[noreturn]] void refuse(const std::string& what, const std::string& why) {
  throw Error(ErrorKind::usage, what + ": " + why).hint("--to merged exports the whole model's weights, whatever was trained");
}

bool has_adapter(const TrainedMatrix& m) { return m.matrix.rank > 0; }

void expect_adapter_alone(const TrainedTrial& trial, const std::string& what) {
  if (std::ranges::none_of(trial.matrices, has_adapter)) refuse(what, "this trial has no adapter");
  if (!trial.trained.empty())
    refuse(what, "this trial trained weights themselves, beside its adapter or without one: " + joined(trial.trained));
}

// Is C what a reader makes of alpha alone: diag(alpha), or alpha itself?
bool says_core(const TrainedMatrix& m) {
  const auto K = static_cast<std::size_t>(m.matrix.rank);
  const std::span<const float> alpha = m.alpha.span();
  for (std::size_t i = 0; i < K; ++i)
    for (std::size_t j = 0; j < K; ++j) {
      const double own = alpha.size() == K * K && m.alpha.shape().size() == 2 ? alpha[i * K + j] : i == j ? alpha[i] : 0;
      if (own != m.C[i * K + j]) return false;
    }
  return true;
}

class Writer {
 public:
  void add(const std::string& name, const Tensor& tensor) { out_.arrays.push_back({name, tensor.view()}); }
  void make(const std::string& name, Tensor tensor) {
    out_.made.push_back(std::move(tensor));  // moving it keeps what views point to
    add(name, out_.made.back());
  }
  ExportedArrays take() { return std::move(out_); }

 private:
  ExportedArrays out_;
};

Tensor transposed(const Tensor& t) {
  const std::int64_t rows = t.rows(), cols = t.cols();
  Tensor out({cols, rows});
  for (std::int64_t i = 0; i < rows; ++i)
    for (std::int64_t j = 0; j < cols; ++j) out.data()[j * rows + i] = t.data()[i * cols + j];
  return out;
}

// U C [m, K], summed in double.
Tensor left_factor(const TrainedMatrix& t) {
  const std::int64_t m = t.matrix.rows, K = t.matrix.rank;
  Tensor out({m, K});
  for (std::int64_t i = 0; i < m; ++i)
    for (std::int64_t k = 0; k < K; ++k) {
      double sum = 0;
      for (std::int64_t j = 0; j < K; ++j)
        sum += static_cast<double>(t.U.data()[i * K + j]) * t.C[static_cast<std::size_t>(j * K + k)];
      out.data()[i * K + k] = static_cast<float>(sum);
    }
  return out;
}

// ---- PEFT ----

constexpr const char* model_prefix = "base_model.model.";  // PEFT wraps the model twice

const Tensor& written(const TrainedMatrix& t, std::string_view name) {
  const auto found = std::ranges::find(t.written, name, &TrainedMatrix::Written::name);
  if (found == t.written.end())
    throw Error(ErrorKind::plugin, "the adapter of " + t.matrix.name + " has no tensor '" + std::string(name) + "'");
  return found->value;
}

struct Scaling {
  double alpha = 0;  // the same for all matrices; 0: each has its own rank
  bool rank_stabilised = false;
};

Scaling scaling_of(const Json& config) { return {config.at("alpha").as_number(), config.at("scaling").as_string() == "rslora"}; }

std::int64_t commonest_rank(const TrainedTrial& trial) {
  std::map<std::int64_t, int> counts;
  for (const TrainedMatrix& m : trial.matrices)
    if (has_adapter(m)) ++counts[m.matrix.rank];
  return std::ranges::max_element(counts, {}, [](const auto& count) { return count.second; })->first;
}

}  // namespace

ExportedArrays factors_of(const TrainedTrial& trial) {
  expect_adapter_alone(trial, "there are no factors to export");
  Writer out;
  for (const TrainedMatrix& m : trial.matrices) {
    if (!has_adapter(m)) continue;
    for (const TrainedMatrix::Written& t : m.written) out.add(m.matrix.name + "/" + t.name, t.value);
    if (!m.written.empty()) continue;
    out.add(m.matrix.name + "/U", m.U);
    out.add(m.matrix.name + "/alpha", m.alpha);
    out.add(m.matrix.name + "/V", m.V);
    if (says_core(m)) continue;
    Tensor C({m.matrix.rank, m.matrix.rank});
    std::ranges::transform(m.C, C.data(), [](double c) { return static_cast<float>(c); });
    out.make(m.matrix.name + "/C", std::move(C));
  }
  return out.take();
}

ExportedArrays merged_of(const TrainedTrial& trial) {
  Writer out;
  for (std::size_t i = 0; i < trial.parameters.size(); ++i) out.add(trial.parameters[i].name, trial.merged[i]);
  return out.take();
}

ExportedArrays base_of(const Weights& base) {
  ExportedArrays out;
  for (std::size_t i = 0; i < base.parameters.size(); ++i)
    out.arrays.push_back({base.parameters[i].name, {DType::f32, base.values[i].data(), base.parameters[i].shape}});
  return out;
}

ExportedArrays batch_of(const TrainedTrial& trial) {
  const Shape shape{trial.info.batch, trial.info.sequence};
  return {{{"tokens", {DType::i32, trial.tokens.data(), shape}}, {"targets", {DType::i32, trial.targets.data(), shape}}}, {}};
}

PeftAdapter peft_of(const TrainedTrial& trial, const Arm& arm, const std::vector<std::string>& embeddings) {
  const std::string what = "this adapter has no counterpart in PEFT";
  expect_adapter_alone(trial, what);
  const bool is_written = arm.adapter->written;
  const std::string& plugin = arm.adapter->component.plugin;
  const bool dora = is_written && plugin == "dora";
  if (is_written && plugin != "lora" && !dora)
    refuse(what, "only U C V' and the plugins lora and dora are known to be one of PEFT's, not '" + plugin + "'");
  const Scaling scaling = is_written ? scaling_of(arm.adapter->component.config) : Scaling{};
  const std::int64_t r = commonest_rank(trial);
  Writer out;
  Json::List targets;
  Json ranks{Json::Object{}}, alphas{Json::Object{}};
  for (const TrainedMatrix& m : trial.matrices) {
    if (!has_adapter(m)) continue;
    const std::string& name = m.matrix.name;
    const bool embedding = std::ranges::find(embeddings, name) != embeddings.end();
    if (dora && embedding)
      refuse(what, "dora's magnitudes of '" + name + "' are of its rows, one a token; PEFT's of an embedding are of its columns");
    targets.push_back(name);
    if (m.matrix.rank != r) {
      ranks.set(name, m.matrix.rank);
      if (!is_written) alphas.set(name, m.matrix.rank);  // the scale is 1 at each rank
    }
    const std::string in = model_prefix + name + ".";
    Tensor B = is_written ? written(m, "B") : left_factor(m), A = is_written ? written(m, "A") : transposed(m.V);
    if (embedding) {  // dW = (lora_embedding_B lora_embedding_A)'
      out.make(in + "lora_embedding_A", transposed(B));
      out.make(in + "lora_embedding_B", transposed(A));
    } else {
      out.make(in + "lora_A.weight", std::move(A));
      out.make(in + "lora_B.weight", std::move(B));
    }
    if (dora) out.add(in + "lora_magnitude_vector", written(m, "magnitude"));
  }
  PeftAdapter adapter{out.take(), {}};
  adapter.config = Json::object({{"peft_type", "LORA"},
                                 {"task_type", Json()},
                                 {"auto_mapping", Json()},
                                 {"base_model_name_or_path", Json()},
                                 {"revision", Json()},
                                 {"inference_mode", true},
                                 {"r", r},
                                 {"lora_alpha", is_written ? Json(scaling.alpha) : Json(r)},
                                 {"rank_pattern", ranks},
                                 {"alpha_pattern", alphas},
                                 {"target_modules", std::move(targets)},
                                 {"modules_to_save", Json()},
                                 {"lora_dropout", 0.0},
                                 {"bias", "none"},
                                 {"fan_in_fan_out", false},
                                 {"init_lora_weights", true},
                                 {"use_rslora", scaling.rank_stabilised},
                                 {"use_dora", dora}});
  return adapter;
}

std::vector<std::string> embeddings_of(const Model& model, const std::vector<Parameter>& parameters, std::int64_t sequence) {
  std::vector<WeightSlot> slots;
  for (const Parameter& p : parameters) slots.emplace_back().parameter = p;
  Tape tape(std::move(slots), 1, sequence);
  model.forward(tape);
  std::vector<std::string> out;
  for (const Placed& placed : tape.ops)
    if (placed.op->name() == "embedding")
      for (const Weight* weight : placed.weights) out.push_back(weight->slot.parameter.name);
  return out;
}

}  // namespace khost
