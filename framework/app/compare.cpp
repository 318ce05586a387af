// khost compare: two runs side by side, or several with the first of them.
#include <algorithm>
#include <cmath>
#include <deque>
#include <iostream>

#include "artifact/file.hpp"
#include "commands.hpp"
#include "compare/compare.hpp"
#include "completes.hpp"
#include "expected.hpp"

namespace khost {

namespace {

constexpr int width = 100;

struct Options {
  std::vector<std::string> runs, arms;
  std::optional<std::string> rtol, atol, html;
  bool json = false, check = false;
};

double bound_of(const std::string& option, const std::optional<std::string>& text, double usual) {
  if (!text) return usual;
  const std::string number = as_json_number(*text);
  const double value = number.empty() ? std::nan("") : parse_json(number, "--" + option).as_number();
  if (value >= 0) return value;
  throw Error(ErrorKind::usage, "--" + option + " takes a number from 0 on, found '" + *text + "'")
      .hint("for example: --" + option + " 1e-5");
}

std::map<std::string, std::string> arms_of(const std::vector<std::string>& words) {
  std::map<std::string, std::string> arms;
  for (const std::string& word : words) {
    const std::size_t equals = word.find('=');
    if (equals == word.npos || equals == 0 || equals + 1 == word.size())
      throw Error(ErrorKind::usage, "--arms takes A=B, an arm of the first run and the one of the others, found '" + word + "'")
          .hint("for example: --arms K32=K64");
    if (!arms.emplace(word.substr(0, equals), word.substr(equals + 1)).second)
      throw Error(ErrorKind::usage, "--arms pairs '" + word.substr(0, equals) + "' twice").hint("an arm has one counterpart");
  }
  return arms;
}

void compare(const Options& o) {
  CompareOptions options;
  options.tolerance = {bound_of("rtol", o.rtol, options.tolerance.relative),
                       bound_of("atol", o.atol, options.tolerance.absolute)};
  options.arms = arms_of(o.arms);
  std::deque<RunReader> runs;
  for (const std::string& run : o.runs) runs.emplace_back(run);
  std::vector<Comparison> all;
  for (std::size_t i = 1; i < runs.size(); ++i) all.push_back(compare_runs(runs[0], runs[i], options));

  if (o.html) write_file_atomically(*o.html, comparison_page(all));
  if (o.json) {
    Json::List list;
    for (const Comparison& c : all) list.push_back(comparison_json(c));
    std::cout << Json(std::move(list)).pretty() << "\n";
  } else {
    for (const Comparison& c : all) {
      std::cout << (all.size() > 1 ? c.second.folder + ": " : "") << answer_text(c) << "\n" << comparison_text(c, width);
      if (&c != &all.back()) std::cout << "\n";
    }
    std::cout << "all of it: " << (o.html ? *o.html : "--html FILE") << ", or --json; by seed: khost show RUN RECORD --seeds\n";
  }
  const auto is_same = [](const Comparison& c) {
    return c.answer() == Comparison::Answer::identical || c.answer() == Comparison::Answer::same;
  };
  if (o.check && !std::ranges::all_of(all, is_same)) throw Exit{exit_not_the_same};
}

}  // namespace

Command compare_command() {
  Command command("compare", "are two runs the same: backends, machines, versions");
  auto& o = command.values<Options>();
  command.arguments("RUN", 2, o.runs, "folders of runs; the first is what the others are compared with",
                    {completes::runs, expect_run});
  command.option("rtol", "X", o.rtol, "how far apart two values may be, of their size; 1e-4 by default");
  command.option("atol", "X", o.atol, "and beside that in their own unit; 0 by default");
  command.option("arms", "A=B", o.arms, "pair arm A of the first run with arm B of the others");
  command.flag("check", o.check, "exit with 6 unless they are the same, and all of both was compared");
  command.flag("json", o.json, "all of it as JSON, a list with an entry for each comparison");
  command.option("html", "FILE", o.html, "all of it as a page that needs nothing else, into FILE", completes::files);
  command.example("compare runs/paper85/HASH runs/paper85/OTHER");
  command.example("compare before after --rtol 1e-6 --check");
  command.example("compare RUN RUN --arms K32=K64");
  command.note("docs/compare.md says what is paired with what, what the same is, and what the columns are.");
  command.does([&o] { compare(o); });
  return command;
}

}  // namespace khost
