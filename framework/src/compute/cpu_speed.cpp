#include "compute/cpu_speed.hpp"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <thread>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "compute/cpu_speed.cpp"
#include <hwy/foreach_target.h>
// foreach_target comes first
#include <hwy/highway.h>

#include "compute/simd-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace khost::kernels::HWY_NAMESPACE {

// Twelve chains: enough to hide the latency of two units of four cycles each, few enough for sixteen registers. Each chain tends
// to 1, so that no value becomes infinite or denormal. Returns the operations done, and their result, so that none is left out.
double FmaChains(std::int64_t rounds, float* result) {
  const F32 d;
  const VF a = hn::Set(d, 0.9f + 1e-30f * *result), b = hn::Set(d, 0.1f);
  VF x0 = hn::Iota(d, 0), x1 = hn::Iota(d, 1), x2 = hn::Iota(d, 2), x3 = hn::Iota(d, 3), x4 = hn::Iota(d, 4), x5 = hn::Iota(d, 5),
     x6 = hn::Iota(d, 6), x7 = hn::Iota(d, 7), x8 = hn::Iota(d, 8), x9 = hn::Iota(d, 9), x10 = hn::Iota(d, 10),
     x11 = hn::Iota(d, 11);
  for (std::int64_t i = 0; i < rounds; ++i) {
    x0 = hn::MulAdd(x0, a, b), x1 = hn::MulAdd(x1, a, b), x2 = hn::MulAdd(x2, a, b), x3 = hn::MulAdd(x3, a, b);
    x4 = hn::MulAdd(x4, a, b), x5 = hn::MulAdd(x5, a, b), x6 = hn::MulAdd(x6, a, b), x7 = hn::MulAdd(x7, a, b);
    x8 = hn::MulAdd(x8, a, b), x9 = hn::MulAdd(x9, a, b), x10 = hn::MulAdd(x10, a, b), x11 = hn::MulAdd(x11, a, b);
  }
  const VF s0 = hn::Add(hn::Add(x0, x1), hn::Add(x2, x3)), s1 = hn::Add(hn::Add(x4, x5), hn::Add(x6, x7)),
           s2 = hn::Add(hn::Add(x8, x9), hn::Add(x10, x11));
  *result = sum(d, hn::Add(hn::Add(s0, s1), s2));
  return 2.0 * 12 * static_cast<double>(hn::Lanes(d)) * static_cast<double>(rounds);
}

const char* Target() { return hwy::TargetName(HWY_TARGET); }

}  // namespace khost::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace khost {
namespace kernels {
HWY_EXPORT(FmaChains);
HWY_EXPORT(Target);

namespace {
double fma_chains(std::int64_t rounds, float* result) { return HWY_DYNAMIC_DISPATCH(FmaChains)(rounds, result); }
const char* target() { return HWY_DYNAMIC_DISPATCH(Target)(); }
}  // namespace
}  // namespace kernels

namespace {

using Clock = std::chrono::steady_clock;

double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

double thread_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

// On the calling thread. The first sixth warms the core up and finds how many rounds fill one of the five measurements.
CpuSpeed measure(int core, double seconds) {
  CpuSpeed speed{core};
  float result = 0;
  std::int64_t rounds = 1024;
  const Clock::time_point begin = Clock::now();
  double took = 0;
  do {
    rounds *= 2;
    const Clock::time_point start = Clock::now();
    kernels::fma_chains(rounds, &result);
    took = since(start);
  } while (since(begin) < seconds / 6 && took < seconds / 12);
  rounds =
      std::max<std::int64_t>(1024, static_cast<std::int64_t>(static_cast<double>(rounds) * seconds / 6 / std::max(took, 1e-9)));

  constexpr std::size_t measurements = 5;
  std::vector<double> rates;
  const double had = thread_seconds();
  const Clock::time_point from = Clock::now();
  while (rates.size() < measurements) {
    const Clock::time_point start = Clock::now();
    const double operations = kernels::fma_chains(rounds, &result);
    rates.push_back(operations / since(start) / 1e9);
  }
  speed.share = std::min(1.0, (thread_seconds() - had) / since(from));
  std::sort(rates.begin(), rates.end());
  speed.gflops = rates[measurements / 2];
  speed.best = rates.back();
  return speed;
}

}  // namespace

std::vector<CpuSpeed> measure_cpus(double seconds) {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  std::vector<CpuSpeed> speeds;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return speeds;
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (!CPU_ISSET(core, &allowed)) continue;
    // A thread of its own: the caller's affinity, which OpenMP threads inherit, stays as it is.
    std::thread([&] {
      cpu_set_t one;
      CPU_ZERO(&one);
      CPU_SET(core, &one);
      if (pthread_setaffinity_np(pthread_self(), sizeof one, &one) == 0) speeds.push_back(measure(core, seconds));
    }).join();
  }
  return speeds;
}

std::string kernel_instruction_set() { return kernels::target(); }

}  // namespace khost
#endif
