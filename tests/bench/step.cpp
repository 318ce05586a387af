// How long one training step's forward and backward pass takes at the papers' full size: khost_bench_step [--batch B] [--rank K]
// [--seconds S] [--threads N] [--backend NAME] [--options JSON] [--weights]. Random weights and bases; the time does not depend
// on their values.
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>

#include "graph/program.hpp"
#include "khost/random.hpp"
#include "unit/compute_plugins.hpp"

using namespace khost;

int main(int argc, char** argv) {
  std::int64_t B = 1, K = 64;
  constexpr std::int64_t T = 127, V = 15007;
  int threads = 2;
  double seconds = 5;
  std::string name = "openblas", options = "{}";
  bool weights = false;
  for (int i = 1; i < argc; ++i) {
    const std::string key = argv[i];
    const char* value = i + 1 < argc ? argv[i + 1] : "";
    if (key == "--weights")
      weights = true;
    else if (key == "--batch")
      B = std::atoi(value), ++i;
    else if (key == "--rank")
      K = std::atoi(value), ++i;
    else if (key == "--threads")
      threads = std::atoi(value), ++i;
    else if (key == "--seconds")
      seconds = std::atof(value), ++i;
    else if (key == "--backend")
      name = value, ++i;
    else if (key == "--options")
      options = value, ++i;
    else
      return std::fprintf(stderr, "khost_bench_step: unknown option %s\n", argv[i]), 2;
  }
  const khost_descriptor& gpt = test::plugin_descriptor("gpt");
  Json config{Json::Object{}};
  ModelContext context{V, T};
  void* made = nullptr;
  khost_message message{};
  if (gpt.create(&config, &context, &made, &message) != 0) return std::fprintf(stderr, "%s\n", message.text), 1;
  const Model& model = *static_cast<Model*>(made);

  Random random(1, "bench", "values");
  struct Adapter {
    Tensor U, V, alpha, grad;
    AdapterSlot slot;
  };
  std::vector<Tensor> values, grads;
  std::vector<Adapter> adapters;
  std::vector<WeightSlot> slots;
  adapters.reserve(64);
  for (const Parameter& p : model.parameters()) {
    Tensor& value = values.emplace_back(p.shape);
    if (p.init == Init::normal) random.normal(value.span(), p.sd);
    if (p.init == Init::ones) std::fill(value.span().begin(), value.span().end(), 1.0f);
    WeightSlot& slot = slots.emplace_back(WeightSlot{p, value.data(), nullptr, nullptr, true});
    if (weights) slot.grad = grads.emplace_back(p.shape).data();
    if (!p.adaptable || K == 0) continue;
    Adapter& a = adapters.emplace_back();
    a.U = Tensor({p.shape[0], K}), a.V = Tensor({p.shape[1], K}), a.alpha = Tensor({K}), a.grad = Tensor({K});
    random.normal(a.U.span(), 1 / std::sqrt(static_cast<double>(p.shape[0])));
    random.normal(a.V.span(), 1 / std::sqrt(static_cast<double>(p.shape[1])));
    random.normal(a.alpha.span(), 0.01);
    a.slot = {K, a.U.data(), a.V.data(), a.alpha.data(), a.grad.data()};
    slot.adapter = &a.slot;
  }
  std::vector<std::int32_t> tokens(static_cast<std::size_t>(B * T)), targets(tokens.size());
  for (auto* ids : {&tokens, &targets})
    for (auto& id : *ids) id = static_cast<std::int32_t>(random.below(V));

  Backend backend(name, test::compute_table(name), options, threads);
  Program program(model, slots, B, T, backend);
  using Clock = std::chrono::steady_clock;
  const auto ms = [](Clock::duration d) { return std::chrono::duration<double, std::milli>(d).count(); };
  std::vector<double> forward, whole;
  double loss = 0;
  const std::clock_t cpu = std::clock();
  const auto start = Clock::now();
  while (whole.size() < 7 || ms(Clock::now() - start) < 1000 * seconds) {
    const auto t0 = Clock::now();
    loss = program.forward(tokens, targets, weights ? Program::Gradients::alpha_and_weights : Program::Gradients::alpha);
    const auto t1 = Clock::now();
    program.backward();
    forward.push_back(ms(t1 - t0));
    whole.push_back(ms(Clock::now() - t0));
  }
  const auto steps = whole.size();
  const double cpu_ms = 1000.0 * static_cast<double>(std::clock() - cpu) / CLOCKS_PER_SEC / static_cast<double>(steps);
  std::sort(forward.begin(), forward.end());
  std::sort(whole.begin(), whole.end());
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::printf(
      "{\"backend\": \"%s %s\", \"batch\": %ld, \"K\": %ld, \"threads\": %d, \"ms_median\": %.2f, \"ms_min\": %.2f, "
      "\"ms_forward\": %.2f, \"cpu_ms\": %.2f, \"steps\": %zu, \"loss\": %.4f, \"arena_mib\": %ld, \"rss_mib\": %ld}\n",
      backend.info().library.c_str(), backend.info().kernel.c_str(), static_cast<long>(B), static_cast<long>(K), threads,
      whole[steps / 2], whole[0], forward[steps / 2], cpu_ms, steps, loss, static_cast<long>(program.arena_bytes() >> 20),
      usage.ru_maxrss / 1024);
}
