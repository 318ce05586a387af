// ./bootstrap bench scaling: how a training step's time and memory grow with each size of the model and the batch, from the
// papers' full size: the exponent of a power law fitted to what was measured, beside that of the step's arithmetic over the same
// sizes.
//   khost_bench_scaling [--json FILE] [--seconds S] [--threads N] [--backend NAME] [--axis NAME]...
// Each size is a process of its own (khost_bench_step), the peak memory is that process's.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <vector>

#include "artifact/file.hpp"
#include "bench/contender.hpp"
#include "compute/machine.hpp"
#include "khost/error.hpp"
#include "khost/json.hpp"

using namespace khost;
using namespace khost::bench;

namespace {

struct Size {
  std::int64_t rank = 64, batch = 1, sequence = 127, layers = 8, d_model = 256, vocabulary = 15007;

  double matrices() const { return static_cast<double>(layers) * 12 * static_cast<double>(d_model * d_model); }  // entries
  double parameters() const { return matrices() + static_cast<double>((vocabulary + sequence) * d_model); }

  // Operations of a step that trains alpha: through each frozen matrix, U and V once forward and once backward, and attention's
  // six products below the diagonal, in blocks of 64.
  double operations() const {
    const auto K = static_cast<double>(rank), d = static_cast<double>(d_model), L = static_cast<double>(layers),
               V = static_cast<double>(vocabulary), T = static_cast<double>(sequence);
    const double sides = L * 16 * d + (V + d) + d;  // m + n of every matrix, the embedding used twice, by rows and as the head
    const double token = 4 * (matrices() + V * d) + 4 * K * sides + 6 * L * d * (T + 64);
    return static_cast<double>(batch) * T * token;
  }
};

struct Measured {
  std::int64_t value;
  Size size;
  double ms, mib;
};

struct Axis {
  const char* name;
  std::int64_t Size::*field;
  std::vector<std::int64_t> values;
  double memory;  // the largest exponent that memory may have
};

const std::vector<Axis>& axes() {
  static const std::vector<Axis> all = {
      {"K", &Size::rank, {4, 8, 16, 32, 64, 128, 256}, 1},
      {"batch", &Size::batch, {1, 2, 4, 8, 16}, 1},
      {"sequence", &Size::sequence, {32, 64, 127, 254, 508}, 2},  // attention's probabilities are [T, T]
      {"layers", &Size::layers, {2, 4, 8, 16, 32}, 1},
      {"d_model", &Size::d_model, {128, 256, 512, 768}, 2},
      {"vocabulary", &Size::vocabulary, {2000, 5000, 15007, 50257}, 1},
  };
  return all;
}

struct Options {
  std::string json, backend = "onednn";
  double seconds = 1;
  int threads = 2;
  std::vector<std::string> axes;
};

Options options_of(int argc, char** argv) {
  Options o;
  for (int i = 1; i < argc; i += 2) {
    const std::string key = argv[i];
    if (i + 1 == argc) throw Error(ErrorKind::usage, "bench scaling: unknown option, or one without its value: " + key);
    const std::string value = argv[i + 1];
    if (key == "--json")
      o.json = value;
    else if (key == "--backend")
      o.backend = value;
    else if (key == "--seconds")
      o.seconds = std::max(0.0, std::atof(value.c_str()));
    else if (key == "--threads")
      o.threads = std::max(1, std::atoi(value.c_str()));
    else if (key == "--axis" && std::ranges::any_of(axes(), [&](const Axis& a) { return value == a.name; }))
      o.axes.push_back(value);
    else
      throw Error(ErrorKind::usage, "bench scaling: unknown option " + key + " " + value);
  }
  return o;
}

Measured measure(const Options& o, std::int64_t value, const Size& size) {
  const Json model = Json::object({{"d_model", size.d_model}, {"n_layer", size.layers}, {"n_head", size.d_model / 64}});
  const Printed printed =
      start({std::string(KHOST_BINARY_DIR) + "/bin/khost_bench_step", "--backend", o.backend, "--threads",
             std::to_string(o.threads), "--seconds", fmt::format("{}", o.seconds), "--rank", std::to_string(size.rank), "--batch",
             std::to_string(size.batch), "--sequence", std::to_string(size.sequence), "--vocabulary",
             std::to_string(size.vocabulary), "--model", model.canonical()},
            {});
  if (!printed.said) throw std::runtime_error("bench scaling: khost_bench_step failed: " + printed.failure);
  return {value, size, printed.said->at("median_ms").as_number(), printed.said->at("peak_rss_mib").as_number()};
}

// Of the power law through these points, by least squares in their logarithms.
template <class Of>
double exponent(const std::vector<Measured>& points, Of&& of) {
  double x = 0, y = 0, xx = 0, xy = 0;
  const auto n = static_cast<double>(points.size());
  for (const Measured& p : points) {
    const double a = std::log(static_cast<double>(p.value)), b = std::log(of(p));
    x += a, y += b, xx += a * a, xy += a * b;
  }
  return (n * xy - x * y) / (n * xx - x * x);
}

Json row(const std::string& name, const Measured& p) {
  fmt::print("  {:>10} {:>10.1f} {:>10.1f} {:>10.0f} {:>10.0f}\n", name, p.size.operations() / 1e9, p.ms,
             p.size.operations() / p.ms / 1e6, p.mib);
  return Json::object({{"size", name}, {"gflop", p.size.operations() / 1e9}, {"ms", p.ms}, {"peak_mib", p.mib}});
}

void header(const std::string& what) {
  fmt::print("\n{}\n  {:>10} {:>10} {:>10} {:>10} {:>10}\n", what, "", "GFLOP", "ms", "GFLOP/s", "peak MiB");
}

Json measure(const Options& o, const Axis& axis) {
  header(axis.name);
  std::vector<Measured> points;
  Json::List list;
  for (const std::int64_t value : axis.values) {
    Size size;
    size.*axis.field = value;
    points.push_back(measure(o, value, size));
    list.push_back(row(std::to_string(value), points.back()));
    std::fflush(stdout);
  }
  const double time = exponent(points, [](const Measured&p) { return p.ms; }),
               arithmetic = exponent(points, [](const Measured&p) { return p.size.operations(); }),
               memory = exponent(points, [](const Measured&p) { return p.mib; });
  constexpr double noise = 0.05;  // of a fitted exponent on a machine whose speed varies by some percent
  const auto said = [](bool passes) { return passes ? "pass " : "short"; };
  fmt::print("  {}  time grows as {}^{:.2f}, its arithmetic as {}^{:.2f}\n", said(time <= arithmetic + noise), axis.name, time,
             axis.name, arithmetic);
  fmt::print("  {}  memory grows as {}^{:.2f}, at most {}^{}\n", said(memory <= axis.memory), axis.name, memory, axis.name,
             axis.memory);
  return Json::object({{"axis", axis.name},
                       {"points", Json(std::move(list))},
                       {"time", time},
                       {"arithmetic", arithmetic},
                       {"memory", memory},
                       {"memory_bound", axis.memory},
                       {"pass", time <= arithmetic + noise && memory <= axis.memory}});
}

void run(const Options& o) {
  fmt::print(
      "{}\na step of {} at d_model 256, 8 layers, vocabulary 15007, K = 64, batch 1, sequence 127, {} threads, one size "
      "changed\n",
      cpu_name(), o.backend, o.threads);
  Json::List list;
  for (const Axis& axis : axes())
    if (o.axes.empty() || std::ranges::find(o.axes, axis.name) != o.axes.end()) list.push_back(measure(o, axis));
  Json models{Json::List{}};
  if (o.axes.empty()) {
    header("larger models, K = 64, batch 1, sequence 127");
    Json::List each;
    for (const Size& size : {Size{64, 1, 127, 16, 512, 15007}, Size{64, 1, 127, 12, 768, 50257}})
      each.push_back(row(fmt::format("{:.0f} M", size.parameters() / 1e6), measure(o, 0, size)));
    models = Json(std::move(each));
  }
  if (o.json.empty()) return;
  const Json out =
      Json::object({{"cpu", cpu_name()}, {"threads", o.threads}, {"axes", Json(std::move(list))}, {"models", models}});
  write_file_atomically(o.json, out.pretty() + "\n");
}

}  // namespace

int main(int argc, char** argv) {
  return ended([&] { run(options_of(argc, argv)); });
}
