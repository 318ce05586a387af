// Work that is cut by its shape alone: the same bits on any number of threads.
#include <doctest/doctest.h>

#include <bit>
#include <mutex>
#include <set>

#include "compute/backend.hpp"
#include "khost/openmp.hpp"
#include "khost/parallel.hpp"
#include "khost/random.hpp"
#include "unit/plugins.hpp"

using namespace khost;

namespace {

class Threads {
 public:
  explicit Threads(int count) : before_(omp_get_max_threads()) { omp_set_num_threads(count); }
  ~Threads() { omp_set_num_threads(before_); }
  Threads(const Threads&) = delete;

 private:
  int before_;
};

std::set<std::pair<std::int64_t, std::int64_t>> ranges_of(std::int64_t n, std::int64_t grain) {
  std::set<std::pair<std::int64_t, std::int64_t>> out;
  std::mutex mutex;
  parallel_for(n, grain, [&](std::int64_t begin, std::int64_t end) {
    std::set<std::int64_t> nested;
    parallel_for(100, 1, [&](std::int64_t from, std::int64_t to) { nested.insert(from), nested.insert(to); });
    const std::lock_guard lock(mutex);
    CHECK(nested == std::set<std::int64_t>{0, 100});
    out.insert({begin, end});
  });
  return out;
}

}  // namespace

TEST_CASE("parallel_for with fixed ranges: the same ranges on one thread and on many, and as ever without") {
  for (const int threads : {1, 2, 3, 11}) {
    const Threads set(threads);
    CAPTURE(threads);
    {
      const FixedRanges fixed(4);
      CHECK(ranges_of(16, 1) == decltype(ranges_of(0, 1)){{0, 4}, {4, 8}, {8, 12}, {12, 16}});
      CHECK(ranges_of(16, 8) == decltype(ranges_of(0, 1)){{0, 8}, {8, 16}});
      {
        const FixedRanges inner(2);
        CHECK(ranges_of(16, 1).size() == 2);
      }
      CHECK(ranges_of(16, 1).size() == 4);
    }
    CHECK(ranges_of(33, 3).size() == static_cast<std::size_t>(threads));
  }
}

TEST_CASE("products in parts: the same bits on one worker and on several, and the right ones") {
  std::string backend;
  SUBCASE("onednn") { backend = "onednn"; }  // which artifacts come from
  SUBCASE("openblas") { backend = "openblas"; }
  CAPTURE(backend);
  const auto in_parts = [&](int workers) {
    std::vector<std::unique_ptr<Backend>> all;
    for (int i = 0; i < workers; ++i) all.push_back(std::make_unique<Backend>(backend, test::compute_table(backend), "{}", 1));
    return std::make_unique<Backend>(std::move(all));
  };
  const Threads restored(omp_get_max_threads());
  const auto many = in_parts(3);
  CHECK(omp_get_max_threads() == 3);
  CHECK(many->info().threads == 3);
  struct Size {
    std::int64_t m, n, k;
  };
  // Forward, gradients of inputs and of weights, a head; skinny, tiny, odd.
  for (const Size& s : {Size{496, 768, 256},
                        {496, 256, 768},
                        {768, 256, 496},
                        {127, 2003, 64},
                        {256, 64, 15007},
                        {300, 5, 700},
                        {1, 900, 900},
                        {3, 2, 1},
                        {257, 255, 129}})
    for (const int transposed : {0, 1, 2, 3}) {
      CAPTURE(s.m);
      CAPTURE(s.n);
      CAPTURE(transposed);
      Random random(1, "parts", "values");
      std::vector<float> a(static_cast<std::size_t>(s.m * s.k)), b(static_cast<std::size_t>(s.k * s.n)),
          c(static_cast<std::size_t>(s.m * s.n));
      random.normal(a, 1), random.normal(b, 1), random.normal(c, 1);
      const int ta = transposed & 1, tb = transposed >> 1;
      const auto result = [&](Backend& backend, int threads) {
        const Threads set(threads);
        std::vector<float> out = c;
        backend.gemm({ta, tb, s.m, s.n, s.k, 0.5f, a.data(), ta ? s.m : s.k, b.data(), tb ? s.k : s.n, 1.0f, out.data(), s.n});
        CHECK(omp_get_max_threads() == threads);
        return out;
      };
      const std::vector<float> three = result(*many, 3);
      const auto alone = in_parts(1);
      CHECK(result(*alone, 1) == three);
      CHECK(result(*many, 2) == three);  // fewer than it was made for
      Backend whole("portable", nullptr, "{}", 1);
      const std::vector<float> expected = result(whole, 1);
      double worst = 0;
      for (std::size_t i = 0; i < expected.size(); ++i) worst = std::max(worst, std::abs(double{expected[i]} - three[i]));
      CHECK(worst < 1e-5 * static_cast<double>(s.k + 10));
    }
}
