// khost check: is a plugin fit?
#include "check/check.hpp"

#include <fmt/format.h>

#include <iostream>

#include "commands.hpp"
#include "completes.hpp"
#include "manifest/parts.hpp"

namespace khost {
namespace {

const char* word_of(Checked::Outcome outcome) {
  return outcome == Checked::Outcome::passed ? "pass" : outcome == Checked::Outcome::failed ? "FAIL" : "skip";
}

void print(const Checked& c) {
  const bool one_line = c.outcome != Checked::Outcome::failed;
  std::cout << fmt::format("{}  {:<10}  {}\n", word_of(c.outcome), c.test,
                           one_line ? (c.said.empty() ? c.asks : c.said) : c.asks);
  if (one_line) return;
  std::string text = c.said;
  for (std::size_t at = 0; (at = text.find('\n', at)) != std::string::npos; ++at) text.insert(at + 1, "      ");
  std::cout << "      " << text << '\n';
}

Json json_of(const Checked& c) {
  Json one{Json::Object{}};
  one.set("component", c.component);
  one.set("test", c.test);
  one.set("asks", c.asks);
  one.set("outcome", c.outcome == Checked::Outcome::passed   ? "passed"
                     : c.outcome == Checked::Outcome::failed ? "failed"
                                                             : "skipped");
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
  std::size_t passed = 0, failed = 0, skipped = 0;
  for (const Checked& c : all)
    ++(c.outcome == Checked::Outcome::passed ? passed : c.outcome == Checked::Outcome::failed ? failed : skipped);
  if (o.json) {
    Json::List tests;
    for (const Checked& c : all) tests.push_back(json_of(c));
    Json result{Json::Object{}};
    result.set("plugin", o.plugin);
    result.set("seed", static_cast<std::int64_t>(options.seed));
    result.set("fit", failed == 0);
    result.set("tests", Json(std::move(tests)));
    std::cout << result.pretty() << '\n';
  } else {
    std::cout << fmt::format("\n{}: {} passed, {} failed, {} skipped; seed {}\n", failed ? "unfit" : "fit", passed, failed,
                             skipped, options.seed);
  }
  if (failed) throw Exit{exit_unfit};
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
