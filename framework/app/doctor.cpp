// khost doctor: what this machine offers, how fast it is right now, what is missing and the command that brings it.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>

#include "artifact/cache.hpp"
#include "commands.hpp"
#include "compute/cpu_quota.hpp"
#include "compute/cpu_speed.hpp"
#include "compute/gemm_speed.hpp"
#include "compute/machine.hpp"
#include "compute/process.hpp"
#include "engine/backends.hpp"
#include "report/text.hpp"

namespace khost {
namespace {

namespace fs = std::filesystem;

// Something that is not as it should be, and the command or deed that mends it. Without what is `needed`, khost cannot run.
struct Finding {
  bool needed = false;
  ErrorKind kind = ErrorKind::usage;
  std::string what, mend;
};

struct BackendCheck {
  std::string name, path, refused;  // refused: why it cannot be used here
  int score = 0;
  BackendInfo info;
  std::vector<ModelSpeed> speeds;
};

struct CacheCheck {
  std::string path;
  bool exists = false, writable = false;
  std::uintmax_t bytes = 0, free_bytes = 0;
};

struct CorpusCheck {
  std::string name, path, problem;
};

struct Checkup {
  std::vector<std::string> features, openmp, folders;
  std::vector<CpuSpeed> cores;
  int threads = 1;
  double quota = 0;  // of control groups, in processors; 0: none
  std::vector<BackendCheck> backends;
  std::optional<CacheCheck> cache;
  std::vector<CorpusCheck> corpora;
  std::size_t plugins = 0;
  std::vector<std::pair<std::string, std::string>> refused;
  std::vector<Finding> findings;

  void look();

 private:
  void look_at_cores();
  void look_at_plugins();
  void look_at_backend(const Plugin& plugin);
  void look_at_process();
  void look_at_cache();
};

constexpr double slow_core = 0.75;                        // of the fastest
constexpr std::uintmax_t little_space = 2ull << 30;       // the papers' bases, token files and trials take about 1 GiB
constexpr std::array<std::int64_t, 2> tokens{1016, 127};  // batch 8 and batch 1 of 127

void Checkup::look() {
  features = cpu_features();
  threads = available_processors();
  look_at_cores();
  look_at_plugins();
  look_at_process();
  look_at_cache();
}

void Checkup::look_at_cores() {
  cores = measure_cpus(std::clamp(1.0 / std::max(1, threads), 0.02, 0.15));
  double fastest = 0;
  for (const CpuSpeed& core : cores) fastest = std::max(fastest, core.best);
  for (const CpuSpeed& core : cores)
    if (core.share < slow_core)
      findings.push_back({false, ErrorKind::usage,
                          fmt::format("core {} is shared: the probe had {:.0f} % of its time", core.core, 100 * core.share),
                          "end what else is running (`top` shows it) before you measure anything"});
    else if (core.gflops < slow_core * fastest)
      findings.push_back({false, ErrorKind::usage,
                          fmt::format("core {} is throttled: {:.0f} % of the fastest", core.core, 100 * core.gflops / fastest),
                          "wait until it is cool, or choose other cores with `taskset`"});
}

void Checkup::look_at_plugins() {
  const Registry registry(Registry::default_folders());
  const Registry::Listing listing = registry.list();
  folders = registry.folders();
  plugins = listing.plugins.size();
  refused = listing.refused;
  for (const auto& [path, reason] : refused)
    findings.push_back({true, ErrorKind::plugin, "a plugin is refused: " + one_line(reason),
                        "`khost list` shows the whole reason; rebuild the plugin, or take its file out of the folder"});
  for (const Kind kind : {Kind::compute, Kind::model, Kind::optimizer, Kind::data}) {
    const auto is_kind = [&](const Plugin* p) { return p->kind() == kind; };
    if (std::ranges::none_of(listing.plugins, is_kind))
      findings.push_back({true, ErrorKind::plugin, fmt::format("there is no plugin of kind {}", name_of(kind)),
                          "./bootstrap build, or name the plugins' folder in KHOST_PLUGIN_PATH"});
  }
  for (const Plugin* plugin : listing.plugins)
    if (plugin->kind() == Kind::compute) look_at_backend(*plugin);
  std::ranges::stable_sort(backends, std::greater(), &BackendCheck::score);
  const auto usable = [](const BackendCheck& b) { return b.refused.empty(); };
  if (!backends.empty() && std::ranges::none_of(backends, usable))
    findings.push_back({true, ErrorKind::plugin, "no compute backend can be used", "./bootstrap build"});
}

void Checkup::look_at_backend(const Plugin& plugin) {
  BackendCheck& check = backends.emplace_back();
  check.name = plugin.name();
  check.path = plugin.path;
  check.score = score_of(plugin);
  if (std::ranges::any_of(describe(plugin, nullptr).schema.fields, &Field::required)) {
    check.refused = "it needs what a manifest's \"compute\" gives it: `khost inspect " + check.name + "`";
    return;  // as it should be
  }
  try {
    if (check.score <= 0) throw Error(ErrorKind::plugin, "it cannot run on this CPU");
    Backend backend(check.name, plugin.descriptor->compute, "{}", threads);
    check.info = backend.info();
    for (const std::int64_t count : tokens) check.speeds.push_back(measure_gemm(backend, paper_shapes(), count));
  } catch (const Error& e) {
    check.refused = e.what();
    const bool needed = check.name == backend_of_artifacts;
    findings.push_back(
        {needed, ErrorKind::plugin,
         fmt::format("backend {}{}: {}", check.name, needed ? ", which every run needs for its bases" : "",
                     one_line(e.message())),
         needed ? "what to do stands beside it above" : "do what stands beside it above, or choose another backend"});
  }
}

// After the backends: what they bring shows too.
void Checkup::look_at_process() {
  openmp = mapped_libraries({"libgomp", "libomp", "libiomp5"});
  for (Trouble& trouble : process_troubles())
    findings.push_back({trouble.refused, ErrorKind::plugin, std::move(trouble.what), std::move(trouble.mend)});
  quota = cpu_quota();
}

void Checkup::look_at_cache() try {
  Cache at(Cache::default_root());
  CacheCheck& check = cache.emplace();
  check.path = at.root();
  std::error_code failed;
  check.exists = fs::is_directory(check.path, failed);
  for (auto it = fs::recursive_directory_iterator(check.path, fs::directory_options::skip_permission_denied, failed);
       !failed && it != fs::recursive_directory_iterator(); it.increment(failed)) {
    std::error_code unknown;
    if (const auto size = it->is_regular_file(unknown) ? it->file_size(unknown) : 0; !unknown) check.bytes += size;
  }
  // A cache that is not there yet is made in the nearest folder that is.
  fs::path nearest = check.path;
  while (!fs::exists(nearest, failed) && nearest.has_relative_path()) nearest = nearest.parent_path();
  check.writable = fs::is_directory(nearest, failed) && ::access(nearest.c_str(), W_OK | X_OK) == 0;
  if (const fs::space_info space = fs::space(nearest, failed); !failed) check.free_bytes = space.available;
  if (!check.writable)
    findings.push_back({true, ErrorKind::usage, fmt::format("the cache {} cannot be written", check.path),
                        "set KHOST_CACHE to a folder of yours"});
  if (check.free_bytes < little_space)
    findings.push_back({false, ErrorKind::usage,
                        fmt::format("only {} MiB are free for the cache {}", check.free_bytes >> 20, check.path),
                        "make room, or set KHOST_CACHE to a folder on another disk"});
  for (const std::string& name : Cache::known_corpora()) {
    CorpusCheck& corpus = corpora.emplace_back();
    corpus.name = name;
    try {
      corpus.path = at.corpus_file(name);
    } catch (const Error& e) {
      if (e.kind() == ErrorKind::interrupted) throw;
      corpus.problem = e.message();
      findings.push_back({false, ErrorKind::usage, e.message(), "./bootstrap corpora"});
    }
  }
} catch (const Error& e) {
  if (e.kind() == ErrorKind::interrupted) throw;
  findings.push_back({true, e.kind(), e.message(), "set KHOST_CACHE to a folder"});
}

// ---- in words ----

std::string megabytes(std::uintmax_t bytes) { return grouped(std::to_string(bytes >> 20)) + " MiB"; }

// A section: its title beside its first line.
class Section {
 public:
  explicit Section(std::string_view title) : title_(title) {}
  void line(const std::string& text) {
    for (const std::string& l : wrapped(text, 110, left(title_, width), std::string(width, ' '))) std::cout << l << '\n';
    title_.clear();
  }
  // Of a table: kept as it is.
  void row(const std::string& text) {
    std::cout << left(title_, width) << text << '\n';
    title_.clear();
  }

 private:
  static constexpr std::size_t width = 10;
  std::string title_;
};

std::string speed_text(double gflops) { return right(fmt::format("{:.{}f}", gflops, gflops < 10 ? 2 : 1), 10); }

void print_machine(const Checkup& c) {
  Section cpu("CPU");
  cpu.line(fmt::format("{}, {} processor{} to use", cpu_name(), c.threads, c.threads == 1 ? "" : "s"));
  if (c.quota > 0) cpu.line(fmt::format("a control group allows this process {:.3g} of them", c.quota));
  cpu.line(fmt::format("{}", fmt::join(c.features, " ")));
  cpu.line(fmt::format("khost's own kernels run as {}", kernel_instruction_set()));
  Section cores("cores");
  cores.line("GFLOP/s of fused multiply-adds in registers, f32: median, best, and the share of the core's time");
  for (const CpuSpeed& s : c.cores)
    cores.row(fmt::format("core {:<3} {:8.1f} {:8.1f} {:6.0f} %", s.core, s.gflops, s.best, 100 * s.share));
  Section openmp("OpenMP");
  openmp.line(c.openmp.empty() ? "no runtime as a library of its own" : fmt::format("{}", fmt::join(c.openmp, ", ")));
}

void print_backends(const Checkup& c) {
  Section section("backends");
  section.line(fmt::format("GFLOP/s with {} thread{}, products x W' of the paper's model (width 256, vocabulary 15007), f32",
                           c.threads, c.threads == 1 ? "" : "s"));
  std::string head = left("tokens", 8);
  for (const LayerShape& shape : paper_shapes()) head += right(shape.name, 11);
  bool cut = false, headed = false;
  for (const BackendCheck& b : c.backends) {
    if (!b.refused.empty()) {
      section.line(fmt::format("{}: cannot be used here: {}", b.name, b.refused));
      continue;
    }
    section.line(fmt::format("{}: {} {}, {}; score {}", b.name, b.info.library, b.info.version, b.info.kernel, b.score));
    if (!headed) section.row("  " + head + right("the model", 11));
    headed = true;
    for (const ModelSpeed& speed : b.speeds) {
      std::string row = left(std::to_string(speed.tokens), 8);
      for (const LayerSpeed& layer : speed.layers) {
        row += speed_text(layer.gflops) + (layer.tokens < speed.tokens ? "*" : " ");
        cut |= layer.tokens < speed.tokens;
      }
      section.row("  " + row + speed_text(speed.gflops));
    }
  }
  if (cut) section.line("* on a part of the tokens, as a whole call takes long");
}

void print_files(const Checkup& c) {
  if (c.cache) {
    Section cache("cache");
    cache.line(fmt::format("{}: {}, {}; {} free", c.cache->path, c.cache->exists ? megabytes(c.cache->bytes) : "not made yet",
                           c.cache->writable ? "writable" : "cannot be written", megabytes(c.cache->free_bytes)));
  }
  Section corpora("corpora");
  for (const CorpusCheck& corpus : c.corpora)
    corpora.row(fmt::format("{:<8} {}", corpus.name, corpus.problem.empty() ? corpus.path : corpus.problem));
  Section plugins("plugins");
  plugins.line(fmt::format("{} from {}", c.plugins, fmt::join(c.folders, ", ")));
  for (const auto& [path, reason] : c.refused) plugins.line("refused: " + reason);
}

void print_text(const Checkup& c) {
  std::cout << "khost " KHOST_VERSION "\n\n";
  print_machine(c);
  print_backends(c);
  print_files(c);
  std::cout << '\n';
  if (c.findings.empty()) std::cout << "All is here.\n";
  for (const bool needed : {true, false}) {
    Section section(needed ? "needed" : "to note");
    for (const Finding& f : c.findings)
      if (f.needed == needed) section.line(f.what + "\n-> " + f.mend);
  }
}

// ---- as JSON ----

template <class Range, class F>
Json list_of(const Range& range, F&& each) {
  Json::List list;
  for (const auto& item : range) list.push_back(each(item));
  return Json(std::move(list));
}

const auto as_string = [](const std::string& s) { return Json(s); };
Json count(std::uintmax_t value) { return static_cast<std::int64_t>(value); }

Json json_of(const ModelSpeed& speed) {
  return Json::object(
      {{"tokens", speed.tokens}, {"gflops", speed.gflops}, {"layers", list_of(speed.layers, [](const LayerSpeed& l) {
                                                              return Json::object({{"name", l.shape.name},
                                                                                   {"out", l.shape.out},
                                                                                   {"in", l.shape.in},
                                                                                   {"count", l.shape.count},
                                                                                   {"gflops", l.gflops},
                                                                                   {"measured_tokens", l.tokens}});
                                                            })}});
}

Json json_of(const BackendCheck& b) {
  Json made = Json::object({{"name", b.name}, {"path", b.path}, {"score", b.score}, {"usable", b.refused.empty()}});
  if (!b.refused.empty()) {
    made.set("reason", b.refused);
    return made;
  }
  made.set("library", b.info.library);
  made.set("version", b.info.version);
  made.set("kernel", b.info.kernel);
  made.set("threads", b.info.threads);
  made.set("speed", list_of(b.speeds, [](const ModelSpeed& s) { return json_of(s); }));
  return made;
}

void print_json(const Checkup& c, bool fit) {
  const auto core = [](const CpuSpeed& s) {
    return Json::object({{"core", s.core}, {"gflops", s.gflops}, {"best", s.best}, {"share", s.share}});
  };
  const auto corpus = [](const CorpusCheck& k) {
    if (k.problem.empty()) return Json::object({{"name", k.name}, {"here", true}, {"path", k.path}});
    return Json::object({{"name", k.name}, {"here", false}, {"problem", k.problem}, {"command", "./bootstrap corpora"}});
  };
  const auto refusal = [](const std::pair<std::string, std::string>& r) {
    return Json::object({{"path", r.first}, {"reason", r.second}});
  };
  const auto finding = [](const Finding& f) { return Json::object({{"needed", f.needed}, {"what", f.what}, {"mend", f.mend}}); };
  Json cache;
  if (c.cache)
    cache = Json::object({{"path", c.cache->path},
                          {"exists", c.cache->exists},
                          {"writable", c.cache->writable},
                          {"bytes", count(c.cache->bytes)},
                          {"free_bytes", count(c.cache->free_bytes)}});
  std::cout << Json::object({{"khost", KHOST_VERSION},
                             {"fit", fit},
                             {"cpu", Json::object({{"name", cpu_name()},
                                                   {"features", list_of(c.features, as_string)},
                                                   {"kernels", kernel_instruction_set()},
                                                   {"threads", c.threads},
                                                   {"quota", c.quota > 0 ? Json(c.quota) : Json()}})},
                             {"cores", list_of(c.cores, core)},
                             {"openmp", list_of(c.openmp, as_string)},
                             {"backends", list_of(c.backends, [](const BackendCheck& b) { return json_of(b); })},
                             {"cache", cache},
                             {"corpora", list_of(c.corpora, corpus)},
                             {"plugins", Json::object({{"count", count(c.plugins)},
                                                       {"folders", list_of(c.folders, as_string)},
                                                       {"refused", list_of(c.refused, refusal)}})},
                             {"findings", list_of(c.findings, finding)}})
                   .pretty()
            << '\n';
}

void doctor(bool json) {
  Checkup checkup;
  checkup.look();
  const auto worst = std::ranges::find(checkup.findings, true, &Finding::needed);
  const bool fit = worst == checkup.findings.end();
  json ? print_json(checkup, fit) : print_text(checkup);
  if (!fit) throw Error(worst->kind, worst->what).hint(worst->mend);
}

}  // namespace

Command doctor_command() {
  Command command("doctor", "this machine, its backends' speed, and what is missing");
  auto& json = command.values<bool>();
  command.flag("json", json, "as JSON, for scripts");
  command.does([&json] { doctor(json); });
  return command;
}

}  // namespace khost
