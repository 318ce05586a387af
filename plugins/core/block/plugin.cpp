#include "khost/plugin.hpp"
#include "khost/core.hpp"

namespace {

using khost::CoreGradient;
using khost::CoreStep;

// alpha is C itself, row-major.
class Block final : public khost::Core {
 public:
  struct Config {
    static void fields(auto&) {}
  };
  explicit Block(const Config&) {}

  khost::Shape alpha(std::int64_t K) const override { return {K, K}; }
  Entry entry(std::int64_t K, std::int64_t i) const override { return {i / K, i % K}; }
  void towards_V(const CoreStep& s, const float* p, float* out) const override { through(s, p, 0, out); }
  void towards_U(const CoreStep& s, const float* p, float* out) const override { through(s, p, 1, out); }
  void gradient(const CoreStep& s, const float* on_U, const float* on_V, const CoreGradient& d) const override {
    if (d.alpha) s.gemm({1, 0, s.K, s.K, s.rows, 1.0f, on_U, s.K, on_V, s.K, d.accumulate ? 1.0f : 0.0f, d.alpha, s.K});
  }

 private:
  static void through(const CoreStep& s, const float* p, int transposed, float* out) {
    s.gemm({0, transposed, s.rows, s.K, s.K, 1.0f, p, s.K, s.alpha, s.K, 0.0f, out, s.K});
  }
};

}  // namespace

KHOST_PLUGIN(khost::core<Block>("block", "dW = U C V', C a whole K x K block", 1))
