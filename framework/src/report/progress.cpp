#include "report/progress.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>

#include "core/shown.hpp"
#include "report/text.hpp"

namespace khost {
namespace {

constexpr double redraw_period = 0.1;  // seconds
constexpr double silence = 30;         // in a pipe, about what takes long

std::string about(double seconds) { return seconds <= 59 ? fmt::format("{:.0f} s", std::ceil(seconds)) : duration_text(seconds); }

std::string name_of(const TrialKey& key) {
  const std::string draw = key.draw ? fmt::format(" draw {}", key.draw) : "";
  return fmt::format("{}{} {} seed {}", key.base, draw, key.arm, key.seed);
}

double record_of(const TrialResult& result, std::string_view name) {
  const RecordSeries* series = result.find("loss/" + std::string(name));
  if (series && series->has_whole()) return series->whole();
  return std::numeric_limits<double>::quiet_NaN();
}

// "trained K64 seed 2: loss 7.8123 -> 6.0991, 2.4 s"
std::string outcome(const TrialResult& result) {
  const std::string name = name_of(result.key) + ": ";
  if (result.status != "done") return name + "failed: " + one_line(result.message);
  const double base = record_of(result, "base"), final = record_of(result, "final");
  const std::string loss = std::isnan(final) ? "" : fmt::format("loss {:.4f} -> {:.4f}, ", base, final);
  return name + loss + (result.reused ? "from the cache" : duration_text(result.seconds));
}

}  // namespace

std::string same_work(const TrialKey& key) { return key.base + "/" + key.arm; }

ProgressOutput ProgressOutput::standard_error() {
  ProgressOutput output;
  output.write = [](std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), stderr);
    std::fflush(stderr);
  };
  const char* kind = std::getenv("TERM");
  output.is_terminal = ::isatty(STDERR_FILENO) && kind && std::string_view(kind) != "dumb";
  output.size = [] {
    winsize w{};
    if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &w) != 0 || w.ws_col == 0 || w.ws_row == 0) return Size();
    return Size{w.ws_col, w.ws_row};
  };
  output.now = [] { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); };
  return output;
}

Progress::Progress(std::map<std::string, Arm> arms, int jobs, ProgressOutput output)
    : output_(std::move(output)), arms_(std::move(arms)), jobs_(std::max(jobs, 1)), begun_(output_.now()), said_(begun_) {
  for (const auto& [name, arm] : arms_) total_ += arm.trials;
}

Progress::~Progress() { close(); }

void Progress::start(int job, const TrialKey& key, std::int64_t steps) {
  const std::lock_guard lock(mutex_);
  active_[job] = {key, 0, steps, std::numeric_limits<double>::quiet_NaN(), output_.now()};
  redraw();
}

void Progress::step(int job, std::int64_t step, double loss) {
  const std::lock_guard lock(mutex_);
  const auto found = active_.find(job);
  if (found == active_.end()) return;
  found->second.done = step + 1;
  found->second.loss = loss;
  if (output_.is_terminal && output_.now() - drawn_ >= redraw_period) redraw();
}

void Progress::finish(int job, const TrialResult& result) {
  const std::lock_guard lock(mutex_);
  // A trial from the cache may come while its job runs another one.
  if (const auto found = active_.find(job); found != active_.end() && found->second.key.text() == result.key.text())
    active_.erase(found);
  ++finished_;
  const std::string kind = same_work(result.key);
  if (result.status != "done")
    ++failed_;
  else if (result.reused)
    ++reused_;
  else
    taken_[kind].seconds += result.seconds, ++taken_[kind].trials;
  if (const auto arm = arms_.find(kind); arm != arms_.end()) --arm->second.trials;
  // On a terminal the status line says how many are done; only what went wrong needs a line that stays.
  if (!output_.is_terminal || result.status != "done")
    print(fmt::format("[{}/{}] {}\n", finished_, total_, outcome(result)));
  else if (!result.reused || output_.now() - drawn_ >= redraw_period)
    redraw();
}

void Progress::message(std::string_view text) {
  const std::lock_guard lock(mutex_);
  print(std::string(text) + (text.ends_with('\n') ? "" : "\n"));
}

void Progress::detail(const std::string& activity, std::string words) {
  const std::lock_guard lock(mutex_);
  details_[activity] = std::move(words);
}

void Progress::look() {
  const std::lock_guard lock(mutex_);
  if (is_closed_) return;
  if (output_.is_terminal) return redraw();
  const double now = output_.now();
  for (const Activity::Text& activity : Activity::counted()) {
    const std::string line = counted(activity);
    if (now - said_ < silence) continue;
    output_.write(printable(line) + "\n");
    said_ = now;
  }
}

void Progress::look_by_itself() {
  looks_ = std::thread([this] {
    std::unique_lock lock(mutex_);
    while (!closed_.wait_for(lock, std::chrono::milliseconds(250), [this] { return is_closed_; })) {
      lock.unlock();
      look();
      lock.lock();
    }
  });
}

void Progress::close() {
  {
    const std::lock_guard lock(mutex_);
    if (lines_) output_.write(erased());
    lines_ = 0;
    output_.is_terminal = false;
    is_closed_ = true;
  }
  closed_.notify_all();
  if (looks_.joinable()) looks_.join();
}

// Text that stays, above the status lines. It may come from a plugin or a file: no escape sequence in it reaches the terminal.
void Progress::print(const std::string& text) {
  const std::string shown = printable(text);
  said_ = output_.now();
  if (!output_.is_terminal) return output_.write(shown);
  output_.write(erased() + shown);
  lines_ = 0;
  redraw();
}

std::string Progress::erased() const { return lines_ ? fmt::format("\x1b[{}A\r\x1b[J", lines_) : ""; }

void Progress::redraw() {
  if (!output_.is_terminal) return;
  const ProgressOutput::Size size = output_.size();
  const auto width = static_cast<std::size_t>(std::max(size.columns - 1, 10));
  std::string out = erased();
  lines_ = 0;
  for (const auto& [job, trial] : active_) {
    if (lines_ + 2 >= size.rows) break;  // the cursor cannot go back above the screen
    out += clipped(printable(status(trial)), width) + "\n";
    ++lines_;
  }
  for (const Activity::Text& activity : Activity::counted()) {
    if (lines_ + 2 >= size.rows) break;
    out += clipped("  " + printable(counted(activity)), width) + "\n";
    ++lines_;
  }
  out += clipped(overall(), width) + "\n";
  ++lines_;
  output_.write(out);
  drawn_ = output_.now();
}

// "K64 trained seed 2  step 12/40  loss 6.9123"
std::string Progress::status(const Active& trial) const {
  const std::string loss = std::isnan(trial.loss) ? "" : fmt::format("  loss {:.4f}", trial.loss);
  return fmt::format("  {}  step {}/{}{}", name_of(trial.key), trial.done, trial.steps, loss);
}

// "base trained  75/200  loss 6.7534  about 40 s left"
std::string Progress::counted(const Activity::Text& activity) {
  const double now = output_.now();
  auto [at, is_new] = seen_.try_emplace(activity.what, Counted{activity.done, activity.done, now});
  Counted& seen = at->second;
  if (activity.done < seen.done) seen = {activity.done, activity.done, now};  // another one of that name
  seen.done = activity.done;
  std::string text = fmt::format("{}  {}/{}", activity.what, activity.done, activity.total);
  if (const auto words = details_.find(activity.what); words != details_.end() && !words->second.empty())
    text += "  " + words->second;
  const auto made = static_cast<double>(seen.done - seen.from);
  if (made > 0 && activity.done < activity.total)
    text += "  about " + about(static_cast<double>(activity.total - activity.done) * (now - seen.since) / made) + " left";
  return text;
}

std::string Progress::overall() const {
  const double left = seconds_left();
  std::string text = fmt::format("{} {}/{} trials", bar(left), finished_, total_);
  if (reused_) text += fmt::format(", {} from the cache", reused_);
  if (failed_) text += fmt::format(", {} failed", failed_);
  if (finished_ == total_) return text;
  return text + (std::isnan(left) ? "" : ", about " + about(left) + " left");
}

// Of the time that trials take, as far as it is known; else of their number.
std::string Progress::bar(double left) const {
  constexpr int width = 20;
  const double now = output_.now(), taken = now - begun_;
  const double share = finished_ == total_ ? 1
                       : std::isnan(left)  ? static_cast<double>(finished_) / std::max(total_, 1)
                                           : taken / std::max(taken + left, 1e-9);
  const auto full = static_cast<std::size_t>(std::clamp(share, 0.0, 1.0) * width);
  return "[" + std::string(full, '=') + std::string(width - full, ' ') + "]";
}

// An arm's trials take as long as those of it that ran, and as far as running ones are; one of which nothing is known as long as
// its cost says, beside the others.
double Progress::seconds_left() const {
  const double now = output_.now();
  std::map<std::string, Taken> taken = taken_;
  std::map<std::string, double> remaining;
  for (const auto& [name, arm] : arms_) remaining[name] = arm.trials;
  for (const auto& [job, trial] : active_) {
    const double share = trial.steps > 0 ? static_cast<double>(trial.done) / static_cast<double>(trial.steps) : 0;
    Taken& of_arm = taken[same_work(trial.key)];
    of_arm.seconds += now - trial.started, of_arm.trials += share;
    remaining[same_work(trial.key)] -= share;
  }
  double seconds = 0, cost = 0;
  for (const auto& [name, t] : taken)
    if (const auto arm = arms_.find(name); arm != arms_.end() && t.trials > 0)
      seconds += t.seconds, cost += t.trials * arm->second.cost;
  if (!(cost > 0)) return std::numeric_limits<double>::quiet_NaN();
  double left = 0;
  for (const auto& [name, trials] : remaining) {
    const Taken& own = taken[name];
    const auto arm = arms_.find(name);
    const double each = own.trials > 0 ? own.seconds / own.trials : (arm == arms_.end() ? 0 : arm->second.cost) * seconds / cost;
    left += std::max(trials, 0.0) * each;
  }
  return left / jobs_;
}

}  // namespace khost
