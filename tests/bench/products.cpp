// Where a training step's time goes: a step at the papers' full size in turn with its own matrix products alone, each call made
// again as the step made it, on the step's own memory. Attention's small products run on the host's own kernel and are not among
// them.
//   khost_bench_products [the options of step_options.hpp]
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include "bench/median.hpp"
#include "bench/step_options.hpp"
#include "compute/cpu_speed.hpp"
#include "compute/portable_gemm.hpp"

using namespace khost;

namespace {

using Clock = std::chrono::steady_clock;
double milliseconds(Clock::duration d) { return std::chrono::duration<double, std::milli>(d).count(); }

// A product as the backend was asked for it.
struct Call {
  khost_gemm g;
  const void* packed;  // null: not packed
  void* context;
  bool declined;

  auto shape() const { return std::tuple(g.m, g.n, g.k, g.transpose_a, g.transpose_b, packed != nullptr, g.beta != 0); }
};

// A backend's table, its calls written down while `written` points somewhere. One at a time: a C table has no closure.
const khost_compute* table = nullptr;
std::vector<Call>* written = nullptr;

int gemm(void* context, const khost_gemm* g) {
  const int declined = table->gemm(context, g);
  if (written) written->push_back({*g, nullptr, context, declined != 0});
  return declined;
}

int gemm_packed(void* context, const khost_gemm* g, const void* packed) {
  const int declined = table->gemm_packed(context, g, packed);
  if (written && !declined) written->push_back({*g, packed, context, false});  // else gemm() comes next
  return declined;
}

void again(const Call& call) {
  if (call.declined)
    kernels::portable_gemm(call.g);
  else if (call.packed)
    table->gemm_packed(call.context, &call.g, call.packed);
  else
    table->gemm(call.context, &call.g);
}

std::string text_of(const Call& call) {
  return fmt::format("{}{} {}{}{}", call.g.beta != 0 ? "C += " : "C = ", call.g.transpose_a ? "A'" : "A",
                     call.packed ? "packed " : "", call.g.transpose_b ? "B'" : "B", call.declined ? ", the host's" : "");
}

double operations(const Call& c) {
  return 2.0 * static_cast<double>(c.g.m) * static_cast<double>(c.g.n) * static_cast<double>(c.g.k);
}

int measure(const bench::StepOptions& o) {
  table = test::compute_table(o.backend);
  if (!table) throw std::invalid_argument("portable is no backend: its products are in no table");
  khost_compute recording = *table;
  recording.gemm = gemm;
  if (table->gemm_packed) recording.gemm_packed = gemm_packed;
  Backend backend(o.backend, &recording, o.options, o.threads);
  test::TrainingStep training(o.size, backend);
  const auto step = [&] { return o.forward ? training.evaluate() : training(); };
  for (int i = 0; i < 3; ++i) step();
  std::vector<Call> calls;
  written = &calls;
  step();
  written = nullptr;

  std::vector<double> steps, products, ratios;
  std::vector<std::vector<double>> each(calls.size());
  const auto start = Clock::now();
  do {
    const auto begin = Clock::now();
    step();
    steps.push_back(milliseconds(Clock::now() - begin));
    double all = 0;
    for (std::size_t i = 0; i < calls.size(); ++i) {
      const auto call = Clock::now();
      again(calls[i]);
      each[i].push_back(milliseconds(Clock::now() - call));
      all += each[i].back();
    }
    products.push_back(all), ratios.push_back(steps.back() / all);
  } while (milliseconds(Clock::now() - start) < 1000 * o.seconds);

  struct Shape {
    const Call* call = nullptr;
    int calls = 0;
    double ms = 0;
  };
  std::map<decltype(calls[0].shape()), Shape> shapes;
  double flops = 0;
  for (std::size_t i = 0; i < calls.size(); ++i) {
    Shape& s = shapes[calls[i].shape()];
    s.call = &calls[i], ++s.calls, s.ms += bench::median(each[i]), flops += operations(calls[i]);
  }
  std::vector<Shape> sorted;
  for (const auto& [_, s] : shapes) sorted.push_back(s);
  std::ranges::sort(sorted, std::greater<>(), &Shape::ms);

  double limit = 0;
  const std::vector<CpuSpeed> cores = measure_cpus();
  for (std::size_t i = 0; i < cores.size() && i < static_cast<std::size_t>(o.threads); ++i) limit += cores[i].gflops;
  const double ms = bench::median(steps), ratio = bench::median(ratios);
  const auto speed = [](double count, double took) { return count / took / 1e6; };
  if (o.json) {
    Json out{Json::Object{}};
    out.set("backend", o.backend), out.set("kernel", backend.info().kernel), out.set("batch", o.size.batch);
    out.set("K", o.size.rank), out.set("sequence", o.size.sequence), out.set("threads", o.threads), out.set("step_ms", ms);
    out.set("products_ms", bench::median(products)), out.set("ratio", ratio),
        out.set("rounds", static_cast<std::int64_t>(steps.size()));
    out.set("gflop", flops / 1e9), out.set("limit_gflops", limit);
    Json::List list;
    for (const Shape& s : sorted)
      list.push_back(Json::object({{"product", text_of(*s.call)},
                                   {"m", s.call->g.m},
                                   {"n", s.call->g.n},
                                   {"k", s.call->g.k},
                                   {"calls", s.calls},
                                   {"ms", s.ms},
                                   {"gflops", speed(s.calls * operations(*s.call), s.ms)}}));
    out.set("products", Json(std::move(list)));
    fmt::print("{}\n", out.text());
    return 0;
  }
  fmt::print("{} ({}), {} threads, batch {}, sequence {}, K = {}; {} rounds\n", o.backend, backend.info().kernel, o.threads,
             o.size.batch, o.size.sequence, o.size.rank, steps.size());
  fmt::print(
      "a step {:.2f} ms, its products alone {:.2f} ms, median ratio {:.3f}; {:.1f} GFLOP: {:.0f} GFLOP/s, of {:.0f} that the "
      "cores can\n\n",
      ms, bench::median(products), ratio, flops / 1e9, speed(flops, bench::median(products)), limit);
  fmt::print("{:>6} {:>6} {:>6}  {:<24} {:>6} {:>9} {:>8} {:>10}\n", "m", "n", "k", "", "calls", "ms", "of step", "GFLOP/s");
  for (const Shape& s : sorted)
    fmt::print("{:>6} {:>6} {:>6}  {:<24} {:>6} {:>9.3f} {:>6.1f} % {:>10.0f}\n", s.call->g.m, s.call->g.n, s.call->g.k,
               text_of(*s.call), s.calls, s.ms, 100 * s.ms / ms, speed(s.calls * operations(*s.call), s.ms));
  return 0;
}

}  // namespace

int main(int argc, char** argv) try { return measure(bench::step_options(argc, argv)); } catch (const std::exception& e) {
  std::fprintf(stderr, "khost_bench_products: %s\n", e.what());
  return 1;
}
