// khost check: is a plugin fit?
#include "check/check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iostream>

#include "commands.hpp"
#include "completes.hpp"
#include "manifest/parts.hpp"
#include "report/text.hpp"

namespace khost {
namespace {

using Outcome = Checked::Outcome;

// In a column of 4, and in a sentence.
constexpr struct {
  Outcome outcome;
  const char *mark, *word;
} outcomes[] = {{Outcome::passed, "pass", "passed"}, {Outcome::failed, "FAIL", "failed"}, {Outcome::skipped, "skip", "skipped"}};

const auto& words_of(Outcome outcome) {
  return *std::ranges::find(outcomes, outcome, [](const auto& o) { return o.outcome; });
}

void print(const Checked& c) {
  const bool one_line = c.outcome != Outcome::failed;
  std::cout << fmt::format("{}  {:<10}  {}\n", words_of(c.outcome).mark, c.test,
                           one_line ? (c.said.empty() ? c.asks : c.said) : c.asks);
  if (!one_line) std::cout << indented(c.said, 6) << '\n';
}

Json json_of(const Checked& c) {
  Json one{Json::Object{}};
  one.set("component", c.component);
  one.set("test", c.test);
  one.set("asks", c.asks);
  one.set("outcome", words_of(c.outcome).word);
  one.set("said", c.said);
  one.set("seconds", c.seconds);
  return one;
}

struct Options {
  std::string plugin, config, test;
  std::optional<int> seed, timeout;
  bool json = false, in_process = false;
};

void check_and_tell(const Options& o) {
  CheckOptions options;
  options.plugin = o.plugin;
  options.only = o.test;
  options.seed = static_cast<std::uint64_t>(o.seed.value_or(0));
  options.seconds = o.timeout.value_or(options.seconds);
  options.in_process = o.in_process;
  if (!o.config.empty()) options.config = parse_json(o.config, "--config");
  std::string component;
  const std::vector<Checked> all = check_plugin(options, [&](const Checked& c) {
    if (o.json) return;
    if (c.component != component) std::cout << (component.empty() ? "" : "\n") << (component = c.component) << '\n';
    print(c);
    std::cout.flush();
  });
  const auto count = [&](Outcome outcome) { return std::ranges::count(all, outcome, &Checked::outcome); };
  const bool fit = count(Outcome::failed) == 0;
  if (o.json) {
    Json::List tests;
    for (const Checked& c : all) tests.push_back(json_of(c));
    Json result{Json::Object{}};
    result.set("plugin", o.plugin);
    result.set("seed", static_cast<std::int64_t>(options.seed));
    result.set("fit", fit);
    result.set("tests", Json(std::move(tests)));
    std::cout << result.pretty() << '\n';
  } else {
    std::cout << (fit ? "\nfit:" : "\nunfit:");
    for (const auto& [outcome, mark, word] : outcomes)
      std::cout << fmt::format("{} {} {}", outcome == Outcome::passed ? "" : ",", count(outcome), word);
    std::cout << fmt::format("; seed {}\n", options.seed);
  }
  if (!fit) throw Exit{exit_unfit};
}

}  // namespace

Command check_command() {
  Command command("check", "is a plugin fit? Each test in a process of its own");
  auto& o = command.values<Options>();
  command.argument("PLUGIN", o.plugin, "a plugin's name, or the path of its file", {completes::plugins});
  command.option("config", "JSON", o.config, "its parameters, as in a manifest; otherwise its defaults, or what its example has");
  command.option("test", "NAME", o.test, "this test alone", [](const Typed&) {
    std::vector<Candidate> all;
    for (const TestSummary& t : check_tests()) all.push_back({t.name, t.asks});
    return all;
  });
  command.option("seed", "N", o.seed, {0, 1'000'000'000}, "of what the tests draw (0): the same seed, the same tests");
  command.option("timeout", "SECONDS", o.timeout, {1, 86400}, "for each test (60)");
  command.flag("json", o.json, "as JSON, for scripts");
  command.flag("in-process", o.in_process, "with --test: not in a process of its own, for a debugger");
  command.example("check build/plugins/gradient_norm.so");
  command.example("check cblas --config '{\"library\": \"/usr/lib/libmy_blas.so\"}'");
  std::vector<std::string> tests;
  for (const TestSummary& t : check_tests()) tests.push_back(t.name);
  command.note(fmt::format("Tests: {}; docs/check.md says what each asks, and of which kinds. Exit code 3 where one fails.",
                           fmt::join(tests, ", ")));
  command.does([&o] { check_and_tell(o); });
  return command;
}

}  // namespace khost
