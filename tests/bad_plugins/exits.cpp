// Ends the process with exit code 0, or the thread that it runs on, from wherever it is told to.
#include <pthread.h>

#include <cstdlib>
#include <stdexcept>
#include <thread>

#include "khost/openmp.hpp"
#include "khost/parallel.hpp"
#include "khost/plugin.hpp"

namespace {

class Exits : public khost::Probe {
 public:
  struct Config {
    std::string where = "observe";
    static void fields(auto& f) {
      f("where", &Config::where)
          .choices({"declare", "create", "observe", "worker", "thread", "destroy", "end_thread", "cancel", "omp"});
    }
  };
  explicit Exits(const Config& config) : config_(config) { leave("create"); }
  ~Exits() override {
    if (config_.where == "destroy") throw std::runtime_error("thrown out of a destructor");
  }
  static void declare(khost::Signals& s, const Config& config) {
    if (config.where == "declare") std::exit(0);
    s.need("loss");
  }
  void observe(const khost::Step& step) override {
    if (step.index() == 0) return;
    leave("observe");
    if (config_.where == "worker") khost::parallel_for(2, 1, [](std::int64_t, std::int64_t) { std::exit(0); });
    if (config_.where == "end_thread") ::pthread_exit(nullptr);
    if (config_.where == "cancel") {
      ::pthread_cancel(::pthread_self());
      ::pthread_testcancel();
    }
    // As g++ compiles a "#pragma omp parallel" whose body throws. The other thread throws: which one is the first is not told.
    if (config_.where == "omp")
      GOMP_parallel(
          [](void*) noexcept {
            if (omp_get_thread_num() == 1) throw std::runtime_error("thrown in a parallel region of its own");
          },
          nullptr, 2, 0);
    if (config_.where == "thread") std::thread([] { throw std::runtime_error("thrown in a thread of its own"); }).join();
  }

 private:
  void leave(std::string_view where) const {
    if (config_.where == where) std::exit(0);
  }
  Config config_;
};

}  // namespace

KHOST_PLUGIN(khost::probe<Exits>("exits", "ends the process", 1))
