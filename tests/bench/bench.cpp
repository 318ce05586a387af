// ./bootstrap bench: khost's training step in turn with the PyTorch peer's, each measurement a process of its own.
//   khost_bench_bench [--json FILE] [--pairs N] [--seconds S] [--threads N] [--rank K] [--batch B]... [--backend NAME]...
//                     [--peer-libraries FOLDER] [--no-peer]
// First the peer finds its best setting, and so does khost's openblas (contender.hpp). A round then runs the peer and each
// backend, so that what the machine does meanwhile meets all; figures are medians over rounds, the ratio is the median of the
// rounds' ratios. Page faults are the minor ones of a step. What is aimed at stands beside what was found: docs/performance.md.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "artifact/file.hpp"
#include "bench/contender.hpp"
#include "bench/median.hpp"
#include "compute/cpu_speed.hpp"
#include "compute/machine.hpp"
#include "khost/json.hpp"
#include "plugin/registry.hpp"

using namespace khost;
using namespace khost::bench;

namespace {

struct Options {
  std::string json, peer_libraries;
  int pairs = 9, threads = 2, rank = 64;
  double seconds = 2;
  std::vector<int> batches;
  std::vector<std::string> backends;
  bool peer = true;
};

[[noreturn]] void complain(const std::string& text) { throw Error(ErrorKind::usage, text); }

int positive(const std::string& key, const std::string& text) {
  const int value = std::atoi(text.c_str());
  return value > 0 ? value : (complain(key + " takes a whole number above 0, found '" + text + "'"), 0);
}

Options options_of(int argc, char** argv) {
  Options o;
  for (int i = 1; i < argc; ++i) {
    const std::string key = argv[i];
    if (key == "--no-peer") {
      o.peer = false;
      continue;
    }
    if (i + 1 == argc) complain("bench: unknown option, or one without its value: " + key);
    const std::string value = argv[++i];
    if (key == "--json")
      o.json = value;
    else if (key == "--peer-libraries")
      o.peer_libraries = value;
    else if (key == "--backend")
      o.backends.push_back(value);
    else if (key == "--batch")
      o.batches.push_back(positive(key, value));
    else if (key == "--pairs")
      o.pairs = positive(key, value);
    else if (key == "--threads")
      o.threads = positive(key, value);
    else if (key == "--rank")
      o.rank = positive(key, value);
    else if (key == "--seconds")
      o.seconds = std::max(0.0, std::atof(value.c_str()));
    else
      complain("bench: unknown option " + key);
  }
  if (o.batches.empty()) o.batches = {8, 1};
  return o;
}

// Backends that can be used here with no options, best first; the oracle only when it is asked for: a step takes it a minute.
std::vector<std::string> usable_backends() {
  std::vector<std::pair<int, std::string>> found;
  const Registry registry({std::string(KHOST_BINARY_DIR) + "/plugins"});
  const Registry::Listing listing = registry.list();
  for (const Plugin* plugin : listing.plugins) {
    if (plugin->kind() != Kind::compute || plugin->name() == "reference") continue;
    const khost_compute& table = *plugin->descriptor->compute;
    const int score = table.score();
    void* context = nullptr;
    char message[1024] = "";
    if (score <= 0 || table.create("{}", 1, &context, message, sizeof message) != 0) {
      fmt::print(stderr, "{} is left out: {}\n", plugin->name(), score <= 0 ? "it cannot run on this CPU" : message);
      continue;
    }
    table.destroy(context);
    found.emplace_back(-score, plugin->name());
  }
  std::sort(found.begin(), found.end());
  std::vector<std::string> names;
  for (const auto& each : found) names.push_back(each.second);
  return names;
}

// What one contender gave in every round.
struct Row {
  Contender contender;
  Choice choice;
  std::string library;
  std::vector<double> ms, least, memory, faults;
};

Json probe(const char* when) {
  Json::List list;
  fmt::print("core probe {}:", when);
  for (const CpuSpeed& core : measure_cpus()) {
    fmt::print("  core {} {:.1f} GFLOP/s ({:.0f} % of it)", core.core, core.gflops, 100 * core.share);
    Json& each = list.emplace_back(Json::Object{});
    each.set("core", core.core), each.set("gflops", core.gflops), each.set("best", core.best), each.set("share", core.share);
  }
  fmt::print("\n");
  return Json(std::move(list));
}

Json numbers(const std::vector<double>& values) { return Json(Json::List(values.begin(), values.end())); }

std::vector<Contender> contenders(const Options& o) {
  std::vector<Contender> all;
  if (o.peer) {
    const std::vector<std::string> peer{"/usr/bin/python3", std::string(KHOST_SOURCE_DIR) + "/tests/bench/torch_ctlora.py"};
    std::vector<std::string> products = peer;
    products.insert(products.end(), {"--products", "--threads", std::to_string(o.threads)});
    all.push_back({"PyTorch", peer, products, o.peer_libraries, true, true});
  }
  // khost keeps its memory itself, and refuses a backend whose products are wrong.
  for (const std::string& name : o.backends)
    all.push_back(
        {name, {std::string(KHOST_BINARY_DIR) + "/bin/khost_bench_step", "--backend", name}, {}, "", false, name == "openblas"});
  return all;
}

std::vector<std::string> step_arguments(const Options& o, int batch, double seconds) {
  return {"--batch",   std::to_string(batch),     "--rank",    std::to_string(o.rank),
          "--threads", std::to_string(o.threads), "--seconds", fmt::format("{}", seconds)};
}

// The best setting of each that has a choice, told as it is found.
std::vector<Row> rows_at_their_best(const Options& o, int batch) {
  std::vector<Row> rows;
  for (const Contender& contender : contenders(o)) {
    Row& row = rows.emplace_back();
    row.contender = contender;
    if (!contender.chooses_memory && !contender.chooses_kernel) continue;
    row.choice = choose(contender, step_arguments(o, batch, std::min(o.seconds, 1.0)), [&](const Candidate& c) {
      fmt::print(stderr, "batch {}, {} tried: {}\n", batch, contender.name, c.text());
    });
    fmt::print("\nbatch {}: the best setting of {}, tried twice each\n", batch, contender.name);
    for (const Candidate& c : row.choice.tried) fmt::print("  {} {}\n", c.setting == row.choice.setting ? "*" : " ", c.text());
    std::fflush(stdout);
  }
  return rows;
}

std::string library_of(const Row& row, const Json& got) {
  const bool peer = !got.find("library");
  std::string text =
      (peer ? got.at("torch").as_string() + ", OpenBLAS" : got.at("library").as_string()) + ", " + got.at("kernel").as_string();
  if (row.choice.setting.keeps_memory) text += ", memory kept";
  return text;
}

// A ratio within one run, or an amount, and how good it is to be.
struct Target {
  std::string what;
  double ratio, bound;
  bool at_most;

  bool passes() const { return at_most ? ratio <= bound : ratio >= bound; }
};

// The time of one over another's, each with arguments of its own beside the step's: a median over rounds, in which they take
// turns.
struct Turn {
  const Row& row;
  std::vector<std::string> more;
};
double ratio(const Options& o, int batch, const std::string& what, const Turn& over, const Turn& under) {
  const auto ms = [&](const Turn& turn) {
    std::vector<std::string> arguments = step_arguments(o, batch, o.seconds);
    arguments.insert(arguments.end(), turn.more.begin(), turn.more.end());
    const Printed printed = turn.row.contender(turn.row.choice.setting, arguments);
    if (!printed.said) complain(fmt::format("bench: {} failed: {}", turn.row.contender.name, printed.failure));
    return printed.said->at("median_ms").as_number();
  };
  std::vector<double> ratios;
  for (int round = 0; round < o.pairs; ++round) {
    const double first = ms(over);
    ratios.push_back(first / ms(under));
    fmt::print(stderr, "batch {}, {}, round {} of {}: {:.2f}\n", batch, what, round + 1, o.pairs, ratios.back());
  }
  return median(ratios);
}

// What is aimed at, of the fastest backend.
Json measure_targets(const Options& o, int batch, const std::vector<Row>& rows) {
  const Row& best =
      *std::ranges::min_element(rows.begin() + o.peer, rows.end(), {}, [](const Row& row) { return median(row.ms); });
  std::vector<Target> targets;
  std::vector<std::string> arguments = step_arguments(o, batch, std::max(o.seconds, 2.0));
  arguments.insert(arguments.begin(),
                   {std::string(KHOST_BINARY_DIR) + "/bin/khost_bench_products", "--json", "--backend", best.contender.name});
  const Printed products = start(arguments, best.choice.setting.environment());
  if (!products.said) complain("bench: khost_bench_products failed: " + products.failure);
  targets.push_back(
      {"a step / its matrix products alone", products.said->at("ratio").as_number(), batch == 1 ? 1.2 : 1.12, true});
  if (o.peer) {
    const Row& peer = rows.front();
    std::vector<double> ratios;
    for (std::size_t i = 0; i < best.ms.size(); ++i) ratios.push_back(peer.ms[i] / best.ms[i]);
    targets.push_back({fmt::format("PyTorch's step / khost's, K = {}", o.rank), median(ratios), 2.4, false});
    const auto against_peer = [&](const std::string& what, const std::vector<std::string>& more, double bound) {
      targets.push_back({"PyTorch's / khost's, " + what, ratio(o, batch, what, {peer, more}, {best, more}), bound, false});
    };
    for (const char* rank : {"8", "32"}) against_peer(std::string("K = ") + rank, {"--rank", rank}, 2.4);
    for (const char* train : {"factors", "lora", "weights"})
      against_peer(std::string("training ") + train, {"--train", train}, 2.4);
    against_peer("forward pass", {"--forward"}, 2);
  }
  if (best.contender.name == "onednn") {
    const std::vector<std::string> bf16{"--options", R"({"precision":"bf16"})"};
    std::vector<std::string> one = step_arguments(o, batch, 0);
    one.insert(one.end(), bf16.begin(), bf16.end());
    if (const Printed tried = best.contender(best.choice.setting, one); tried.said)
      targets.push_back({"f32 / \"precision\": \"bf16\"", ratio(o, batch, "bf16", {best, {}}, {best, bf16}), 1.6, false});
    else
      fmt::print("\nbatch {}: not with \"precision\": \"bf16\" ({})\n", batch, tried.failure);
  }
  if (batch == 8) targets.push_back({"peak memory, MiB", *std::ranges::max_element(best.memory), 200, true});
  fmt::print("\nbatch {}, {}: what is aimed at\n", batch, best.contender.name);
  Json::List list;
  for (const Target& t : targets) {
    fmt::print("  {}  {:<42} {:>6.2f}, {} {}\n", t.passes() ? "pass " : "short", t.what, t.ratio,
               t.at_most ? "at most" : "at least", t.bound);
    list.push_back(
        Json::object({{"what", t.what}, {"ratio", t.ratio}, {"bound", t.bound}, {"at_most", t.at_most}, {"pass", t.passes()}}));
  }
  return Json(std::move(list));
}

// One batch size: its rows, printed and as JSON.
Json measure(const Options& o, int batch) {
  std::vector<Row> rows = rows_at_their_best(o, batch);
  for (int round = 0; round < o.pairs; ++round)
    for (Row& row : rows) {
      const Printed printed = row.contender(row.choice.setting, step_arguments(o, batch, o.seconds));
      if (!printed.said) complain(fmt::format("bench: {} failed: {}", row.contender.name, printed.failure));
      const Json& got = *printed.said;
      row.library = library_of(row, got);
      row.ms.push_back(got.at("median_ms").as_number());
      row.least.push_back(got.at("min_ms").as_number());
      row.memory.push_back(got.at("peak_rss_mib").as_number());
      row.faults.push_back(got.at("faults_per_step").as_number());
      fmt::print(stderr, "batch {}, round {} of {}: {} {:.1f} ms\n", batch, round + 1, o.pairs, row.contender.name,
                 row.ms.back());
    }

  fmt::print("\nbatch {}: a training step, f32, {} threads, K = {}, sequence 127; medians of {} rounds\n", batch, o.threads,
             o.rank, o.pairs);
  fmt::print("  {:<12} {:>10} {:>10} {:>12} {:>12} {:>10}  {}\n", "", "ms", "least ms", "x the peer", "page faults", "peak MiB",
             "library, kernels");
  Json::List list;
  for (const Row& row : rows) {
    std::vector<double> ratios;
    if (o.peer)
      for (std::size_t i = 0; i < row.ms.size(); ++i) ratios.push_back(row.ms[i] / rows.front().ms[i]);
    const double least = *std::min_element(row.least.begin(), row.least.end());
    const double peak = *std::max_element(row.memory.begin(), row.memory.end());
    fmt::print("  {:<12} {:>10.2f} {:>10.2f} {:>12} {:>12.0f} {:>10.0f}  {}\n", row.contender.name, median(row.ms), least,
               ratios.empty() ? "-" : fmt::format("{:.3f}", median(ratios)), median(row.faults), peak, row.library);
    Json& each = list.emplace_back(Json::Object{});
    each.set("name", row.contender.name), each.set("library", row.library);
    each.set("median_ms", median(row.ms)), each.set("min_ms", least), each.set("peak_rss_mib", peak);
    each.set("faults_per_step", median(row.faults));
    each.set("ratio", ratios.empty() ? Json() : Json(median(ratios)));
    each.set("rounds_ms", numbers(row.ms)), each.set("rounds_ratio", numbers(ratios));
    Json::List tried;
    for (const Candidate& c : row.choice.tried) tried.push_back(c.json());
    each.set("settings_tried", Json(std::move(tried)));
  }
  Json made{Json::Object{}};
  made.set("batch", batch), made.set("rows", Json(std::move(list))), made.set("targets", measure_targets(o, batch, rows));
  return made;
}

void run_bench(Options o) {
  if (o.backends.empty()) o.backends = usable_backends();
  fmt::print("{}\n", cpu_name());
  Json out{Json::Object{}};
  out.set("cpu", cpu_name());
  out.set("threads", o.threads), out.set("K", o.rank), out.set("sequence", 127), out.set("pairs", o.pairs),
      out.set("seconds", o.seconds);
  out.set("cores_before", probe("before"));
  std::fflush(stdout);
  Json::List batches;
  for (const int batch : o.batches) batches.push_back(measure(o, batch)), std::fflush(stdout);
  fmt::print("\n");
  out.set("batches", Json(std::move(batches)));
  out.set("cores_after", probe("after"));
  if (!o.json.empty()) write_file_atomically(o.json, out.pretty() + "\n");
}

}  // namespace

int main(int argc, char** argv) {
  return ended([&] { run_bench(options_of(argc, argv)); });
}
