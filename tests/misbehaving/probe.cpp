// A probe with one fault, chosen by its configuration; without one it is fit. For `khost check`.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xmmintrin.h>

#include <cfenv>
#include <chrono>
#include <clocale>
#include <cmath>
#include <csignal>
#include <thread>
#include <vector>

#include "khost/plugin.hpp"

namespace {

class Misbehaving final : public khost::Probe {
 public:
  struct Config {
    std::string fault;
    static void fields(auto& f) { f("fault", &Config::fault).doc("what it does wrong"); }
  };

  explicit Misbehaving(const Config& config) : fault_(config.fault) {
    if (is("leak")) static_cast<void>(new std::vector<int>(10));
    if (is("file")) static_cast<void>(::open("/dev/null", O_RDONLY));
    static int made = 0;
    if (is("thread") && ++made % 25 == 0) std::thread([] { std::this_thread::sleep_for(std::chrono::hours(1)); }).detach();
    if (is("flush to zero")) _mm_setcsr(_mm_getcsr() | 0x8040u);
    if (is("rounding")) std::fesetround(FE_UPWARD);
    if (is("locale")) std::setlocale(LC_ALL, "C.UTF-8");
    if (is("signal")) std::signal(SIGINT, SIG_IGN);
    if (is("folder")) static_cast<void>(!::chdir("/"));
    if (is("umask")) ::umask(0777);
  }
  ~Misbehaving() override = default;

  static void declare(khost::Signals& s, const Config& config) {
    s.need("alpha.grad");
    if (config.fault == "writes") s.need("weights");
    s.emit("sum", "1", "sum of ||dL/dalpha|| over matrices and steps, without its unit");
    if (config.fault == "never recorded") s.emit("other", "1", "nothing").no_null("other", "there is none");
    if (config.fault != "no null") s.null("sum", "independent Gaussian gradients");
  }

  void observe(const khost::Step& step) override {
    if (is("crash") && step.index() == 3) ::raise(SIGSEGV);
    if (is("hang") && step.index() == 3)
      for (volatile bool on = true; on;) on = true;
    if (is("eats"))
      for (std::vector<std::vector<char>> all;;) all.emplace_back(std::size_t{64} << 20, 'x');
    if (is("exit") && step.index() == 3) ::exit(0);
    if (is("throws") && step.index() == 3) throw std::runtime_error("an exception of its own");
    if (is("flush to zero in observe")) _mm_setcsr(_mm_getcsr() | 0x8040u);
    if (is("locale in observe")) std::setlocale(LC_ALL, "C.UTF-8");
    if (is("undeclared")) step.record("another", 1);
    if (is("writes")) const_cast<float*>(step["weights"][0].array.f32().data())[0] += 0.1f;  // NOLINT: the fault
    double squares = 0;
    for (const auto& [matrix, gradient] : step["alpha.grad"])
      for (const double g : gradient.f32()) squares += g * g;
    sum_ += std::sqrt(squares);
  }

  void conclude(khost::Trial& trial) override {
    trial.record("sum", is("infinite") ? HUGE_VAL : is("missing") ? khost::missing : sum_);
  }

  void null(khost::NullDraw& draw) override {
    static double drawn = 0;
    if (is("rounding in null")) std::fesetround(FE_UPWARD);
    if (is("null crash")) ::raise(SIGSEGV);
    if (is("null missing")) return;
    draw.record("sum", is("null infinite")   ? HUGE_VAL
                       : is("null constant") ? 1
                       : is("null static")   ? ++drawn
                                             : std::fabs(draw.random().normal()));
  }

  void state(khost::State& s) override {
    if (is("no state")) return s.unknown();
    if (!is("forgets")) s(sum_);
  }

 private:
  bool is(std::string_view fault) const { return fault_ == fault; }

  std::string fault_;
  double sum_ = 0;
};

}  // namespace

KHOST_PLUGIN(khost::probe<Misbehaving>("misbehaving_probe", "a probe with a fault", 1))
