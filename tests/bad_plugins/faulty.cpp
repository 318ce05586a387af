// An optimizer, data, a model and a probe that work until they are told to fail: each call, each kind of exception.
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <csignal>
#include <limits>
#include <new>
#include <stdexcept>
#include <thread>
#include <vector>

#include "khost/graph.hpp"
#include "khost/parallel.hpp"
#include "khost/plugin.hpp"

namespace {

struct Fault {
  std::string at;  // the call that fails; "": none
  std::string how = "error";
  std::int64_t after = 0;  // so many calls go well
  std::int64_t seed = -1;  // of the trial that fails; -1: of any
  bool once = false;       // of all processes in this folder, the first
  static void fields(auto& f) {
    f("at", &Fault::at);
    f("how", &Fault::how)
        .choices({"usage", "error", "interrupted", "exception", "memory", "foreign", "segfault", "abort", "exit", "loop", "stop",
                  "killed", "eats", "overflow"});
    f("after", &Fault::after).at_least(0);
    f("seed", &Fault::seed);
    f("once", &Fault::once);
  }
};

struct Foreign {};

// Until there is no more: each page is written to.
[[noreturn]] void eat() {
  std::vector<std::vector<char>> all;
  for (;;) all.emplace_back(std::size_t{64} << 20, 'x');
}

int overflow(volatile int* outer) {  // NOLINT: that it has no end is what it is for
  volatile int frame[1024] = {*outer};
  return overflow(frame) + frame[1];
}

// What ends a process, or keeps it from going on.
void end_process(const std::string& how) {
  if (how == "segfault") ::raise(SIGSEGV);
  if (how == "abort") ::abort();
  if (how == "exit") ::exit(0);
  if (how == "stop") ::raise(SIGSTOP);
  if (how == "killed") ::raise(SIGKILL);
  if (how == "eats") eat();
  volatile int none = 0;
  if (how == "overflow") overflow(&none);
  while (how == "loop") none = none + 1;
}

[[noreturn]] void fail(const std::string& how) {
  end_process(how);
  if (how == "usage") throw khost::Error(khost::ErrorKind::usage, "it was used wrongly").hint("use it rightly");
  if (how == "error") throw khost::Error(khost::ErrorKind::plugin, "it is at fault");
  if (how == "interrupted") throw khost::Error(khost::ErrorKind::interrupted, "it says that it was interrupted");
  if (how == "exception") throw std::runtime_error("a plain exception");
  if (how == "memory") throw std::bad_alloc();
  throw Foreign();
}

class Faulty {
 public:
  explicit Faulty(const Fault& fault) : fault_(fault) { may_fail("create"); }
  void may_fail(std::string_view at, std::int64_t seed = -1) const {
    if (fault_.at != at || (fault_.seed >= 0 && seed >= 0 && fault_.seed != seed)) return;
    if (calls_++ < fault_.after) return;
    if (fault_.once) {
      const int first = ::open("faulty.once", O_CREAT | O_EXCL | O_WRONLY, 0600);
      if (first < 0) return;
      ::close(first);
    }
    fail(fault_.how);
  }
  const Fault& fault() const { return fault_; }

 private:
  Fault fault_;
  mutable std::atomic<std::int64_t> calls_ = 0;
};

class FaultyOptimizer : public khost::Optimizer, Faulty {
 public:
  using Config = Fault;
  explicit FaultyOptimizer(const Fault& fault) : Faulty(fault) {}
  int slots() const override { return fault().at == "slots" ? -1 : 1; }
  void update(const khost::Update& u) const override {
    may_fail("update");
    for (std::size_t i = 0; i < u.value.size(); ++i) u.value[i] -= 1e-3f * u.gradient[i];
  }
};

class FaultyData : public khost::Data, Faulty {
 public:
  using Config = Fault;
  FaultyData(const Fault& fault, khost::DataContext&) : Faulty(fault) {}
  std::int64_t vocabulary() const override { return 101; }
  std::string identity() const override {
    return "faulty " + fault().at + " " + fault().how + (fault().at == "identity" ? std::to_string(::getpid()) : "");
  }
  std::int64_t tokens(khost::Part) const override {
    may_fail("count");
    return 10000;
  }
  void windows(khost::Part, std::int64_t, std::int64_t, khost::Random& random, std::span<std::int32_t> out) const override {
    may_fail("windows");
    for (std::int32_t& token : out) token = fault().at == "tokens" ? 101 : static_cast<std::int32_t>(random.below(101));
  }
};

class FaultyModel : public khost::Model, Faulty {
 public:
  using Config = Fault;
  FaultyModel(const Fault& fault, const khost::ModelContext& context) : Faulty(fault), vocabulary_(context.vocabulary) {}
  std::vector<khost::Parameter> parameters() const override {
    may_fail("parameters");
    return {{"tok_emb", {vocabulary_, 8}, khost::Init::normal, 0.02, true, -1},
            {"layer.0.a", fault().at == "vector" ? khost::Shape{8} : khost::Shape{8, 8}, khost::Init::normal, 0.02, true, 0}};
  }
  void forward(khost::Graph& g) const override {
    may_fail("forward");
    head_cross_entropy(g, linear(g, embedding(g, "tok_emb"), "layer.0.a"), "tok_emb");
  }

 private:
  std::int64_t vocabulary_;
};

class FaultyProbe : public khost::Probe, Faulty {
 public:
  using Config = Fault;
  explicit FaultyProbe(const Fault& fault) : Faulty(fault) {}
  static void declare(khost::Signals& s, const Fault& fault) {
    s.need(fault.at == "no rank" ? "basis.svd" : "alpha.grad");
    s.emit("value", "1", "a figure").emit("series", "1", "one at each step");
    s.null("value", "a draw of its own").no_null("series", "of single steps");
  }
  void begin(const khost::TrialInfo& trial) override {
    seed_ = static_cast<std::int64_t>(trial.seed);
    may_fail("begin", seed_);
  }
  void observe(const khost::Step& step) override {
    may_fail("observe", seed_);
    if (fault().at == "slow step") std::this_thread::sleep_for(std::chrono::milliseconds(1200));
    if (fault().at == "folder" && ::chdir("/") != 0) throw std::runtime_error("there is no root folder");
    if (fault().at == "parallel") khost::parallel_for(64, 1, [&](std::int64_t, std::int64_t) { may_fail("parallel", seed_); });
    constexpr double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
    const bool here = fault().seed == seed_ && step.index() >= fault().after;
    step.record("series", !here ? 1 : fault().at == "nan" ? nan : fault().at == "inf" ? inf : 1);
  }
  void conclude(khost::Trial& trial) override {
    may_fail("conclude", seed_);
    if (fault().at == "slow end") std::this_thread::sleep_for(std::chrono::seconds(4));
    const bool here = fault().seed == seed_;
    trial.record("value", here && fault().at == "nan"   ? std::nan("")
                          : here && fault().at == "inf" ? std::numeric_limits<double>::infinity()
                                                        : 1);
    if (fault().at == "long")  // a trial whose records are many
      for (std::int64_t i = 0; here && i < fault().after; ++i) trial.record("series", 1000 + i, static_cast<double>(i) / 7);
  }
  void state(khost::State&) override {}  // nothing is gathered from step to step
  void null(khost::NullDraw& draw) override {
    may_fail("null", static_cast<std::int64_t>(draw.trial().seed));
    const auto one = [](khost::Random& random) { return std::vector<double>{random.normal()}; };
    // An entry that is held while the pool grows beneath it.
    const std::vector<double>& held = draw.pick("pool", 10, one);
    const double before = held[0];
    draw.pick("pool", fault().at == "pool" ? 10 + 40 * static_cast<std::int64_t>(draw.trial().seed % 7) : 10, one);
    if (held[0] != before) throw khost::Error(khost::ErrorKind::plugin, "an entry moved");
    draw.record("value", held[0]);
  }

 private:
  std::int64_t seed_ = -1;
};

}  // namespace

KHOST_PLUGIN(khost::optimizer<FaultyOptimizer>("faulty", "works until it is told to fail", 1),
             khost::data<FaultyData>("faulty", "works until it is told to fail", 1),
             khost::model<FaultyModel>("faulty", "works until it is told to fail", 1),
             khost::probe<FaultyProbe>("faulty", "works until it is told to fail", 1))
