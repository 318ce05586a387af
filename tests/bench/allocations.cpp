// After warm-up the training step allocates nothing: this program's own malloc counts what libkhost, the plugins and every
// library below them ask for, on any thread.
#include <doctest/doctest.h>
#include <link.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "bench/training_step.hpp"

namespace {
std::atomic<long> allocations{0}, of_openblas{0};
std::atomic<std::size_t> bytes{0};
std::uintptr_t openblas_begin = 0, openblas_end = 0;  // where its code is mapped

void note(std::size_t size, const void* caller) {
  const auto at = reinterpret_cast<std::uintptr_t>(caller);
  ++(at >= openblas_begin && at < openblas_end ? of_openblas : allocations), bytes += size;
}

void find_openblas() {
  dl_iterate_phdr(
      [](dl_phdr_info* library, std::size_t, void*) {
        if (!std::strstr(library->dlpi_name, "/libopenblas")) return 0;
        for (int i = 0; i < library->dlpi_phnum; ++i)
          if (const auto& part = library->dlpi_phdr[i]; part.p_type == PT_LOAD && (part.p_flags & PF_X)) {
            openblas_begin = library->dlpi_addr + part.p_vaddr;
            openblas_end = openblas_begin + part.p_memsz;
          }
        return 1;
      },
      nullptr);
}
}  // namespace

// glibc's own, under the names it gives to those who replace malloc. operator new comes here too.
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* old, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);

void* malloc(std::size_t size) { return note(size, __builtin_return_address(0)), __libc_malloc(size); }
void* calloc(std::size_t count, std::size_t size) {
  return note(count * size, __builtin_return_address(0)), __libc_calloc(count, size);
}
void* realloc(void* old, std::size_t size) { return note(size, __builtin_return_address(0)), __libc_realloc(old, size); }
void* memalign(std::size_t alignment, std::size_t size) {
  return note(size, __builtin_return_address(0)), __libc_memalign(alignment, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
  return note(size, __builtin_return_address(0)), __libc_memalign(alignment, size);
}
int posix_memalign(void** out, std::size_t alignment, std::size_t size) {
  note(size, __builtin_return_address(0));
  *out = __libc_memalign(alignment, size);
  return *out ? 0 : ENOMEM;
}
}

using namespace khost;

namespace {

long count_of_steps(const std::string& name, const test::StepSize& size, int steps) {
  Backend backend(name, test::compute_table(name), "{}", 2);
  test::TrainingStep step(size, backend);
  const double first = step();
  step();
  find_openblas();
  const long before = allocations;
  double last = first;
  for (int i = 0; i < steps; ++i) last = step();
  const long after = allocations;
  CHECK(last < first);  // it is a step that trains
  return after - before;
}

test::StepSize size_of(const char* model, std::int64_t vocabulary, std::int64_t sequence, std::int64_t batch, std::int64_t rank) {
  return {vocabulary, sequence, batch, rank, parse_json(model, "model")};
}

}  // namespace

TEST_CASE("the counter counts, through libraries too") {
  const long before = allocations;
  delete new int(1);
  Tensor tensor({1000});
  CHECK(allocations - before >= 2);
  CHECK(bytes >= 4000);
}

TEST_CASE("the training step allocates nothing after warm-up") {
  const auto small = size_of(R"({"d_model": 32, "n_layer": 2, "n_head": 2})", 301, 31, 2, 8);
  const auto middle = size_of(R"({"d_model": 128, "n_layer": 2, "n_head": 4})", 2003, 127, 2, 32);  // large enough for threads
  for (const char* name : {"reference", "portable", "openblas"}) {
    CAPTURE(name);
    CHECK(count_of_steps(name, small, 5) == 0);
  }
  CHECK(count_of_steps("openblas", middle, 5) == 0);
  auto with_weights = small;
  with_weights.weight_gradients = true;
  CHECK(count_of_steps("openblas", with_weights, 3) == 0);
  for (const char* core : {"block", "factors"})
    for (const char* head : {"tied", "untied"}) {
      auto other = small;
      other.model.set("head", head);
      other.train = core;
      CHECK(count_of_steps("openblas", other, 3) == 0);
    }
  CHECK(openblas_end > openblas_begin);
  MESSAGE("allocations inside OpenBLAS's products: " << of_openblas.load());
}
