#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "khost/probe.hpp"
#include "khost/schema.hpp"

// Writes signals as they are to artifacts/trace-<base>-<arm>-<seed>.safetensors (an instance "as": "late" to late-trace-...), so
// that anyone can check khost from outside:
//   tokens, targets [B, T] i32 (of step 0) · weights/<name> · basis/<name>/U [m, K], basis/<name>/V [n, K]
//   loss/<i> · alpha/<i>/<name> · alpha.grad/<i>/<name> [K], or [K, K] of a block · weight.grad/<i>/<name> [m, n] ·
//   activation/<i>/<name>, activation.grad/<i>/<name> [B*T, C] of what the model exposes; i from 0;
//   alpha before step i's update. weights and basis are those of step 0; where the core trains U and V, `factors` writes them at
//   every step: factors/<i>/<name>/U, factors/<i>/<name>/V.
// Everything is held in memory until the trial ends.
class Trace : public khost::Probe {
 public:
  struct Config {
    std::vector<std::string> signals{"tokens", "targets", "weights", "basis", "loss", "alpha", "alpha.grad"};
    std::optional<std::int64_t> steps;
    static void fields(auto& f) {
      f("signals", &Config::signals)
          .choices({"tokens", "targets", "weights", "basis", "loss", "alpha", "alpha.grad", "weight.grad", "factors",
                    "activation", "activation.grad"})
          .doc("what to write");
      f("steps", &Config::steps).at_least(1).doc("only the first so many steps; null: all");
    }
  };

  explicit Trace(const Config& config) : config_(config) {}
  static void declare(khost::Signals& s, const Config& config);
  void observe(const khost::Step& step) override;
  void conclude(khost::Trial& trial) override;
  void state(khost::State& s) override { s(kept_); }

 private:
  struct Kept {
    std::string name;
    khost::DType dtype;
    khost::Shape shape;
    std::vector<unsigned char> bytes;
    void state(khost::State& s) { s(name, dtype, shape, bytes); }
  };
  void keep(std::string name, const khost::ArrayView& array);

  Config config_;
  std::vector<Kept> kept_;
};
