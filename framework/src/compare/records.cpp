#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <set>
#include <tuple>

#include "compare/pairs.hpp"

namespace khost {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity(), missing = std::numeric_limits<double>::quiet_NaN();

bool is_same_bits(double a, double b) {
  return (std::isnan(a) && std::isnan(b)) || std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
}

// How far two values are apart; infinitely where only one is missing or infinite.
double distance(double a, double b) {
  const double d = std::fabs(a - b);
  return a == b ? 0 : std::isfinite(d) ? d : infinity;
}

// Near a zero that a record passes through, no difference is small beside the value there: the size of a point is the largest
// value of the last few steps.
class RecentSize {
 public:
  void add(double a, double b) {
    for (const double v : {a, b})
      if (std::isfinite(v)) last_[at_] = std::max(last_[at_], std::fabs(v));
    at_ = (at_ + 1) % last_.size();
    last_[at_] = 0;
  }
  double size() const { return std::ranges::max(last_); }

 private:
  std::array<double, 17> last_{};  // of 16 steps, and the next one's place
  std::size_t at_ = 0;
};

// The pairs' values of one record, until all pairs are there.
class Gathered {
 public:
  Gathered(ComparedRecord record, const Tolerance& tolerance) : out_(std::move(record)), tolerance_(tolerance) {}

  void begin_trial() { recent_ = {}, sum_first_ = sum_difference_ = 0, steps_ = 0; }

  void both(const ComparedRecord::At& at, double a, double b) {
    if (!out_.by_step) {
      whole_.push_back({at, a, b});
      return;
    }
    recent_.add(a, b);
    if (is_same_bits(a, b))
      ++out_.points, ++out_.identical;
    else
      point(at, a, b, recent_.size());
    if (std::isfinite(a) && std::isfinite(b)) sum_first_ += a, sum_difference_ += b - a, ++steps_;
  }

  void end_trial() {
    if (!out_.by_step || steps_ == 0) return;
    firsts_.push_back(sum_first_ / static_cast<double>(steps_));
    differences_.push_back(sum_difference_ / static_cast<double>(steps_));
  }

  void only(bool is_first) { ++(is_first ? out_.only_first : out_.only_second); }

  ComparedRecord finish() {
    finish_whole();
    out_.difference = summarize(differences_);
    out_.spread = firsts_.size() < 2 ? missing : summarize(firsts_).sd;
    double most = 0;
    for (const double d : differences_) most = std::max(most, std::fabs(d));
    out_.largest_by_spread = out_.spread > 0 ? most / out_.spread : missing;
    out_.sameness = out_.points == 0                ? Sameness::one_sided
                    : out_.identical == out_.points ? Sameness::identical
                    : out_.outside == 0             ? Sameness::same
                                                    : Sameness::differs;
    return std::move(out_);
  }

 private:
  struct Whole {
    ComparedRecord::At at;
    double a, b;
  };

  // One that is not the same bit for bit.
  void point(const ComparedRecord::At& at, double a, double b, double size) {
    ++out_.points;
    const double d = distance(a, b);
    out_.relative = std::max(out_.relative, d == 0 ? 0 : size > 0 ? d / size : infinity);
    if (d > largest_ || out_.points - out_.identical == 1) largest_ = d, out_.largest = at, out_.first = a, out_.second = b;
    if (tolerance_.takes(d, size)) return;
    ++out_.outside;
    if (out_.by_step && (!out_.first_outside || at.step < out_.first_outside->step)) out_.first_outside = at;
  }

  // Values of whole trials: one that happens to be near zero is small beside those of the other seeds.
  void finish_whole() {
    double squares = 0;
    std::size_t n = 0;
    for (const Whole& w : whole_)
      if (std::isfinite(w.a)) squares += w.a * w.a, ++n;
    const double usual = n ? std::sqrt(squares / static_cast<double>(n)) : 0;
    for (const auto& [at, a, b] : whole_) {
      if (std::isfinite(a) && std::isfinite(b)) firsts_.push_back(a), differences_.push_back(b - a);
      if (is_same_bits(a, b)) {
        ++out_.points, ++out_.identical;
        continue;
      }
      double size = usual;
      for (const double v : {a, b})
        if (std::isfinite(v)) size = std::max(size, std::fabs(v));
      point(at, a, b, size);
    }
  }

  ComparedRecord out_;
  const Tolerance& tolerance_;
  std::vector<Whole> whole_;
  std::vector<double> firsts_, differences_;  // by trial
  double largest_ = 0;
  RecentSize recent_;
  double sum_first_ = 0, sum_difference_ = 0;  // of the trial in hand
  std::int64_t steps_ = 0;
};

// Reads both trials of a pair side by side: a trial may have more points than memory.
class Reading {
 public:
  explicit Reading(const Tolerance& tolerance) : tolerance_(tolerance) {}

  void pair(const RunReader& first, const RunReader& second, const TrialPair& pair) {
    pair_ = &pair;
    RunReader::Cursor a = first.records_of(pair.first->key), b = second.records_of(pair.second->key);
    Record x, y;
    bool has_x = a.next(x), has_y = b.next(y);
    while (has_x || has_y) {
      const auto order = !has_y   ? std::strong_ordering::less
                         : !has_x ? std::strong_ordering::greater
                                  : std::tie(x.probe, x.name, x.step) <=> std::tie(y.probe, y.name, y.step);
      if (pair.same_hash() && (order != 0 || !is_same_bits(x.value, y.value))) contradictions_.insert(pair.first->key.text());
      if (order == 0)
        of(x).both({pair.first->key.draw, pair.first->key.seed, x.step}, x.value, y.value);
      else
        of(order < 0 ? x : y).only(order < 0);
      if (order <= 0) has_x = a.next(x);
      if (order >= 0) has_y = b.next(y);
    }
    if (current_) all_[*current_].end_trial();
    current_.reset();
  }

  // Trials that are the same one by their hash, and yet have other records.
  const std::set<std::string>& contradictions() const { return contradictions_; }

  std::vector<ComparedRecord> finish() {
    std::vector<ComparedRecord> out;
    for (Gathered& record : all_) out.push_back(record.finish());
    return out;
  }

 private:
  Gathered& of(const Record& r) {
    const bool by_step = r.step >= 0;
    if (current_ && by_step == by_step_ && r.name == name_ && r.probe == probe_) return all_[*current_];
    if (current_) all_[*current_].end_trial();
    probe_ = r.probe, name_ = r.name, by_step_ = by_step;
    const std::string &base = pair_->first->key.base, arm = pair_->arm();
    const auto [found, is_new] = index_.try_emplace({base, arm, r.probe, r.name, by_step}, all_.size());
    if (is_new) {
      ComparedRecord record;
      record.base = base, record.arm = arm, record.probe = r.probe, record.name = r.name, record.unit = r.unit;
      record.by_step = by_step;
      all_.emplace_back(std::move(record), tolerance_);
    }
    current_ = found->second;
    all_[*current_].begin_trial();
    return all_[*current_];
  }

  const Tolerance& tolerance_;
  const TrialPair* pair_ = nullptr;
  std::map<std::tuple<std::string, std::string, std::string, std::string, bool>, std::size_t> index_;
  std::vector<Gathered> all_;
  std::set<std::string> contradictions_;
  std::optional<std::size_t> current_;
  std::string probe_, name_;
  bool by_step_ = false;
};

// Worse first.
int rank_of(Sameness sameness) {
  return sameness == Sameness::differs ? 0 : sameness == Sameness::one_sided ? 1 : sameness == Sameness::same ? 2 : 3;
}

}  // namespace

bool Tolerance::takes(double difference, double size) const {
  return std::isfinite(difference) && std::isfinite(size) && difference <= absolute + relative * size;
}

std::vector<ComparedRecord> compare_records(const RunReader& first, const RunReader& second, const Pairs& pairs,
                                            const Tolerance& tolerance, std::vector<std::string>& notes) {
  Reading all(tolerance);
  for (const TrialPair& pair : pairs.finished) all.pair(first, second, pair);
  std::vector<ComparedRecord> records = all.finish();
  std::ranges::stable_sort(records, [](const ComparedRecord& a, const ComparedRecord& b) {
    return std::pair(rank_of(a.sameness), -a.relative) < std::pair(rank_of(b.sameness), -b.relative);
  });
  if (const std::set<std::string>& trials = all.contradictions(); !trials.empty())
    notes.push_back(
        fmt::format("the hash says that both have the same trial, and yet its records are others: {}{}. One of the two was not "
                    "computed as its hash says, or was changed since",
                    *trials.begin(), trials.size() == 1 ? "" : fmt::format(", and {} more", trials.size() - 1)));
  return records;
}

}  // namespace khost
