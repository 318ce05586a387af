#include "plugin/guarded.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "core/call.hpp"
#include "plugin/record_names.hpp"

namespace khost {
namespace {

constexpr int most_slots = 64;  // far more than any optimizer's, far less than a number that was never set

// Of a parameter: a probe puts something before it, and both together are a record's name.
constexpr std::size_t longest_name = 128;

[[noreturn]] void broken(const std::string& what) { throw Error(ErrorKind::plugin, what); }

// Why a parameter cannot be called so: it is one part of records' names.
std::string fault_of(const std::string& name) {
  if (name.empty()) return "it is empty";
  if (name.find('/') != std::string::npos) return "it has '/'";
  if (name.size() > longest_name) return "it has " + std::to_string(name.size()) + " characters";
  return fault_of_name(name, NameForm::made);
}

void check(const std::vector<Parameter>& parameters) {
  if (parameters.empty()) broken("a model without parameters");
  std::set<std::string_view> names;
  for (const Parameter& p : parameters) {
    if (const std::string fault = fault_of(p.name); !fault.empty())
      throw Error(ErrorKind::plugin, "'" + p.name + "' cannot be a parameter's name: " + fault)
          .hint("1 to " + std::to_string(longest_name) +
                " letters, digits, '_', '.' and '-': it stands in the names of records, and "
                "in a manifest's patterns");
    if (!names.insert(p.name).second) broken("the model has two parameters called '" + p.name + "'");
    const std::string named = "the parameter '" + p.name + "' " + text_of(p.shape);
    if (p.shape.empty()) broken(named + " has no dimensions");
    for (const std::int64_t extent : p.shape)
      if (extent < 1) broken(named + " has a dimension below 1");
    if (p.adaptable && p.shape.size() != 2) broken(named + " is called adaptable, which only a matrix can be");
    if (!std::isfinite(p.sd) || p.sd < 0) broken(named + " has no standard deviation to be drawn with");
  }
}

class GuardedModel final : public Model {
 public:
  GuardedModel(std::shared_ptr<Model> model, std::string title) : model_(std::move(model)), title_(std::move(title)) {}
  std::vector<Parameter> parameters() const override {
    return call_plugin(title_ + " in parameters", [&] {
      std::vector<Parameter> all = model_->parameters();
      check(all);
      return all;
    });
  }
  void forward(Graph& g) const override {
    call_plugin(title_ + " in forward", [&] { model_->forward(g); });
  }

 private:
  std::shared_ptr<Model> model_;
  std::string title_;
};

class GuardedOptimizer final : public Optimizer {
 public:
  GuardedOptimizer(std::shared_ptr<Optimizer> optimizer, const std::string& title)
      : optimizer_(std::move(optimizer)), update_(title + " in update"), slots_(title + " in slots") {}
  int slots() const override {
    return call_plugin(slots_, [&] {
      const int count = optimizer_->slots();
      if (count < 0 || count > most_slots)
        broken("it keeps " + std::to_string(count) + " state arrays a value; 0 to " + std::to_string(most_slots) +
               " are possible");
      return count;
    });
  }
  void update(const Update& u) const override {
    call_plugin(update_, [&] { optimizer_->update(u); });
  }

 private:
  std::shared_ptr<Optimizer> optimizer_;
  std::string update_, slots_;  // frames, made once: update() is called for every tensor at every step
};

class GuardedData final : public Data {
 public:
  GuardedData(std::shared_ptr<Data> data, std::string title) : data_(std::move(data)), title_(std::move(title)) {}
  std::int64_t vocabulary() const override {
    return call_plugin(title_ + " in vocabulary", [&] {
      const std::int64_t count = data_->vocabulary();
      if (count < 1) broken("it has a vocabulary of " + std::to_string(count));
      return count;
    });
  }
  std::string identity() const override {
    return call_plugin(title_ + " in identity", [&] {
      std::string text = data_->identity();
      if (text.empty()) broken("it has no identity, so that other data could be taken for it");
      return text;
    });
  }
  std::int64_t tokens(Part part) const override {
    return call_plugin(title_ + " in tokens", [&] {
      const std::int64_t count = data_->tokens(part);
      if (count < 0) broken("its " + std::string(name_of(part)) + " part has " + std::to_string(count) + " tokens");
      return count;
    });
  }
  void windows(Part part, std::int64_t count, std::int64_t length, Random& random, std::span<std::int32_t> out) const override {
    call_plugin(title_ + " in windows", [&] { data_->windows(part, count, length, random, out); });
  }

 private:
  std::shared_ptr<Data> data_;
  std::string title_;
};

class GuardedAdapter final : public Adapter {
 public:
  GuardedAdapter(std::shared_ptr<Adapter> adapter, std::string title) : adapter_(std::move(adapter)), title_(std::move(title)) {}
  void tensors(AdapterTensors& t, const AdaptedTo& W) const override {
    AdapterTensors declared;
    call_plugin(title_ + " in tensors", [&] {
      adapter_->tensors(declared, W);
      if (declared.all().empty()) broken("it trains nothing for " + std::string(W.W));
    });
    for (const AdapterTensors::Tensor& each : declared.all()) {
      AdapterTensors::Start start;
      if (each.start)
        start = [given = each.start, frame = title_ + " in the start of '" + each.name + "'"](
                    std::span<float> values, std::span<const float> of, Random& random) {
          call_plugin(frame, [&] { given(values, of, random); });
        };
      t.train(each.name, each.shape, std::move(start));
    }
  }
  Value linear(Graph& g, Value x, Value y, const AdaptedTo& own) const override {
    return call_plugin(title_ + " in linear", [&] { return adapter_->linear(g, x, y, own); });
  }
  Value lookup(Graph& g, Value e, const AdaptedTo& own) const override {
    return call_plugin(title_ + " in lookup", [&] { return adapter_->lookup(g, e, own); });
  }
  void difference(std::span<const std::span<const float>> tensors, std::span<const float> W, const AdaptedTo& own,
                  std::span<double> dW) const override {
    call_plugin(title_ + " in difference", [&] { adapter_->difference(tensors, W, own, dW); });
  }

 private:
  std::shared_ptr<Adapter> adapter_;
  std::string title_;
};

class GuardedCore final : public Core {
 public:
  GuardedCore(std::shared_ptr<Core> core, const std::string& title)
      : core_(std::move(core)),
        title_(title),
        towards_V_(title + " in towards_V"),
        towards_U_(title + " in towards_U"),
        gradient_(title + " in gradient") {}

  Shape alpha(std::int64_t K) const override {
    return call_plugin(title_ + " in alpha", [&] {
      const Shape shape = core_->alpha(K);
      if (shape.empty() || std::ranges::any_of(shape, [](std::int64_t extent) { return extent < 1; }))
        broken("of K = " + std::to_string(K) + " its alpha has the shape " + text_of(shape) + ", which has no entries");
      return shape;
    });
  }
  Entry entry(std::int64_t K, std::int64_t i) const override {
    return call_plugin(title_ + " in entry", [&] {
      const Entry e = core_->entry(K, i);
      if (e.row < 0 || e.row >= K || e.column < 0 || e.column >= K)
        broken("of K = " + std::to_string(K) + " it puts entry " + std::to_string(i) + " of alpha into row " +
               std::to_string(e.row) + ", column " + std::to_string(e.column));
      return e;
    });
  }
  bool trains_factors() const override {
    return call_plugin(title_ + " in trains_factors", [&] { return core_->trains_factors(); });
  }
  std::int64_t sums(std::int64_t K) const override {
    return call_plugin(title_ + " in sums", [&] {
      const std::int64_t count = core_->sums(K);
      if (count < 0) broken("it asks for " + std::to_string(count) + " sums");
      return count;
    });
  }
  void towards_V(const CoreStep& step, const float* p, float* out) const override {
    call_plugin(towards_V_, [&] { core_->towards_V(step, p, out); });
  }
  void towards_U(const CoreStep& step, const float* p, float* out) const override {
    call_plugin(towards_U_, [&] { core_->towards_U(step, p, out); });
  }
  void gradient(const CoreStep& step, const float* on_U, const float* on_V, const CoreGradient& d) const override {
    call_plugin(gradient_, [&] { core_->gradient(step, on_U, on_V, d); });
  }

 private:
  std::shared_ptr<Core> core_;
  std::string title_, towards_V_, towards_U_, gradient_;
};

}  // namespace

std::shared_ptr<Core> guarded(std::shared_ptr<Core> core, const std::string& title) {
  return std::make_shared<GuardedCore>(std::move(core), title);
}
std::shared_ptr<Adapter> guarded(std::shared_ptr<Adapter> adapter, const std::string& title) {
  return std::make_shared<GuardedAdapter>(std::move(adapter), title);
}
std::shared_ptr<Model> guarded(std::shared_ptr<Model> model, const std::string& title) {
  return std::make_shared<GuardedModel>(std::move(model), title);
}
std::shared_ptr<Optimizer> guarded(std::shared_ptr<Optimizer> optimizer, const std::string& title) {
  return std::make_shared<GuardedOptimizer>(std::move(optimizer), title);
}
std::shared_ptr<Data> guarded(std::shared_ptr<Data> data, const std::string& title) {
  return std::make_shared<GuardedData>(std::move(data), title);
}

}  // namespace khost
