#include "compute/check_products.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <exception>
#include <limits>
#include <mutex>
#include <set>
#include <thread>
#include <tuple>
#include <vector>

#include "compute/portable_gemm.hpp"
#include "core/call.hpp"
#include "core/team.hpp"
#include "khost/error.hpp"

namespace khost {
namespace {

struct Case {
  std::int64_t m, n, k;
  bool transpose_a = false, transpose_b = false;
  float alpha = 1, beta = 0;
  bool packed = false;
};

// For the context with one thread, or for the one with several. A library that compiles a kernel for each product (oneDNN) takes
// about half a millisecond for each, so each of the two gets what it can get wrong and only samples of the rest.
std::vector<Case> cases(bool several) {
  std::vector<Case> all;
  // Every beta with every transpose.
  constexpr float betas[] = {0, 1, 0.5f, 2};
  for (int beta = 0; beta < 4; ++beta)
    for (int transposes = 0; transposes < 4; ++transposes)
      if (!several || beta == transposes)
        all.push_back({17, 19, 23, (transposes & 1) != 0, (transposes & 2) != 0, 1, betas[beta]});
  // Every shape, with transposes and factors in turn. The largest is large enough for libraries to split it over threads.
  constexpr std::int64_t shapes[][3] = {{1, 40, 33},  {40, 1, 33}, {3, 600, 5}, {600, 3, 5}, {6, 9, 700},
                                        {72, 96, 88}, {9, 11, 1},  {4, 6, 0},   {1, 1, 1}};
  constexpr float factors[][2] = {{-0.5f, 0}, {2, 0.5f}, {-1, 1}, {0.5f, 2}};
  int turn = 0;
  for (const auto& [m, n, k] : shapes)
    for (int half = 0; half < 2; ++half, ++turn) {
      const auto& [alpha, beta] = factors[turn % 4];
      if (several || half == 0) all.push_back({m, n, k, (turn / 2) % 2 != 0, half != 0, alpha, beta});
    }
  // Whole cache lines, and rows of A and C close together: what weights have in a step, and some libraries pack nothing else.
  for (const bool transpose_b : {false, true})
    for (const std::int64_t m : {5, 72})
      if (several || m == 5) all.push_back({m, 96, 80, false, transpose_b, 1, m == 5 ? 0.0f : 1.0f, true});
  return all;
}

// A matrix as a table gets it: rows `ld` apart, with something between them that must neither be read into a sum nor written.
struct Stored {
  std::int64_t rows, cols, ld;
  std::vector<float> values;

  Stored(std::int64_t rows_, std::int64_t cols_, std::int64_t gap, float between)
      : rows(rows_),
        cols(cols_),
        ld(std::max<std::int64_t>(cols_, 1) + gap),
        values(static_cast<std::size_t>(std::max<std::int64_t>(rows_, 1) * ld), between) {}

  // Integers of up to so many bits, and a sign.
  void fill(int bits, std::uint32_t& state) {
    for (std::int64_t i = 0; i < rows; ++i)
      for (std::int64_t j = 0; j < cols; ++j) {
        state = state * 1664525 + 1013904223;
        const auto size = static_cast<std::int32_t>(state >> (32 - bits));
        values[static_cast<std::size_t>(i * ld + j)] = static_cast<float>(state & 0x80 ? size : -size);
      }
  }
  void fill(float value) {
    for (std::int64_t i = 0; i < rows; ++i) std::fill_n(values.begin() + i * ld, cols, value);
  }
};

constexpr int f32_bits = std::numeric_limits<float>::digits;
constexpr float between = -77, nan = std::numeric_limits<float>::quiet_NaN();

struct Operands {
  Stored a, b, c;

  Operands(const Case& t, int most_bits)
      : a(t.transpose_a ? t.k : t.m, t.transpose_a ? t.m : t.k, t.packed ? 0 : 3, nan),
        b(t.transpose_b ? t.n : t.k, t.transpose_b ? t.k : t.n, 5, nan),
        c(t.m, t.n, t.packed ? 0 : 2, between) {
    // Sums stay below 2^22: with halves and twice as much again they fit the 24 bits of an f32. One factor has as many bits as
    // there is room for: kernels that round it to bf16 or TF32 show.
    const int bits = 22 - static_cast<int>(std::bit_width(static_cast<std::uint64_t>(std::max<std::int64_t>(t.k, 1))));
    const int narrow = std::min(3, most_bits), wide = std::min({13, bits - narrow, most_bits});
    std::uint32_t state = static_cast<std::uint32_t>(t.m * 31 + t.n * 7 + t.k + 1);
    a.fill(t.m % 2 ? wide : narrow, state);
    b.fill(t.m % 2 ? narrow : wide, state);
    if (t.beta == 0)
      c.fill(nan);
    else
      c.fill(16, state);
  }

  khost_gemm gemm(const Case& t, float* into) const {
    return {t.transpose_a, t.transpose_b,   t.m,  t.n,    t.k,  t.alpha, a.values.data(),
            a.ld,          b.values.data(), b.ld, t.beta, into, c.ld};
  }
};

bool same(float x, float y) { return x == y || (std::isnan(x) && std::isnan(y)); }

std::string product_text(const Case& t, const Operands& o) {
  const auto factor = [](float f) { return f == 1 ? std::string() : fmt::format("{} ", f); };
  std::string text = fmt::format("C = {}A{} B{}", factor(t.alpha), t.transpose_a ? "'" : "", t.transpose_b ? "'" : "");
  if (t.beta != 0) text += fmt::format(" + {}C", factor(t.beta));
  return fmt::format("{} of [{}, {}] with {} terms, rows of A, B and C {}, {} and {} apart{}", text, t.m, t.n, t.k, o.a.ld,
                     o.b.ld, o.c.ld, t.packed ? ", B packed" : "");
}

// What kind of mistake it looks like, "" when nothing stands out.
std::string likely(const Case& t, const Operands& o, const std::vector<float>& found, const std::vector<float>& expected) {
  const auto everywhere = [&](auto&& as_if) {
    for (std::int64_t i = 0; i < t.m; ++i)
      for (std::int64_t j = 0; j < t.n; ++j) {
        const auto at = static_cast<std::size_t>(i * o.c.ld + j);
        if (!same(found[at], as_if(expected[at], o.c.values[at]))) return false;
      }
    return true;
  };
  if (t.beta == 0 && std::ranges::any_of(found, [](float v) { return std::isnan(v); }))
    return "C held NaN, and is to be written unread with beta = 0";
  if (everywhere([](float, float before) { return before; })) return "C was left as it is";
  if (t.beta != 0 && everywhere([&](float right, float before) { return right - t.beta * before; })) return "it ignores beta";
  return "";
}

class Checker {
  template <class F>
  auto call(const char* function, F&& f) const {
    return call_plugin({"compute", name_, function}, f);
  }

 public:
  Checker(const std::string& name, const khost_compute& table, const std::string& options, int threads)
      : name_(name), table_(table), threads_(threads) {
    set_team(threads);  // of this thread, which may be a new one: it begins as the environment says
    char message[1024] = "";
    if (table.create &&
        call("create", [&] { return table.create(options.c_str(), threads, &context_, message, sizeof message); }))
      throw Error(ErrorKind::plugin, "compute plugin '" + name + "' could be made once, but not a second time: " + message);
  }
  // What it says of itself, which the products have to keep to.
  void ask() {
    khost_compute_info about{};
    if (table_.info) call("info", [&] { table_.info(context_, &about); });
    packed_bits_ = packed_bits(about);
  }
  ~Checker() {
    if (table_.destroy) call("destroy", [&] { table_.destroy(context_); });
  }
  Checker(const Checker&) = delete;

  void operator()(const Case& t) const {
    const Operands o(t, t.packed ? packed_bits_ : f32_bits);
    std::vector<float> found = o.c.values, expected = o.c.values;
    const khost_gemm g = o.gemm(t, found.data());
    if (!(t.packed ? multiply_packed(g) : multiply(g))) {
      if (std::memcmp(found.data(), o.c.values.data(), found.size() * sizeof(float)) != 0)
        fail("declines a product, but writes into C: " + product_text(t, o));
      return;
    }
    kernels::portable_gemm_serial(o.gemm(t, expected.data()));
    for (std::size_t at = 0; at < found.size(); ++at) {
      if (same(found[at], expected[at])) continue;
      const auto row = static_cast<std::int64_t>(at) / o.c.ld, column = static_cast<std::int64_t>(at) % o.c.ld;
      if (column >= t.n) fail(fmt::format("writes between the rows of C: {}", product_text(t, o)));
      const std::string why = likely(t, o, found, expected);
      fail(fmt::format("gives a wrong product: {}: row {}, column {} is {}, expected {}{}", product_text(t, o), row, column,
                       found[at], expected[at], why.empty() ? why : "; " + why));
    }
  }

 private:
  bool multiply(const khost_gemm& g) const {
    return table_.gemm && call("gemm", [&] { return table_.gemm(context_, &g); }) == 0;
  }
  bool multiply_packed(khost_gemm g) const {
    void* packed = nullptr;
    if (!table_.pack || !table_.gemm_packed || call("pack", [&] { return table_.pack(context_, &g, &packed); }) != 0)
      return false;
    g.b = nullptr;
    const bool done = call("gemm_packed", [&] { return table_.gemm_packed(context_, &g, packed); }) == 0;
    if (table_.release) call("release", [&] { table_.release(packed); });
    return done;
  }
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorKind::plugin, fmt::format("compute plugin '{}' cannot be used: with {} thread{} it {}", name_, threads_,
                                               threads_ == 1 ? "" : "s", what))
        .hint("the library behind it is damaged, or has other sizes of integers (ILP64) or kernels for another CPU")
        .hint("choose another with --backend; `khost doctor` shows which there are");
  }

  const std::string& name_;
  const khost_compute& table_;
  int threads_, packed_bits_ = f32_bits;
  void* context_ = nullptr;
};

}  // namespace

int packed_bits(const khost_compute_info& about) {
  return about.packed_bits > 0 && about.packed_bits < f32_bits ? about.packed_bits : f32_bits;
}

void check_products(const std::string& name, const khost_compute& table, const std::string& options, int threads) {
  static std::mutex mutex;
  static auto& right = *new std::set<std::tuple<const khost_compute*, std::string, bool>>;  // leaked: no destructor at exit
  const std::lock_guard lock(mutex);
  if (right.contains({&table, options, threads > 1})) return;
  // On threads of their own, so that the calling thread's number of workers stays what it is.
  std::exception_ptr wrong[2];
  const auto check = [&](int own, bool several, std::exception_ptr& failure) {
    try {
      Checker checker(name, table, options, own);
      checker.ask();
      for (const Case& t : cases(several)) checker(t);
    } catch (...) {
      failure = std::current_exception();
    }
  };
  std::thread first(check, 1, false, std::ref(wrong[0])), second(check, threads, true, std::ref(wrong[1]));
  first.join();
  second.join();
  for (const std::exception_ptr& failure : wrong)
    if (failure) std::rethrow_exception(failure);
  right.emplace(&table, options, threads > 1);
}

}  // namespace khost
