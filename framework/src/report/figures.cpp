#include "report/figures.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <tuple>

namespace khost {
namespace {

template <class Item>
Item& named(std::vector<Item>& items, std::string Item::*member, const std::string& name) {
  for (Item& item : items)
    if (item.*member == name) return item;
  items.emplace_back().*member = name;
  return items.back();
}

int rank_of(const Figure& figure) { return figure.probe == "loss" ? 0 : figure.probe == "parameters" ? 1 : 2; }

void gather(ArmFigures& arm) {
  std::stable_sort(arm.trials.begin(), arm.trials.end(), [](const TrialResult* a, const TrialResult* b) {
    return std::tie(a->key.draw, a->key.seed) < std::tie(b->key.draw, b->key.seed);
  });
  std::map<std::pair<std::string, std::string>, std::size_t> index;
  std::vector<std::string> probes;
  for (std::size_t i = 0; i < arm.trials.size(); ++i) {
    if (arm.trials[i]->status != "done") continue;
    for (const RecordSeries& r : arm.trials[i]->series) {
      if (!r.has_whole()) continue;
      const auto [at, is_new] = index.try_emplace({r.probe, r.name}, arm.figures.size());
      if (is_new) {
        const std::vector<double> none(arm.trials.size(), std::numeric_limits<double>::quiet_NaN());
        arm.figures.push_back(
            {.probe = r.probe, .name = r.name, .unit = r.unit, .values = none, .interval = {}, .published = nullptr});
        if (std::find(probes.begin(), probes.end(), r.probe) == probes.end()) probes.push_back(r.probe);
      }
      arm.figures[at->second].values[i] = r.whole();
    }
  }
  const auto place = [&](const Figure& f) {
    return std::pair(rank_of(f), std::find(probes.begin(), probes.end(), f.probe) - probes.begin());
  };
  std::stable_sort(arm.figures.begin(), arm.figures.end(), [&](const Figure& a, const Figure& b) { return place(a) < place(b); });
}

std::optional<Band> null_of(const Run& run, const std::string& base, const std::string& arm, const Figure& figure) {
  const auto of_arm = run.nulls.find({base, arm});
  if (of_arm == run.nulls.end()) return std::nullopt;
  const auto found = of_arm->second.find(figure.label());
  return found == of_arm->second.end() ? std::nullopt : std::optional(found->second);
}

// Of values of which one is infinite the mean is, and its spread is not known.
Interval interval_of(const std::vector<double>& values) {
  Interval interval = summarize(values);
  bool up = false, down = false;
  for (const double v : values) up = up || (std::isinf(v) && v > 0), down = down || (std::isinf(v) && v < 0);
  if (!up && !down) return interval;
  constexpr double infinity = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  return {interval.n, up && down ? nan : up ? infinity : -infinity, nan, nan, nan};
}

std::string counted(int n, const std::string& what) { return std::to_string(n) + " " + what + (n == 1 ? "" : "s"); }

}  // namespace

std::string interval_text(const Interval& i, const NumberStyle& style) {
  if (i.n < 2 || !std::isfinite(i.mean)) return "";
  return i.sd == 0 ? "no spread" : number_text(i.low, style) + " .. " + number_text(i.high, style);
}

std::vector<BaseFigures> figures_of(const Run& run, const std::vector<PublishedFigure>& published) {
  std::vector<BaseFigures> bases;
  for (const TrialResult& trial : run.trials)
    named(named(bases, &BaseFigures::base, trial.key.base).arms, &ArmFigures::arm, trial.key.arm).trials.push_back(&trial);

  std::map<std::string, const PublishedFigure*> by_record;
  for (const PublishedFigure& p : published) by_record.emplace(p.record, &p);
  for (BaseFigures& base : bases)
    for (ArmFigures& arm : base.arms) {
      gather(arm);
      for (Figure& figure : arm.figures) {
        figure.interval = interval_of(figure.values);
        figure.null = null_of(run, base.base, arm.arm, figure);
        if (const auto found = by_record.find(arm.arm + "/" + figure.label()); found != by_record.end())
          figure.published = found->second;
      }
    }
  return bases;
}

FiguresByRecord by_record(const BaseFigures& base) {
  FiguresByRecord out;
  for (const ArmFigures& arm : base.arms)
    for (const Figure& f : arm.figures) out.emplace(arm.arm + "/" + f.label(), std::pair(&arm, &f));
  return out;
}

double compared_value(const PublishedFigure& figure, const std::vector<PublishedFigure>& published) {
  const auto from = std::ranges::find(published, figure.below, &PublishedFigure::record);
  return from == published.end() ? figure.value : from->value - figure.value;
}

double log_ratio(const PublishedFigure& figure, const std::vector<PublishedFigure>& published, const FiguresByRecord& of) {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  const auto found = of.find(figure.record);
  if (found == of.end()) return nan;
  double value = found->second.second->interval.mean, printed = figure.value;
  if (const auto from = of.find(figure.below); from != of.end())
    value = from->second.second->interval.mean - value, printed = compared_value(figure, published);
  return value > 0 && printed > 0 ? std::log(value / printed) : nan;
}

std::vector<const PublishedFigure*> unmatched(const std::vector<BaseFigures>& bases,
                                              const std::vector<PublishedFigure>& published) {
  std::vector<const PublishedFigure*> result;
  for (const PublishedFigure& p : published) result.push_back(&p);
  for (const BaseFigures& base : bases)
    for (const ArmFigures& arm : base.arms)
      for (const Figure& figure : arm.figures) std::erase(result, figure.published);
  return result;
}

TrialCounts count_trials(const Run& run) {
  TrialCounts counts;
  for (const TrialResult& trial : run.trials)
    ++(trial.status == "failed" ? counts.failed
       : trial.status != "done" ? counts.unfinished
       : trial.reused           ? counts.reused
                                : counts.run);
  return counts;
}

std::string text_of(const TrialCounts& counts) {
  std::string text = counted(counts.run + counts.reused + counts.failed + counts.unfinished, "trial") + ": " +
                     std::to_string(counts.run) + " run";
  if (counts.reused) text += ", " + std::to_string(counts.reused) + " from the cache";
  if (counts.failed) text += ", " + std::to_string(counts.failed) + " failed";
  if (counts.unfinished) text += ", " + std::to_string(counts.unfinished) + " not finished";
  return text;
}

std::string text_of(const Environment& e) {
  std::string text = e.backend;
  if (!e.library.empty()) {
    text += " (" + e.library;
    if (!e.library_version.empty()) text += " " + e.library_version;
    if (!e.kernel.empty()) text += ", " + e.kernel;
    text += ")";
  }
  text += ", " + counted(e.jobs, "job") + " of " + counted(e.threads, "thread");
  if (!e.cpu.empty()) text += ", " + e.cpu;
  return text;
}

std::string Footnotes::mark(const PublishedFigure& figure) {
  if (figure.note.empty()) return "";
  auto found = std::find(notes_.begin(), notes_.end(), figure.note);
  if (found == notes_.end()) found = notes_.insert(found, figure.note);
  return "[" + std::to_string(found - notes_.begin() + 1) + "]";
}

}  // namespace khost
