#include "plan_signals.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "inspect/json.hpp"
#include "inspect/words.hpp"
#include "plugin/signal_table.hpp"
#include "report/columns.hpp"

namespace khost {
namespace {

// What the probes of one arm ask for: arms that ask for the same share one.
struct Asked {
  std::vector<std::string> arms;
  struct Read {
    std::string signal;
    When when;
    std::vector<std::string> readers;
  };
  std::vector<Read> reads;                                                   // in the order of the table of signals
  std::vector<std::pair<std::string, std::string>> changes, upstream, ends;  // who, and what

  bool same(const Asked& other) const {
    const auto equal = [](const Read& a, const Read& b) {
      return a.signal == b.signal && a.when == b.when && a.readers == b.readers;
    };
    return std::ranges::equal(reads, other.reads, equal) && changes == other.changes && upstream == other.upstream &&
           ends == other.ends;
  }
};

void add_need(std::vector<Asked::Read>& reads, const Signals::Need& need, const std::string& reader) {
  const auto same = [&](const Asked::Read& r) { return r.signal == need.name && r.when == need.when; };
  auto read = std::ranges::find_if(reads, same);
  if (read == reads.end()) read = reads.insert(reads.end(), {need.name, need.when, {}});
  read->readers.push_back(reader);
}

Asked asked_by(const Session& session, const Arm& arm) {
  Asked asked;
  asked.arms = {arm.key()};
  const TrialInfo info = info_of({arm.name, "", 0, 0}, arm, session.materials->arm(arm));
  for (const Component& c : arm.probes) {
    const Signals s = describe(session.registry->get(Kind::probe, c.plugin), &c.config, &info).signals;
    for (const Signals::Need& need : s.needs) add_need(asked.reads, need, c.name);
    for (const std::string& thing : s.modifies) asked.changes.emplace_back(c.name, thing);
    for (const std::string& path : s.reads) asked.upstream.emplace_back(c.name, path);
    for (const Part part : {Part::train, Part::calibration, Part::held_out})
      if (const std::int64_t n = s.evaluation_count(part))
        asked.ends.emplace_back(c.name, fmt::format("{} loss{} on the {} part", n, n == 1 ? "" : "es", name_of(part)));
    if (s.gradient_count) asked.ends.emplace_back(c.name, fmt::format("gradients of {} further batches", s.gradient_count));
  }
  std::ranges::stable_sort(asked.reads, {}, [](const Asked::Read& r) { return find_signal(r.signal); });
  return asked;
}

std::vector<Asked> all_asked(const Session& session) {
  std::vector<Asked> all;
  for (const Arm& arm : session.experiment.arms) {
    Asked asked = asked_by(session, arm);
    if (const auto same = std::ranges::find_if(all, [&](const Asked& a) { return a.same(asked); }); same != all.end())
      same->arms.push_back(arm.key());
    else
      all.push_back(std::move(asked));
  }
  return all;
}

using Pairs = std::vector<std::pair<std::string, std::string>>;

Json json_of(const Pairs& pairs, const char* what) {
  Json::List list;
  for (const auto& [who, thing] : pairs) list.push_back(Json::object({{"probe", who}, {what, thing}}));
  return list;
}

}  // namespace

std::string plan_signals_text(const Session& session) {
  std::string out = fmt::format("{}: what probes read, and what policies change (steps count from 0)\n", session.experiment.name);
  for (const Asked& asked : all_asked(session)) {
    out += fmt::format("\narm{} {}\n", asked.arms.size() == 1 ? "" : "s", fmt::join(asked.arms, ", "));
    Columns table(Columns::Align::left);
    for (const Asked::Read& r : asked.reads) {
      const KnownSignal* known = find_signal(r.signal);
      table.add({"  " + r.signal, when_words(r.when), fmt::format("{}", fmt::join(r.readers, ", ")),
                 known->cost.empty() ? "" : "costs " + std::string(known->cost)});
    }
    for (const auto& [who, thing] : asked.changes) table.add({"  changes " + thing, "", who, ""});
    for (const auto& [who, path] : asked.upstream) table.add({"  " + path, "before the trial", who, ""});
    for (const auto& [who, what] : asked.ends) table.add({"  " + what, "after the last step", who, ""});
    const bool none = asked.reads.empty() && asked.changes.empty() && asked.upstream.empty() && asked.ends.empty();
    out += none ? "  nothing is read or changed\n" : table.text();
  }
  return out;
}

Json plan_signals_json(const Session& session) {
  Json::List arms;
  for (const Asked& asked : all_asked(session)) {
    Json::List reads;
    for (const Asked::Read& r : asked.reads) {
      Json& read = reads.emplace_back(json_of(r.when));
      read.set("signal", r.signal);
      read.set("readers", Json::List(r.readers.begin(), r.readers.end()));
    }
    arms.push_back(Json::object({{"arms", Json::List(asked.arms.begin(), asked.arms.end())},
                                 {"reads", std::move(reads)},
                                 {"changes", json_of(asked.changes, "thing")},
                                 {"reads_records", json_of(asked.upstream, "record")},
                                 {"after_the_last_step", json_of(asked.ends, "what")}}));
  }
  return Json::object({{"experiment", session.experiment.name}, {"arms", std::move(arms)}});
}

}  // namespace khost
