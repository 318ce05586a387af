// The whole training path against PyTorch: losses, every gradient and ten training steps of eight tiny models of three
// architectures, as computed in float64 by tests/reference/make_reference.py from the models' specifications.
//
// khost computes in f32. The bounds below are 5 to 8 times what the same formulas lose when PyTorch runs them in f32 on these
// cases (losses 1.9e-6, gradients 1.3e-6 of their norm, values after ten steps 7e-7), and below what small mistakes of method
// make: leaving out the weight decay moves the last loss by 5e-5 and weights by 1.5e-4; half the layer norm's eps shows in the
// gradients.

#include <doctest/doctest.h>

#include <cmath>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "engine/trainer.hpp"
#include "graph/program.hpp"
#include "graph_oracle.hpp"
#include "khost/optimizer.hpp"
#include "khost/spectral.hpp"
#include "plugin/registry.hpp"
#include "reference_dump.hpp"

using namespace khost;
using khost::test::DumpArray;
using khost::test::ReferenceDump;

namespace {

constexpr double loss_bound = 1e-5;      // nats; losses are 3 to 7
constexpr double gradient_bound = 1e-5;  // |difference| / |gradient|, per tensor
constexpr double value_bound = 5e-6;     // of an alpha or a weight after ten steps; they move by 5e-2 and 1e-2

const ReferenceDump& dump() {
  static const ReferenceDump it = ReferenceDump::read(KHOST_SOURCE_DIR "/tests/reference/reference.bin");
  return it;
}

Registry& registry() {
  static Registry it({KHOST_BINARY_DIR "/plugins"});
  return it;
}

// The decoders of tests/reference/decoders.py on khost's graph, with the tensors that the dump has for them.
void llama(Graph& g, std::int64_t layers, std::int64_t heads, Rotary pairs) {
  Value x = embedding(g, "tok_emb");
  for (std::int64_t l = 0; l < layers; ++l) {
    const std::string at = "layer." + std::to_string(l) + ".";
    const Value a = rms_norm(g, x, at + "attn_norm.weight");
    const Value q = rotary(g, linear(g, a, at + "attn.q"), heads, pairs), k = linear(g, a, at + "attn.k");
    const Value v = linear(g, a, at + "attn.v"), o = causal_attention(g, q, rotary(g, k, heads / 2, pairs), v, heads, heads / 2);
    x = add(g, x, linear(g, o, at + "attn.o"));
    const Value m = rms_norm(g, x, at + "mlp_norm.weight");
    const Value gate = silu(g, linear(g, m, at + "mlp.gate"));
    x = add(g, x, linear(g, multiply(g, gate, linear(g, m, at + "mlp.up")), at + "mlp.down"));
  }
  head_cross_entropy(g, rms_norm(g, x, "norm.weight"), "head");
}

void gpt2(Graph& g, std::int64_t layers, std::int64_t heads) {
  const auto biased = [&](Value x, const std::string& W) { return linear(g, x, W, W + ".bias"); };
  Value x = add_positions(g, embedding(g, "tok_emb"), "pos_emb");
  for (std::int64_t l = 0; l < layers; ++l) {
    const std::string at = "layer." + std::to_string(l) + ".";
    const Value a = layer_norm(g, x, at + "ln1.weight", at + "ln1.bias");
    x = add(g, x, biased(causal_attention(g, biased(a, at + "attn.qkv"), heads), at + "attn.proj"));
    const Value m = layer_norm(g, x, at + "ln2.weight", at + "ln2.bias");
    x = add(g, x, biased(gelu(g, biased(m, at + "mlp.up"), Gelu::tanh), at + "mlp.down"));
  }
  head_cross_entropy(g, layer_norm(g, x, "ln_f.weight", "ln_f.bias"), "tok_emb");
}

std::shared_ptr<Model> decoder(const std::string& case_name, const std::vector<std::int32_t>& shape) {
  std::vector<Parameter> parameters;
  for (const std::string& name : dump().names(case_name + "/weight/"))
    parameters.push_back({name, dump().at(case_name + "/weight/" + name).shape, Init::normal, 0.02,
                          !dump().names(case_name + "/U/" + name).empty()});
  const std::int64_t layers = shape[2], heads = shape[3];
  return std::make_shared<test::TestModel>(std::move(parameters), [=](Graph& g) {
    if (case_name == "gpt2") return gpt2(g, layers, heads);
    llama(g, layers, heads, case_name == "llama" ? Rotary::halves : Rotary::pairs);
  });
}

bool is_decoder(const std::string& case_name) { return case_name.starts_with("llama") || case_name == "gpt2"; }

Json object(Json::Object members) { return Json(std::move(members)); }

// One of the dump's models with its batch, on a backend of its own.
class Tiny {
 public:
  enum class Train { nothing, alpha, block, factors, matrices, weights };

  // With `adapter`, written in operations, on every adaptable matrix, its tensors as the dump has them for `kind`.
  Tiny(const std::string& case_name, const std::string& backend, Train train, const Adapter* adapter = nullptr,
       const std::string& kind = "")
      : case_(case_name + "/"), backend_(backend, registry().get(Kind::compute, backend).descriptor->compute, "{}", 2) {
    const std::vector<std::int32_t> shape = at("shape").i32();  // vocabulary, d_model, n_layer, n_head, T, B, K, positions
    model_ = is_decoder(case_name) ? decoder(case_name, shape) : gpt(shape);
    const bool adapted = train == Train::alpha || train == Train::block || train == Train::factors;
    tokens_ = at("tokens").i32();
    targets_ = at("targets").i32();

    for (Parameter& parameter : model_->parameters()) {
      Slot& slot = slots_.emplace_back();
      slot.name = parameter.name;
      slot.value = at("weight/" + slot.name).f32();
      slot.grad.assign(slot.value.size(), -1);  // never the right answer: what is not written shows
      const std::int64_t K = shape[6];
      if (adapted && parameter.adaptable) {
        slot.U = at("U/" + slot.name).f32();
        slot.V = at("V/" + slot.name).f32();
        slot.alpha.assign(static_cast<std::size_t>(train == Train::block ? K * K : K), 0);
        slot.alpha_grad.assign(slot.alpha.size(), -1);
        const Core* core = test::core(train == Train::block ? "block" : train == Train::factors ? "factors" : "diagonal");
        slot.adapter = {K, slot.U.data(), slot.V.data(), slot.alpha.data(), slot.alpha_grad.data(), core};
        trained_.push_back({slot.name + "/alpha", false, slot.alpha, slot.alpha_grad});
        if (core->trains_factors()) {
          slot.U_grad.assign(slot.U.size(), -1), slot.V_grad.assign(slot.V.size(), -1);
          slot.adapter.U_grad = slot.U_grad.data(), slot.adapter.V_grad = slot.V_grad.data();
          trained_.push_back({slot.name + "/U", false, slot.U, slot.U_grad});
          trained_.push_back({slot.name + "/V", false, slot.V, slot.V_grad});
        }
      }
      const bool trains = train == Train::weights || (train == Train::matrices && parameter.adaptable);
      if (trains) trained_.push_back({slot.name, parameter.shape.size() == 2, slot.value, slot.grad});
      WeightSlot& weight = weights_.emplace_back();
      weight.parameter = std::move(parameter);
      weight.value = slot.value.data();
      weight.grad = slot.grad.data();
      weight.adapter = slot.alpha.empty() ? nullptr : &slot.adapter;
      weight.frozen = !trains;
      if (!adapter || !weight.parameter.adaptable) continue;
      weight.written = adapter, weight.written_rank = shape[6];
      AdapterTensors declared;
      adapter->tensors(declared, {slot.name, weight.parameter.shape[0], weight.parameter.shape[1], weight.written_rank});
      for (const AdapterTensors::Tensor& t : declared.all()) {
        Held& held = tensors_.emplace_back();
        held.name = slot.name + "/" + t.name, held.shape = t.shape;
        held.value = at(kind + "/start/" + held.name).f32();
        held.grad.assign(held.value.size(), -1);
      }
    }
    for (Held& held : tensors_) {
      trained_.push_back({held.name, false, held.value, held.grad, held.shape});
      WeightSlot& weight = weights_.emplace_back();
      weight.parameter.name = held.name, weight.parameter.shape = held.shape;
      weight.value = held.value.data(), weight.grad = held.grad.data();
      weight.frozen = false, weight.of_adapter = true;
    }
    program_ = std::make_unique<Program>(*model_, weights_, shape[5], shape[4], backend_);
  }

  struct Slot {
    std::string name;
    std::vector<float> value, grad, U, V, U_grad, V_grad, alpha, alpha_grad;
    AdapterSlot adapter;
  };

  struct Held {  // a tensor of an adapter
    std::string name;
    Shape shape;
    std::vector<float> value, grad;
  };
  const std::deque<Held>& tensors() const { return tensors_; }

  const DumpArray& at(const std::string& name) const { return dump().at(case_ + name); }
  const Model& model() const { return *model_; }
  const std::vector<WeightSlot>& weights() const { return weights_; }
  std::deque<Slot>& slots() { return slots_; }
  const std::vector<Trained>& trained() const { return trained_; }

  double loss(Program::Gradients gradients) {
    const double value = program_->forward(tokens_, targets_, gradients);
    if (gradients != Program::Gradients::none) program_->backward();
    return value;
  }

 private:
  std::shared_ptr<Model> gpt(const std::vector<std::int32_t>& shape) const {
    ModelContext context;
    context.vocabulary = shape[0];
    context.sequence = shape[7];
    const Plugin& plugin = registry().get(Kind::model, "gpt");
    const bool tied = dump().names(case_ + "weight/head").empty();
    return create<Model>(plugin,
                         resolve_config(plugin, object({{"d_model", shape[1], {}},
                                                        {"n_layer", shape[2], {}},
                                                        {"n_head", shape[3], {}},
                                                        {"head", tied ? "tied" : "untied", {}}})),
                         &context);
  }

  std::string case_;
  Backend backend_;
  std::shared_ptr<Model> model_;
  std::vector<std::int32_t> tokens_, targets_;
  std::deque<Held> tensors_;
  std::deque<Slot> slots_;  // a deque: its elements stay where they are
  std::vector<WeightSlot> weights_;
  std::vector<Trained> trained_;
  std::unique_ptr<Program> program_;
};

double relative_error(const std::vector<float>& found, const std::vector<double>& expected) {
  REQUIRE(found.size() == expected.size());
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    difference += (found[i] - expected[i]) * (found[i] - expected[i]);
    norm += expected[i] * expected[i];
  }
  REQUIRE(norm > 0);
  return std::sqrt(difference / norm);
}

double largest_error(const std::vector<float>& found, const std::vector<double>& expected) {
  REQUIRE(found.size() == expected.size());
  double largest = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (!std::isfinite(found[i])) return INFINITY;
    largest = std::max(largest, std::abs(found[i] - expected[i]));
  }
  return largest;
}

// The plugin with the dump's rule, whose numbers are called `names`.
std::shared_ptr<Optimizer> optimizer(const char* plugin, const DumpArray& rule, const std::vector<const char*>& names) {
  Json config{Json::Object{}};
  for (std::size_t i = 0; i < rule.value.size(); ++i) {
    if (std::string_view(names.at(i)) == "warmup")
      config.set(names[i], static_cast<std::int64_t>(rule.value[i]));
    else
      config.set(names[i], rule.value[i]);
  }
  const Plugin& found = registry().get(Kind::optimizer, plugin);
  return create<Optimizer>(found, resolve_config(found, config));
}

std::shared_ptr<Optimizer> adam(const DumpArray& rule) {
  return optimizer("adam", rule, {"lr", "beta1", "beta2", "eps", "weight_decay", "warmup"});
}

// Ten steps of training against the dump's losses; `look` sees each step before its update, and the end after the last.
template <class F>
void ten_steps(Tiny& tiny, const std::string& kind, const Optimizer& rule, Program::Gradients gradients, F&& look) {
  Trainer trainer(rule, tiny.trained());
  const DumpArray& losses = tiny.at(kind + "/loss");
  REQUIRE(losses.value.size() == 11);
  for (std::size_t i = 0; i < losses.value.size(); ++i) {
    CAPTURE(i);
    CHECK(std::abs(tiny.loss(gradients) - losses.value[i]) < loss_bound);
    look(i);
    if (i + 1 < losses.value.size()) trainer.step();
  }
}

// Runs the test on every case with every backend.
template <class F>
void everywhere(F&& test, const std::vector<const char*>& cases = {"small", "full_rank", "odd", "tiny", "untied", "llama",
                                                                   "llama_pairs", "gpt2"}) {
  for (const char* backend : {"reference", "openblas"})
    for (const char* case_name : cases) {
      CAPTURE(backend);
      CAPTURE(case_name);
      test(std::string(case_name), std::string(backend));
    }
}

}  // namespace

TEST_CASE("reference dump: what is not one is refused with the reason") {
  const std::string header("KHOSTREF\1\0\0\0\1\0\0\0", 16);
  const std::string array("\1\0\0\0x\2\0\0\0\1\0\0\0\2\0\0\0\0\0\0\0\7\0\0\0\377\377\377\377", 29);
  const auto read = [](const std::string& bytes) { return ReferenceDump({bytes.begin(), bytes.end()}, "dump"); };
  const ReferenceDump good = read(header + array);
  CHECK(good.at("x").value == std::vector<double>{7, -1});
  CHECK(good.at("x").shape == Shape{2});
  CHECK_THROWS_WITH(good.at("y"), "dump: has no array y");
  CHECK_THROWS_WITH(read("KHOSTRE"), "dump: not a reference dump: it does not begin with KHOSTREF");
  CHECK_THROWS_WITH(read("KHOSTREX" + header.substr(8) + array), "dump: not a reference dump: it does not begin with KHOSTREF");
  std::string newer = header + array;
  newer[8] = 2;
  CHECK_THROWS_WITH(read(newer), "dump: is of version 2, this test reads version 1; run tests/reference/make_reference.py");
  CHECK_THROWS_WITH(read(header + array.substr(0, 28)), "dump: ends in the middle of an array");
  CHECK_THROWS_WITH(read(header + array + "more"), "dump: has 4 bytes after its last array");
  CHECK_THROWS_WITH(ReferenceDump::read("/nowhere/reference.bin"),
                    "/nowhere/reference.bin: cannot be opened; tests/reference/make_reference.py writes it");
}

TEST_CASE("reference: the gpt plugin has the tensors of the contract") {
  for (const char* case_name : {"small", "full_rank", "odd", "tiny", "untied"}) {
    CAPTURE(case_name);
    Tiny tiny(case_name, "reference", Tiny::Train::nothing);
    CHECK(tiny.weights().size() == dump().names(std::string(case_name) + "/weight/").size());
    std::size_t adaptable = 0;
    for (const WeightSlot& slot : tiny.weights()) {
      const Parameter& p = slot.parameter;
      CAPTURE(p.name);
      CHECK(p.shape == tiny.at("weight/" + p.name).shape);
      CHECK(p.layer == (p.name.starts_with("layer.") ? std::stoi(p.name.substr(6)) : -1));
      adaptable += p.adaptable;
      if (p.adaptable) CHECK_NOTHROW(tiny.at("U/" + p.name));
    }
    CHECK(adaptable == dump().names(std::string(case_name) + "/U/").size());
  }
}

TEST_CASE("reference: the loss without adapters, and with adapters at zero") {
  everywhere([](const std::string& case_name, const std::string& backend) {
    Tiny plain(case_name, backend, Tiny::Train::nothing), adapted(case_name, backend, Tiny::Train::alpha);
    CHECK(std::abs(plain.loss(Program::Gradients::none) - plain.at("base/loss").scalar()) < loss_bound);
    CHECK(std::abs(adapted.loss(Program::Gradients::none) - plain.at("base/loss").scalar()) < loss_bound);
  });
}

TEST_CASE("reference: every gradient at alphas that are not zero") {
  everywhere([](const std::string& case_name, const std::string& backend) {
    Tiny tiny(case_name, backend, Tiny::Train::alpha);
    for (Tiny::Slot& slot : tiny.slots())
      if (!slot.alpha.empty()) {
        const std::vector<float> alpha = tiny.at("at/alpha/" + slot.name).f32();
        std::copy(alpha.begin(), alpha.end(), slot.alpha.begin());
      }
    // Asked for alone, the gradients of alpha are as right as together with those of the weights.
    for (auto asked : {Program::Gradients::alpha, Program::Gradients::alpha_and_weights}) {
      CHECK(std::abs(tiny.loss(asked) - tiny.at("at/loss").scalar()) < loss_bound);
      for (Tiny::Slot& slot : tiny.slots()) {
        CAPTURE(slot.name);
        if (!slot.alpha.empty()) {
          CHECK(relative_error(slot.alpha_grad, tiny.at("at/alpha_grad/" + slot.name).value) < gradient_bound);
          std::fill(slot.alpha_grad.begin(), slot.alpha_grad.end(), -1.0f);
        }
        if (asked == Program::Gradients::alpha_and_weights)
          CHECK(relative_error(slot.grad, tiny.at("at/weight_grad/" + slot.name).value) < gradient_bound);
      }
    }
  });
}

TEST_CASE("reference: ten steps of Adam on alpha") {
  everywhere([](const std::string& case_name, const std::string& backend) {
    Tiny tiny(case_name, backend, Tiny::Train::alpha);
    ten_steps(tiny, "adam", *adam(tiny.at("adam/rule")), Program::Gradients::alpha, [&](std::size_t i) {
      for (const Tiny::Slot& slot : tiny.slots()) {
        if (slot.alpha.empty()) continue;
        CAPTURE(slot.name);
        CHECK(largest_error(slot.alpha, tiny.at("adam/alpha/" + slot.name).row(i)) < value_bound);
        CHECK(relative_error(slot.alpha_grad, tiny.at("adam/alpha_grad/" + slot.name).row(i)) < gradient_bound);
      }
    });
  });
}

TEST_CASE("reference: ten steps of Adam on blocks, and on factors") {
  const auto test = [](const std::string& case_name, const std::string& backend) {
    for (const auto& [kind, train] : {std::pair{"block", Tiny::Train::block}, std::pair{"factors", Tiny::Train::factors}}) {
      const std::string at = kind;
      CAPTURE(at);
      Tiny tiny(case_name, backend, train);
      ten_steps(tiny, at, *adam(tiny.at(at + "/rule")), Program::Gradients::alpha, [&](std::size_t i) {
        for (const Tiny::Slot& slot : tiny.slots()) {
          if (slot.alpha.empty()) continue;
          CAPTURE(slot.name);
          CHECK(largest_error(slot.alpha, tiny.at(at + "/alpha/" + slot.name).row(i)) < value_bound);
          CHECK(relative_error(slot.alpha_grad, tiny.at(at + "/alpha_grad/" + slot.name).row(i)) < gradient_bound);
        }
      });
      if (train == Tiny::Train::factors)
        for (const Tiny::Slot& slot : tiny.slots()) {
          if (slot.alpha.empty()) continue;
          CAPTURE(slot.name);
          CHECK(largest_error(slot.U, tiny.at("factors/U/" + slot.name).value) < value_bound);
          CHECK(largest_error(slot.V, tiny.at("factors/V/" + slot.name).value) < value_bound);
        }
    }
  };
  everywhere(test, {"tiny", "untied"});
}

TEST_CASE("reference: ten steps of Adam on LoRA, rank-stabilised LoRA and DoRA") {
  const auto test = [](const std::string& case_name, const std::string& backend) {
    const std::vector<std::pair<std::string, Json>> kinds{
        {"lora", object({{"scaling", "lora", {}}})},
        {"rslora", object({{"scaling", "rslora", {}}})},
        {"dora", object({{"norm", "constant", {}}})},
        {"dora_exact", object({{"norm", "exact", {}}})},
    };
    for (const auto& [kind, settings] : kinds) {
      CAPTURE(kind);
      Json config = settings;
      const std::vector<double> rule = dump().at(case_name + "/" + kind + "/rule").value;
      config.set("alpha", rule.at(4));
      const Plugin& plugin = registry().get(Kind::adapter, kind.starts_with("dora") ? "dora" : "lora");
      const auto adapter = create<Adapter>(plugin, resolve_config(plugin, config));
      Tiny tiny(case_name, backend, Tiny::Train::nothing, adapter.get(), kind);
      const auto& tensors = tiny.tensors();
      ten_steps(tiny, kind, *adam({Shape{4}, {rule.begin(), rule.begin() + 4}}), Program::Gradients::alpha, [&](std::size_t i) {
        for (const Tiny::Held& t : tensors) {
          CAPTURE(t.name);
          if (i == 0) CHECK(relative_error(t.grad, tiny.at(kind + "/gradient/" + t.name).value) < gradient_bound);
          if (i == 10) CHECK(largest_error(t.value, tiny.at(kind + "/end/" + t.name).value) < value_bound);
        }
      });
    }
  };
  everywhere(test, {"tiny", "untied", "llama", "gpt2"});
}

TEST_CASE("reference: ten steps of Adam on all weights, with weight decay and warm-up") {
  everywhere([](const std::string& case_name, const std::string& backend) {
    Tiny tiny(case_name, backend, Tiny::Train::weights);
    ten_steps(tiny, "full", *adam(tiny.at("full/rule")), Program::Gradients::alpha_and_weights, [](std::size_t) {});
    for (Tiny::Slot& slot : tiny.slots()) {
      CAPTURE(slot.name);
      std::vector<float> found = slot.value;
      std::vector<double> expected = tiny.at("full/weight/" + slot.name).value;
      if (slot.name.ends_with(".qkv.bias")) {
        // A bias of keys adds the same to all of a query's scores: its gradient is 0, and what Adam makes of the rounding is
        // noise.
        const std::size_t third = found.size() / 3;
        std::fill_n(found.begin() + static_cast<std::ptrdiff_t>(third), third, 0.0f);
        std::fill_n(expected.begin() + static_cast<std::ptrdiff_t>(third), third, 0.0);
      }
      CHECK(largest_error(found, expected) < value_bound);
    }
  });
}

TEST_CASE("reference: ten steps of gradient descent on the matrices alone, plain and with momentum and decay") {
  const auto test = [](const std::string& case_name, const std::string& backend) {
    Tiny tiny(case_name, backend, Tiny::Train::matrices);
    const std::shared_ptr<Optimizer> rule = optimizer("sgd", tiny.at("sgd/rule"), {"lr", "momentum", "weight_decay"});
    ten_steps(tiny, "sgd", *rule, Program::Gradients::alpha_and_weights, [](std::size_t) {});
    for (Tiny::Slot& slot : tiny.slots()) {
      CAPTURE(slot.name);
      const bool trained = !dump().names(case_name + "/sgd/weight/" + slot.name).empty();
      const DumpArray& expected = tiny.at((trained ? "sgd/weight/" : "weight/") + slot.name);
      CHECK(largest_error(slot.value, expected.value) < value_bound);
    }
  };
  everywhere(test, {"tiny", "untied"});
}

TEST_CASE("reference: the SVD basis of every matrix, signs included") {
  for (const std::string case_name : {"small/", "full_rank/", "odd/", "tiny/", "untied/", "llama/", "gpt2/"})
    for (const std::string& name : dump().names(case_name + "U/")) {
      CAPTURE(case_name);
      CAPTURE(name);
      const DumpArray &W = dump().at(case_name + "weight/" + name), &U = dump().at(case_name + "U/" + name);
      const Basis basis = svd_basis(W.f32(), W.shape[0], W.shape[1], U.shape[1]);
      const std::vector<double>& sigma = dump().at(case_name + "sigma/" + name).value;
      REQUIRE(basis.sigma.size() == sigma.size());
      for (std::size_t k = 0; k < sigma.size(); ++k) CHECK(std::abs(basis.sigma[k] - sigma[k]) < 1e-7 * sigma[0]);
      CHECK(largest_error(basis.U, U.value) < 1e-6);
      CHECK(largest_error(basis.V, dump().at(case_name + "V/" + name).value) < 1e-6);
    }
}
