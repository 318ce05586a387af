#include "report/chosen.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "manifest/parts.hpp"
#include "plan/patterns.hpp"
#include "report/columns.hpp"
#include "report/csv.hpp"
#include "report/figures.hpp"
#include "report/not_finite.hpp"
#include "report/text.hpp"

namespace khost {
namespace {

constexpr std::size_t most_steps = 24;  // of a series on a screen

std::string trial_name(const ChosenRecord::OfTrial& t) {
  return t.draw ? fmt::format("draw {} seed {}", t.draw, t.seed) : fmt::format("seed {}", t.seed);
}

double value_at(const ChosenRecord::OfTrial& trial, std::int64_t step) {
  if (step < 0) return trial.whole.value_or(std::numeric_limits<double>::quiet_NaN());
  const auto found = std::ranges::lower_bound(trial.points, step, {}, &std::pair<std::int64_t, double>::first);
  return found != trial.points.end() && found->first == step ? found->second : std::numeric_limits<double>::quiet_NaN();
}

// Mean and interval of a step over the trials that have it, or each trial's value.
std::vector<std::string> cells(const ChosenRecord& record, std::int64_t step, bool by_seed) {
  std::vector<double> values;
  for (const auto& trial : record.trials) values.push_back(value_at(trial, step));
  const Interval over = summarize(values);
  const NumberStyle style = style_of(record.unit, over.mean);
  if (!by_seed) return {number_text(over.mean, style), interval_text(over, style), std::to_string(over.n)};
  std::vector<std::string> out;
  for (const double value : values) out.push_back(number_text(value, style));
  return out;
}

std::vector<std::string> heads(const ChosenRecord& record, bool by_seed) {
  if (!by_seed) return {"mean", "95 % interval", "n"};
  std::vector<std::string> out;
  for (const auto& trial : record.trials) out.push_back(trial_name(trial));
  return out;
}

std::vector<std::string> row_of(std::string label, std::vector<std::string> cells) {
  cells.insert(cells.begin(), std::move(label));
  return cells;
}

std::string series_text(const ChosenRecord& record, bool by_seed) {
  std::set<std::int64_t> all;
  for (const auto& trial : record.trials)
    for (const auto& [step, _] : trial.points) all.insert(step);
  std::vector<std::int64_t> steps(all.begin(), all.end());
  std::string note;
  if (steps.size() > most_steps) {  // the first, the last, and evenly between
    std::vector<std::int64_t> few;
    for (std::size_t i = 0; i < most_steps; ++i) few.push_back(steps[i * (steps.size() - 1) / (most_steps - 1)]);
    note = fmt::format("; {} of {} steps: --csv and --json have all", most_steps, grouped(std::to_string(steps.size())));
    steps = std::move(few);
  }
  Columns table(Columns::Align::right);
  table.add(row_of("  step", heads(record, by_seed)));
  for (const std::int64_t step : steps) table.add(row_of("  " + std::to_string(step), cells(record, step, by_seed)));
  return fmt::format("{} ({}), {} trial{}{}\n", record.path(), record.unit, record.trials.size(),
                     record.trials.size() == 1 ? "" : "s", note) +
         table.text();
}

// Those of one base and arm whose trials are the same ones share a heading.
std::string seeds_text(const std::vector<const ChosenRecord*>& records) {
  std::string out;
  for (std::size_t i = 0; i < records.size();) {
    Columns table(Columns::Align::right);
    const std::vector<std::string> head = heads(*records[i], true);
    table.add(row_of(records[i]->base + "/" + records[i]->arm, head));
    const std::size_t first = i;
    for (; i < records.size() && records[i]->base == records[first]->base && records[i]->arm == records[first]->arm &&
           heads(*records[i], true) == head;
         ++i)
      table.add(row_of("  " + records[i]->probe + "/" + records[i]->name + " (" + records[i]->unit + ")",
                       cells(*records[i], -1, true)));
    out += (out.empty() ? "" : "\n") + table.text();
  }
  return out;
}

[[noreturn]] void nothing(const std::string& what, const std::string& wanted, const std::vector<std::string>& there,
                          const char* things) {
  throw Error(ErrorKind::usage, "this run has no " + what + " '" + wanted + "'").hint(nearest_and_all(wanted, there, things));
}

}  // namespace

bool RecordChoice::takes(const TrialKey& trial) const {
  return (!base || *base == trial.base) && (!arm || *arm == trial.arm) && (!seed || *seed == trial.seed) &&
         (!draw || *draw == trial.draw);
}

bool RecordChoice::takes(const std::string& path) const {
  if (pattern.empty()) return true;
  for (std::size_t at = 0; at != path.npos; at = path.find('/', at)) {
    if (at) ++at;
    const std::string_view rest = std::string_view(path).substr(at);
    if (wildcard(pattern, rest) || wildcard(pattern + "/*", rest)) return true;
  }
  return false;
}

bool ChosenRecord::has_whole() const {
  return std::ranges::any_of(trials, [](const OfTrial& t) { return t.whole.has_value(); });
}
bool ChosenRecord::has_steps() const {
  return std::ranges::any_of(trials, [](const OfTrial& t) { return !t.points.empty(); });
}

void check_trials(const Run& run, const RecordChoice& choice) {
  std::vector<std::string> bases, arms, draws, seeds;
  const auto add = [](std::vector<std::string>& to, const std::string& name) {
    if (std::ranges::find(to, name) == to.end()) to.push_back(name);
  };
  for (const TrialResult& t : run.trials) {
    add(bases, t.key.base), add(arms, t.key.arm);
    add(draws, std::to_string(t.key.draw)), add(seeds, std::to_string(t.key.seed));
  }
  const auto check = [](const std::optional<std::string>& wanted, const std::vector<std::string>& there, const char* what) {
    if (wanted && std::ranges::find(there, *wanted) == there.end())
      nothing(what, *wanted, there, (std::string(what) + "s").c_str());
  };
  check(choice.base, bases, "base"), check(choice.arm, arms, "arm");
  if (choice.draw) check(std::to_string(*choice.draw), draws, "draw");
  if (choice.seed) check(std::to_string(*choice.seed), seeds, "seed");
}

void each_chosen(const RunReader& reader, const Run& run, const RecordChoice& choice,
                 const std::function<void(const TrialResult&, const Record&)>& visit) {
  check_trials(run, choice);
  std::set<std::string> probes;
  bool is_any_done = false, is_any_taken = false;
  for (const BaseFigures& base : figures_of(run, {}))
    for (const ArmFigures& arm : base.arms)
      for (const TrialResult* trial : arm.trials) {
        if (trial->status != "done" || !choice.takes(trial->key)) continue;
        is_any_done = true;
        reader.each_record(
            trial->key,
            [&](const Record& r) {
              is_any_taken = true;
              visit(*trial, r);
            },
            [&](const std::string& probe, const std::string& name) {
              probes.insert(probe + "/" + name);
              return choice.takes(base.base + "/" + arm.arm + "/" + probe + "/" + name);
            });
      }
  if (!is_any_done) throw Error(ErrorKind::usage, "no trial of these is finished in " + reader.folder());
  if (is_any_taken) return;
  Error error(ErrorKind::usage, "no record of this run is named '" + choice.pattern + "'");
  if (const std::string near = did_you_mean(choice.pattern, probes); !near.empty()) error.hint(near);
  throw error.hint("a pattern is a path BASE/ARM/PROBE/NAME from any of its parts on, with * for any run of characters");
}

std::vector<ChosenRecord> choose_records(const RunReader& reader, const Run& run, const RecordChoice& choice) {
  std::vector<ChosenRecord> out;
  std::map<std::string, std::size_t> at;  // by path
  const TrialResult* last = nullptr;
  ChosenRecord* record = nullptr;
  each_chosen(reader, run, choice, [&](const TrialResult& trial, const Record& r) {
    if (last != &trial || record->name != r.name || record->probe != r.probe) {
      const TrialKey& key = trial.key;
      const auto [found, is_new] = at.try_emplace(key.base + "/" + key.arm + "/" + r.probe + "/" + r.name, out.size());
      if (is_new) out.push_back({key.base, key.arm, r.probe, r.name, r.unit, {}});
      record = &out[found->second];
      record->trials.push_back({key.draw, key.seed});
      last = &trial;
    }
    ChosenRecord::OfTrial& own = record->trials.back();
    if (r.step < 0)
      own.whole = r.value;
    else
      own.points.emplace_back(r.step, r.value);
  });
  return out;
}

std::string records_text(const std::vector<ChosenRecord>& records, const Run& run, const Published& published, bool by_seed,
                         std::size_t width) {
  std::vector<const ChosenRecord*> whole;
  std::set<std::string> paths;
  for (const ChosenRecord& r : records)
    if (r.has_whole()) whole.push_back(&r), paths.insert(r.path());
  std::string out;
  if (by_seed)
    out = seeds_text(whole);
  else if (!whole.empty())
    out = chosen_figures(run, published, width, [&](const std::string& path) { return paths.contains(path); });
  for (const ChosenRecord& r : records)
    if (r.has_steps()) out += (out.empty() ? "" : "\n") + series_text(r, by_seed);
  return out;
}

std::string records_csv(const std::vector<ChosenRecord>& records) {
  std::string out = records_csv_head + std::string("\n");
  for (const ChosenRecord& r : records)
    for (const auto& trial : r.trials) {
      const std::string key = csv_trial({r.arm, r.base, trial.draw, trial.seed});
      if (trial.whole) out += csv_line(key, {r.probe, r.name, -1, *trial.whole, r.unit}) + "\n";
      for (const auto& [step, value] : trial.points) out += csv_line(key, {r.probe, r.name, step, value, r.unit}) + "\n";
    }
  return out;
}

Json records_json(const std::vector<ChosenRecord>& records) {
  Json::List all;
  for (const ChosenRecord& r : records) {
    Json::List trials;
    for (const auto& t : r.trials) {
      Json trial = Json::object({{"draw", t.draw}, {"seed", Json(t.seed)}});
      if (t.whole) trial.set("value", number_json(*t.whole));
      if (!t.points.empty()) {
        Json::List steps, values;
        for (const auto& [step, value] : t.points) steps.push_back(step), values.push_back(number_json(value));
        trial.set("steps", std::move(steps));
        trial.set("values", std::move(values));
      }
      trials.push_back(std::move(trial));
    }
    Json record = Json::object({{"record", r.path()}, {"unit", r.unit}});
    record.set("trials", std::move(trials));
    all.push_back(std::move(record));
  }
  return all;
}

}  // namespace khost
