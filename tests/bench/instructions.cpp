// khost_bench_instructions BACKEND: training steps of a small model on one thread, the last within counted_step(), for a tool
// that counts (instructions_test.py). BACKEND: a compute plugin, or "portable" for the host's own products.
#include <cstdio>
#include <exception>
#include <string>

#include "bench/training_step.hpp"

using namespace khost;

// By its name, which no compiler inlines.
extern "C" __attribute__((noinline)) double counted_step(test::TrainingStep& step) { return step(); }

namespace {

int run(const std::string& backend_name) {
  test::StepSize size;
  size.vocabulary = 301, size.sequence = 31, size.batch = 2, size.rank = 8;
  size.model = Json::object({{"d_model", 48}, {"n_layer", 2}, {"n_head", 3}});
  Backend backend(backend_name, test::compute_table(backend_name), "{}", 1);
  test::TrainingStep step(size, backend);
  for (int i = 0; i < 2; ++i) step();  // what is done once
  return std::printf("%.9g\n", counted_step(step)) < 0;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 2) return std::fprintf(stderr, "khost_bench_instructions BACKEND\n"), 2;
  return run(argv[1]);
} catch (const std::exception& e) {
  std::fprintf(stderr, "khost_bench_instructions: %s\n", e.what());
  return 1;
}
