// khost clean: what takes room, and what of it goes.
#include <fmt/format.h>

#include <charconv>
#include <filesystem>
#include <iostream>
#include <map>

#include "artifact/cache.hpp"
#include "artifact/temporary.hpp"
#include "commands.hpp"
#include "completes.hpp"
#include "compute/memory.hpp"
#include "manifest/parts.hpp"
#include "report/columns.hpp"
#include "report/text.hpp"
#include "run/housekeeping.hpp"

namespace khost {

namespace {

using Clock = std::chrono::system_clock;

struct Options {
  std::vector<std::string> only;
  std::optional<int> older;
  std::string shrink_to, runs;
  bool yes = false;
};

std::string ago(Clock::time_point used, Clock::time_point now) {
  const auto hours = std::chrono::duration_cast<std::chrono::hours>(now - used).count();
  if (hours < 1) return "now";
  return hours < 48 ? fmt::format("{} h ago", hours) : fmt::format("{} days ago", hours / 24);
}

std::string counted(std::size_t n) { return fmt::format("{} entr{}", n, n == 1 ? "y" : "ies"); }

std::uintmax_t sum_of(const std::vector<KeptEntry>& all) {
  std::uintmax_t sum = 0;
  for (const KeptEntry& k : all) sum += k.bytes;
  return sum;
}

// "500M", "20G": binary multiples, as `du -h` prints them.
std::uintmax_t bytes_of(const std::string& text) {
  std::uintmax_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string unit(end, text.data() + text.size());
  const std::size_t power = std::string_view("BKMGT").find(unit.empty() ? 'B' : unit[0]);
  if (error != std::errc() || unit.size() > 1 || power == std::string_view::npos || number > (UINTMAX_MAX >> (10 * power)))
    throw Error(ErrorKind::usage, "--shrink-to takes a size, found '" + text + "'").hint("for example 500M or 20G");
  return number << (10 * power);
}

void print(const std::string& title, const std::vector<KeptEntry>& all, Clock::time_point now) {
  std::cout << title << ": " << bytes_text(static_cast<double>(sum_of(all))) << "\n";
  std::map<std::string, std::vector<const KeptEntry*>> kinds;
  for (const KeptEntry& k : all) kinds[k.kind].push_back(&k);
  Columns table(Columns::Align::right);
  table.add({"  kind", "entries", "size", "used last", "longest unused"});
  for (const auto& [kind, entries] : kinds) {
    std::uintmax_t bytes = 0;
    Clock::time_point first = now, last{};
    for (const KeptEntry* k : entries) bytes += k->bytes, first = std::min(first, k->used), last = std::max(last, k->used);
    table.add({"  " + kind, grouped(std::to_string(entries.size())), bytes_text(static_cast<double>(bytes)), ago(last, now),
               ago(first, now)});
  }
  if (!kinds.empty()) std::cout << table.text();
}

void clean(const Options& o) {
  const std::string root = Cache::default_root();
  std::optional<CleaningCache> alone;  // before anything is looked at
  if (o.yes) alone.emplace(root);
  const auto now = Clock::now();
  std::vector<KeptEntry> all = cache_entries(root);
  print("cache " + root, all, now);
  if (!o.runs.empty()) {
    std::error_code none;
    if (!std::filesystem::is_directory(o.runs, none))
      throw Error(ErrorKind::usage, "--runs: there is no folder '" + o.runs + "'");
    std::vector<KeptEntry> runs = run_entries(o.runs);
    print("runs in " + o.runs, runs, now);
    std::ranges::move(runs, std::back_inserter(all));
  }
  std::vector<std::string> kinds;
  for (const KeptEntry& k : all)
    if (std::ranges::find(kinds, k.kind) == kinds.end()) kinds.push_back(k.kind);
  for (const std::string& kind : o.only)
    if (std::ranges::find(kinds, kind) == kinds.end() && !(kind == "runs" && !o.runs.empty()))
      throw Error(ErrorKind::usage, "--only: there is nothing of the kind '" + kind + "'")
          .hint(nearest_and_all(kind, kinds, "kinds"));

  CleanRule rule{o.only, {}, {}};
  if (o.older) rule.older = std::chrono::hours(24) * *o.older;
  if (!o.shrink_to.empty()) rule.shrink_to = bytes_of(o.shrink_to);
  const bool asks = !o.only.empty() || rule.older || rule.shrink_to;
  const std::vector<KeptEntry> goes = asks ? chosen(all, rule, now) : std::vector<KeptEntry>();
  if (!o.yes) {
    std::cout << (asks ? fmt::format("\n{}, {}, would be removed; --yes removes them\n", counted(goes.size()),
                                     bytes_text(static_cast<double>(sum_of(goes))))
                       : "\nnothing is removed: --older, --shrink-to and --only say what, --yes does it\n");
    return;
  }
  remove_leftovers(root);
  std::size_t kept = 0;
  for (const KeptEntry& k : goes) kept += !remove(k);
  std::cout << fmt::format("\n{}, {}, removed\n", counted(goes.size() - kept), bytes_text(static_cast<double>(sum_of(goes))));
  if (kept) throw Error(ErrorKind::usage, counted(kept) + " could not be removed").hint("may you write to these folders?");
}

}  // namespace

Command clean_command() {
  Command command("clean", "what the cache and runs take, and what of it goes");
  auto& o = command.values<Options>();
  command.option("only", "KIND", o.only, "of this kind alone, as the table names it; may be repeated");
  command.option("older", "DAYS", o.older, {0, 100000}, "what was not used for so long");
  command.option("shrink-to", "SIZE", o.shrink_to, "until so much is left, what was used last (500M, 20G)");
  command.option("runs", "FOLDER", o.runs, "runs' folders in there, too", completes::folders);
  command.flag("yes", o.yes, "remove it; without, nothing is");
  command.example("clean");
  command.example("clean --older 30 --yes");
  command.example("clean --only checkpoints --only trials --shrink-to 2G");
  command.note(
      "What is removed is computed again when it is needed. The ledger of claims and the corpora are never removed, and nothing "
      "while "
      "a run uses the cache. --yes also removes what killed processes left.");
  command.does([&o] { clean(o); });
  return command;
}

}  // namespace khost
