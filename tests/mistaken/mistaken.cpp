// A probe, a policy, an optimizer and a data source that make the mistake that they are told to. The line of a mistake is what
// its author wrote: tests/e2e/authors_test.cpp shows it.
#include <stdexcept>

#include "khost/plugin.hpp"

namespace {

using namespace khost;

struct Mistake {
  std::string mistake;
  double rate = 0.5;
  static void fields(auto& f) {
    f("mistake", &Mistake::mistake);
    f("rate", &Mistake::rate).range(0, 1).doc("a parameter");
  }
};

class MistakenProbe final : public Policy {
 public:
  using Config = Mistake;
  explicit MistakenProbe(const Config& c) : m(c.mistake) {
    if (m == "constructor throws") throw std::invalid_argument("rate and every exclude each other");
    if (m == "constructor refuses")
      throw Error(ErrorKind::usage, "\"rate\" is 0.5, for which there is no table").hint("take 0.25 or 1");
  }

  static void declare(Signals& s, const Config& c) {
    const std::string& m = c.mistake;
    s.need("alpha.grad", every(2));
    s.emit("norm", "nats", "norm of alpha's gradient");
    s.evaluations(1);
    if (m == "misspelt signal") s.need("alpha.gard");
    if (m == "unit of none") s.emit("length", "nat", "a length");
    if (m == "name with a space") s.emit("my norm", "nats", "another norm");
    if (m == "record declared twice") s.emit("norm", "nats", "the same again");
    if (m == "null of a renamed record") s.null("nrom", "iid Gaussian gradients");
    if (m == "basis without a rank") s.need("basis.svd");
    if (m == "changes what nothing allows") s.modify("learning_rate");
    if (m == "null throws" || m == "null never drawn") s.null("norm", "iid Gaussian gradients");
    if (m == "two policies") s.modify("alpha.scale");
  }

  void observe(const Step& step) override {
    if (m == "observe throws") throw std::out_of_range("vector::_M_range_check: __n (which is 64) >= this->size() (which is 64)");
    if (m == "undeclared signal") step["weight.grad"];
    if (m == "misspelt array") step["alpha.grad"].at("layer.0.mlp.upp");
    if (m == "not one number") step["alpha.grad"].scalar();
    if (m == "undeclared record") step.record("nrom", 1.0);
    if (m == "record twice in a step") step.record("norm", 1.0), step.record("norm", 2.0);
    if (m == "not finite") step.record("norm", std::sqrt(-1.0));
  }

  void before_step(StepPlan& plan) override {
    if (m == "undeclared change") plan.alpha_scale(0)[0] = 0;
  }

  void conclude(Trial& trial) override {
    if (m == "conclude throws") throw std::runtime_error("no figure was gathered");
    if (m == "alphas of another shape") trial.evaluate(Alphas(1));
    if (m == "undeclared part") trial.evaluate(trial.alphas(), Part::held_out);
    if (m != "not finite") trial.record("norm", 1.0);
  }

  void null(NullDraw&) override {
    if (m == "null throws") throw std::runtime_error("a shape that was not expected");
  }

  void state(State&) override {}

 private:
  std::string m;
};

class MistakenOptimizer final : public Optimizer {
 public:
  using Config = Mistake;
  explicit MistakenOptimizer(const Config& c) : m(c.mistake) {
    if (m == "optimizer's constructor throws") throw std::invalid_argument("beta1 and beta2 are the same");
  }
  int slots() const override {
    if (m == "no slots") return -1;
    return 0;
  }
  void update(const Update& u) const override {
    if (m == "update throws") throw std::runtime_error("a tensor of two dimensions was expected");
    for (std::size_t i = 0; i < u.value.size(); ++i) u.value[i] -= 0.1f * u.gradient[i];
  }

 private:
  std::string m;
};

class MistakenData final : public Data {
 public:
  using Config = Mistake;
  MistakenData(const Config& c, DataContext&) : m(c.mistake) {
    if (m == "data's constructor throws") throw std::runtime_error("basic_ios::clear: iostream error");
  }
  std::int64_t vocabulary() const override { return 31; }
  std::string identity() const override { return "mistaken"; }
  std::int64_t tokens(Part) const override { return 1000; }
  void windows(Part, std::int64_t, std::int64_t, Random& random, std::span<std::int32_t> out) const override {
    for (std::int32_t& token : out) token = static_cast<std::int32_t>(random.below(31));
    if (m == "token beyond the vocabulary") out[0] = 31;
  }

 private:
  std::string m;
};

}  // namespace

KHOST_PLUGIN(khost::probe<MistakenProbe>("mistaken", "makes the mistake that it is told to", 1),
             khost::optimizer<MistakenOptimizer>("mistaken", "makes the mistake that it is told to", 1),
             khost::data<MistakenData>("mistaken", "makes the mistake that it is told to", 1))
