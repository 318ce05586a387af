// How long one training step takes, at the papers' full size unless told otherwise (step_options.hpp). Random weights and bases:
// the time does not depend on their values. Prints one line of JSON, with the keys of torch_ctlora.py's.
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <exception>

#include "bench/median.hpp"
#include "bench/step_options.hpp"

using namespace khost;

namespace {

int measure(int argc, char** argv) {
  const bench::StepOptions o = bench::step_options(argc, argv);
  Backend backend(o.backend, test::compute_table(o.backend), o.options, o.threads);
  test::TrainingStep training(o.size, backend);
  const auto step = [&] { return o.forward ? training.evaluate() : training(); };
  using Clock = std::chrono::steady_clock;
  const auto ms = [](Clock::duration d) { return std::chrono::duration<double, std::milli>(d).count(); };

  const double first = step();
  for (int i = 0; i < 2; ++i) step();  // as the peer: three steps to warm up
  std::vector<double> times;
  double last = first;
  const auto minor_faults = [] {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt;
  };
  const long faults = minor_faults();
  const std::clock_t cpu = std::clock();
  const auto start = Clock::now();
  while (times.empty() || ms(Clock::now() - start) < 1000 * o.seconds) {
    const auto begin = Clock::now();
    last = step();
    times.push_back(ms(Clock::now() - begin));
  }
  const double faults_per_step = static_cast<double>(minor_faults() - faults) / static_cast<double>(times.size());
  const double cpu_ms = 1000.0 * static_cast<double>(std::clock() - cpu) / CLOCKS_PER_SEC / static_cast<double>(times.size());
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  Json out{Json::Object{}};
  out.set("what", "khost");
  out.set("backend", o.backend);
  out.set("library", backend.info().library + " " + backend.info().version);
  out.set("kernel", backend.info().kernel);
  out.set("threads", o.threads);
  out.set("K", o.size.rank);
  out.set("batch", o.size.batch);
  out.set("sequence", o.size.sequence);
  out.set("median_ms", bench::median(times));
  out.set("min_ms", *std::ranges::min_element(times));
  out.set("cpu_ms", cpu_ms);
  out.set("steps", static_cast<std::int64_t>(times.size()));
  out.set("faults_per_step", faults_per_step);
  out.set("peak_rss_mib", static_cast<double>(usage.ru_maxrss) / 1024);
  out.set("arena_mib", static_cast<double>(training.program().arena_bytes()) / (1 << 20));
  out.set("loss_first", first);
  out.set("loss_last", last);
  std::printf("%s\n", out.text().c_str());
  return 0;
}

}  // namespace

int main(int argc, char** argv) try { return measure(argc, argv); } catch (const std::exception& e) {
  std::fprintf(stderr, "khost_bench_step: %s\n", e.what());
  return 1;
}
