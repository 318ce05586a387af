#include "check/check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <random>
#include <set>

#include "check/isolated.hpp"
#include "check/test.hpp"
#include "inspect/example.hpp"
#include "khost/error.hpp"
#include "manifest/parts.hpp"
#include "plugin/registry.hpp"

namespace khost {

namespace {

using check::Isolated;
using check::Subject;
using check::Test;
namespace fs = std::filesystem;

constexpr std::size_t memory = std::size_t{2} << 30;  // of a test: many times what a small trial takes

const std::vector<Test>& all_tests() {
  static const std::vector<Test> all = [] {
    std::vector<Test> made;
    for (const auto& some : {check::library_tests(), check::schema_tests(), check::probe_tests(), check::graph_tests(),
                             check::optimizer_tests(), check::data_tests(), check::compute_tests()})
      made.insert(made.end(), some.begin(), some.end());
    return made;
  }();
  return all;
}

// Its own, gone with it.
class Scratch {
 public:
  Scratch() {
    std::random_device random;
    path_ = fs::temp_directory_path() / fmt::format("khost-check-{:08x}{:08x}", random(), random());
    fs::create_directories(path_);
  }
  ~Scratch() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Scratch(const Scratch&) = delete;
  std::string path() const { return path_; }

 private:
  fs::path path_;
};

// Found without being loaded.
std::string file_of(const std::string& plugin) {
  if (plugin.find('/') != std::string::npos || plugin.ends_with(".so")) {
    std::error_code error;
    if (!fs::exists(plugin, error)) throw Error(ErrorKind::plugin, "there is no file '" + plugin + "'").hint("is it built?");
    return fs::absolute(plugin);
  }
  return Registry(Registry::default_folders()).file_of(plugin);
}

// What --config gives; else, of a plugin with parameters that have no default, what its author's example has.
Json config_of(const Plugin& plugin, const Json& given) {
  if (!given.as_object().empty()) return given;
  const Schema schema = describe(plugin, nullptr).schema;
  const bool complete = std::ranges::none_of(schema.fields, &Field::required);
  const bool has_example = fs::exists(fs::path(plugin.path).replace_extension(".example.manifest"));
  return complete || !has_example ? given : config_in(example_of(plugin, schema), plugin, schema);
}

// In the process of a test: what it says, as one letter and a text.
std::string outcome_of(const std::function<std::string()>& test) {
  try {
    return "p" + test();
  } catch (const check::Skipped& e) {
    return std::string("s") + e.what();
  } catch (const std::exception& e) {
    return std::string("f") + e.what();
  }
}

// False where the process did not come to its end.
bool take(const Isolated& run, Checked& out) {
  if (!run.whole) {
    out.outcome = Checked::Outcome::failed;
    out.said = fmt::format("the plugin {}", run.ended);
    if (!run.printed.empty()) out.said += "\n" + run.printed;
    out.said += fmt::format("\nunder a debugger: gdb --args khost check PLUGIN --test {} --in-process", out.test);
    return false;
  }
  out.outcome = run.result[0] == 'p'   ? Checked::Outcome::passed
                : run.result[0] == 's' ? Checked::Outcome::skipped
                                       : Checked::Outcome::failed;
  out.said = run.result.substr(1);
  return true;
}

}  // namespace

std::vector<TestSummary> check_tests() {
  std::vector<TestSummary> all{{"entry", "is it a plugin that this khost may load?", "all"}};
  for (const Test& t : all_tests()) {
    std::vector<std::string> kinds;
    for (const Kind kind : t.kinds) kinds.push_back(name_of(kind));
    const std::string of = kinds.empty() ? "all" : joined(kinds);
    // One question may have a test for each of several kinds.
    if (const auto same = std::ranges::find(all, t.name, &TestSummary::name); same != all.end())
      same->kinds += ", " + of;
    else
      all.push_back({std::string(t.name), std::string(t.asks), of});
  }
  return all;
}

std::vector<Checked> check_plugin(const CheckOptions& options, const std::function<void(const Checked&)>& tell) {
  std::vector<std::string> names;
  for (const TestSummary& t : check_tests()) names.push_back(t.name);
  if (!options.only.empty() && std::find(names.begin(), names.end(), options.only) == names.end())
    throw Error(ErrorKind::usage, "there is no test '" + options.only + "'").hint(nearest_and_all(options.only, names, "tests"));
  const std::string file = file_of(options.plugin);
  const Scratch scratch;
  std::vector<Checked> all;
  std::string ended;  // the test of this component whose process did not come to its end: the others would say the same
  // `taken` gets what the test gave, before anybody is told.
  const auto run = [&](Checked begun, const std::function<std::string()>& test, const std::function<void(Checked&)>& taken) {
    const auto start = std::chrono::steady_clock::now();
    const auto work = [&] { return outcome_of(test); };
    const bool whole =
        take(options.in_process ? Isolated{true, work(), "", ""} : check::isolated(work, options.seconds, memory, scratch.path()),
             begun);
    if (!whole) ended = begun.test;
    begun.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (taken) taken(begun);
    all.push_back(std::move(begun));
    tell(all.back());
  };

  std::vector<Kind> kinds;  // of its components: a digit each
  run(
      {file, "entry", "is it a plugin that this khost may load?", {}, {}, 0},
      [&] {
        std::string digits;
        check::load_alone(file);
        for (const Plugin& plugin : load_plugin_file(file)) {
          digits += std::to_string(static_cast<int>(plugin.kind()));
          try {
            if (plugin.kind() != Kind::compute) resolve_config(plugin, config_of(plugin, options.config));
          } catch (const Error& e) {
            throw check::Failure(e.what(),
                                 "the tests make instances, with its defaults and what --config '{\"KEY\": VALUE}' gives");
          }
        }
        return digits;
      },
      [&](Checked& entry) {
        if (entry.outcome != Checked::Outcome::passed) return;
        for (const char digit : entry.said) kinds.push_back(static_cast<Kind>(digit - '0'));
        entry.said.clear();
      });

  for (std::size_t i = 0; i < kinds.size(); ++i) {
    ended.clear();
    std::set<std::string_view> not_passed;
    for (const Test& test : all_tests()) {
      if (!test.kinds.empty() && std::find(test.kinds.begin(), test.kinds.end(), kinds[i]) == test.kinds.end()) continue;
      if (!options.only.empty() && test.name != options.only) continue;
      const std::string without = !ended.empty() ? ended : not_passed.contains(test.after) ? std::string(test.after) : "";
      run({fmt::format("{} '{}'", name_of(kinds[i]), fs::path(file).stem().string()),
           std::string(test.name),
           std::string(test.asks),
           {},
           {},
           0},
          [&]() -> std::string {
            if (!without.empty()) throw check::Skipped(fmt::format("not asked, as '{}' did not pass", without));
            const Plugin& plugin = load_plugin_file(file)[i];
            return test.run({plugin, config_of(plugin, options.config), options.seed, scratch.path()});
          },
          {});
      // One that skips itself says nothing against the next.
      if (all.back().outcome == Checked::Outcome::failed || !without.empty()) not_passed.insert(test.name);
    }
  }
  return all;
}

}  // namespace khost
