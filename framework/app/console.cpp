#include "console.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <iostream>

namespace khost {

void Console::message(std::string_view text) {
  if (shows_)
    progress_->message(text);
  else
    std::cerr << text << "\n";
}

void Console::base(const PlannedBase& base, const BaseProgress& p) {
  if (p.step % 25 != 0) return;
  std::string text = fmt::format("base {}: step {}/{}", base.recipe->name, p.step, p.steps);
  if (p.step > 0) text += fmt::format(", loss {:.4f}", p.loss);
  if (base.recipe->until_loss)
    text += fmt::format(", calibration {:.4f} (until {:.4f})", p.calibration, *base.recipe->until_loss);
  message(text);
}

void Console::trials_begin(int count, int workers) {
  log_.reset();
  progress_ = std::make_unique<Progress>(count, workers);
  log_ = std::make_unique<LogThrough>(*progress_);
  shows_ = true;
}

void Console::trials_end() {
  progress_->close();
  shows_ = false;
}

Screen screen_of_stdout() {
  winsize w{};
  if (::isatty(STDOUT_FILENO) && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0 && w.ws_row > 0)
    return {w.ws_col, w.ws_row};
  return {};
}

Error lost_files(std::size_t reports, std::size_t artifacts) {
  std::string text;
  if (reports) text = fmt::format("{} of the run folder's files could not be written", reports);
  if (artifacts)
    text += fmt::format("{}{} artifact{} could not be copied{}", text.empty() ? "" : ", and ", artifacts,
                        artifacts == 1 ? "" : "s", reports ? "" : "; figures and reports are whole");
  return Error(ErrorKind::usage, text)
      .hint("the warnings above say why; the same command writes them from the cache when there is room");
}

}  // namespace khost
