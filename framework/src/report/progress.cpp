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

Progress::Progress(int total_trials, int jobs, ProgressOutput output)
    : output_(std::move(output)), total_(total_trials), jobs_(std::max(jobs, 1)) {}

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
  if (result.status != "done")
    ++failed_;
  else if (result.reused)
    ++reused_;
  else
    finished_seconds_ += result.seconds;
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

void Progress::close() {
  const std::lock_guard lock(mutex_);
  if (lines_) output_.write(erased());
  lines_ = 0;
  output_.is_terminal = false;
}

// Text that stays, above the status lines. It may come from a plugin or a file: no escape sequence in it reaches the terminal.
void Progress::print(const std::string& text) {
  const std::string shown = printable(text);
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

std::string Progress::overall() const {
  std::string text = fmt::format("[{}/{}]", finished_, total_);
  if (reused_) text += fmt::format(" {} from the cache,", reused_);
  if (failed_) text += fmt::format(" {} failed,", failed_);
  const double left = seconds_left();
  return text + (std::isnan(left) ? " estimating the time left"
                                  : fmt::format(" about {} left",
                                                left <= 59 ? fmt::format("{:.0f} s", std::ceil(left)) : duration_text(left)));
}

// Job seconds per trial so far, running trials counted by their share of steps, times the trials that remain, over the jobs.
double Progress::seconds_left() const {
  const double now = output_.now();
  double seconds = finished_seconds_, trials = finished_ - reused_ - failed_, remaining = total_ - finished_;
  for (const auto& [job, trial] : active_) {
    const double share = trial.steps > 0 ? static_cast<double>(trial.done) / static_cast<double>(trial.steps) : 0;
    seconds += now - trial.started;
    trials += share;
    remaining -= share;
  }
  if (!(trials > 0)) return std::numeric_limits<double>::quiet_NaN();
  return std::max(remaining, 0.0) * (seconds / trials) / jobs_;
}

}  // namespace khost
