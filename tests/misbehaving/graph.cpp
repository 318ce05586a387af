// A model, an adapter and a core with one fault, chosen by the configuration; without one each is fit. For `khost check`.
#include <unistd.h>
#include <xmmintrin.h>

#include <cfenv>
#include <clocale>
#include <cmath>

#include "khost/core.hpp"
#include "khost/draft/op.hpp"
#include "khost/plugin.hpp"

namespace {

using namespace khost;

struct Fault {
  std::string fault;
  static void fields(auto& f) { f("fault", &Fault::fault).doc("what it does wrong"); }
};

// y = x^2
class Square final : public Op {
 public:
  explicit Square(std::string fault) : fault_(std::move(fault)) {}
  std::string_view name() const override { return "square"; }
  std::int64_t columns(const OpShapes& s) const override { return s.columns(); }
  void plan(OpPlan& p) override {
    if (p.needs_gradient()) p.keep(0);
  }
  void forward(OpStep& s) override {
    if (fault_ == "flush to zero in an operation") _mm_setcsr(_mm_getcsr() | 0x8040u);
    for (std::int64_t i = 0; i < s.size(); ++i) s.out()[i] = s.in()[i] * s.in()[i];
  }
  void backward(OpStep& s) override {
    float* dx = s.input_grad();
    if (!dx) return;
    const float slope = fault_ == "wrong gradient" ? 1.9f : 2.0f;
    const bool add = s.add_to_input() && fault_ != "overwrites";
    for (std::int64_t i = 0; i < s.size(); ++i) dx[i] = (add ? dx[i] : 0) + slope * s.in()[i] * s.output_grad()[i];
  }
  void in_double(OpDoubles& d) const override {
    for (std::size_t i = 0; i < d.out.size(); ++i)
      d.out[i] = (*d.in[0])[i] * (*d.in[0])[i] * (fault_ == "wrong definition" ? 1.5 : 1);
  }

 private:
  std::string fault_;
};

class BadModel final : public Model {
 public:
  using Config = Fault;
  BadModel(const Fault& fault, const ModelContext& context) : fault_(fault.fault), vocabulary_(context.vocabulary) {}
  std::vector<Parameter> parameters() const override {
    return {{"tok_emb", {vocabulary_, 6}, Init::normal, 0.02, true}, {"W", {6, 6}, Init::normal, 0.02, true, 0}};
  }
  void forward(Graph& g) const override {
    if (fault_ == "locale in forward") std::setlocale(LC_ALL, "C.UTF-8");
    const Value x = embedding(g, "tok_emb");
    const Value y = linear(g, x, "W");
    const Value squared = g.apply(std::make_unique<Square>(fault_), {y});
    head_cross_entropy(g, add(g, x, add(g, y, squared)), "tok_emb");
  }

 private:
  std::string fault_;
  std::int64_t vocabulary_;
};

// dW = B A
class BadAdapter final : public Adapter {
 public:
  using Config = Fault;
  explicit BadAdapter(const Fault& fault) : fault_(fault.fault) {}
  void tensors(AdapterTensors& t, const AdaptedTo& W) const override {
    const auto start = [](std::span<float> values, std::span<const float>, Random& random) { random.normal(values, 0.3); };
    t.train("A", {W.K, W.n}, start);
    is("moves the first loss") ? t.train("B", {W.m, W.K}, start) : t.train("B", {W.m, W.K});
  }
  Value linear(Graph& g, Value x, Value y, const AdaptedTo& own) const override {
    Value through = khost::linear(g, x, own["A"]);
    if (is("wrong gradient")) through = add(g, through, g.apply(std::make_unique<Square>(fault_), {through}));
    return add(g, y, khost::linear(g, through, own["B"]));
  }
  Value lookup(Graph& g, Value e, const AdaptedTo& own) const override {
    if (is("folder in lookup")) static_cast<void>(!::chdir("/"));
    return add(g, e, matmul(g, embedding(g, own["B"]), own["A"]));
  }
  void difference(std::span<const std::span<const float>> tensors, std::span<const float>, const AdaptedTo& own,
                  std::span<double> dW) const override {
    for (std::int64_t i = 0; i < own.m; ++i)
      for (std::int64_t j = 0; j < own.n; ++j)
        for (std::int64_t k = 0; k < own.K; ++k)
          dW[static_cast<std::size_t>(i * own.n + j)] +=
              (is("wrong difference") ? 2.0 : 1.0) * static_cast<double>(tensors[1][static_cast<std::size_t>(i * own.K + k)]) *
              static_cast<double>(tensors[0][static_cast<std::size_t>(k * own.n + j)]);
  }

 private:
  bool is(std::string_view fault) const { return fault_ == fault; }
  std::string fault_;
};

// C = diag(alpha)
class BadCore final : public Core {
 public:
  using Config = Fault;
  explicit BadCore(const Fault& fault) : fault_(fault.fault) {}
  Shape alpha(std::int64_t K) const override { return {K}; }
  Entry entry(std::int64_t, std::int64_t i) const override { return {i, i}; }
  void towards_V(const CoreStep& s, const float* p, float* out) const override {
    for (std::int64_t i = 0; i < s.rows * s.K; ++i) out[i] = p[i] * s.alpha[i % s.K];
  }
  void towards_U(const CoreStep& s, const float* p, float* out) const override { towards_V(s, p, out); }
  void gradient(const CoreStep& s, const float* u, const float* v, const CoreGradient& to) const override {
    if (fault_ == "rounding in gradient") std::fesetround(FE_UPWARD);
    for (std::int64_t k = 0; k < s.K; ++k) {
      double sum = 0;
      for (std::int64_t r = 0; r < s.rows; ++r) sum += static_cast<double>(u[r * s.K + k]) * static_cast<double>(v[r * s.K + k]);
      const bool add = to.accumulate && fault_ != "overwrites";
      if (to.alpha) to.alpha[k] = static_cast<float>(sum) + (add ? to.alpha[k] : 0);
    }
  }

 private:
  std::string fault_;
};

}  // namespace

KHOST_PLUGIN(khost::model<BadModel>("misbehaving_graph", "a model with a fault", 1),
             khost::adapter<BadAdapter>("misbehaving_graph", "an adapter with a fault", 1),
             khost::core<BadCore>("misbehaving_graph", "a core with a fault", 1))
