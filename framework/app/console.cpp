#include "console.hpp"

#include <fmt/format.h>

#include <iostream>

namespace khost {

void Console::message(std::string_view text) {
  if (shows_)
    progress_->message(text);
  else
    std::cerr << text << "\n";
}

void Console::base(const PlannedBase& base, const BaseProgress& p) {
  std::string text = p.step > 0 ? fmt::format("loss {:.4f}", p.loss) : "";
  if (base.recipe->until_loss)
    text += fmt::format("{}calibration {:.4f} (until {:.4f})", text.empty() ? "" : ", ", p.calibration, *base.recipe->until_loss);
  if (shows_ && progress_->is_terminal()) return progress_->detail("base " + base.recipe->name, text);
  if (p.step % 25 == 0)
    message(fmt::format("base {}: step {}/{}{}{}", base.recipe->name, p.step, p.steps, text.empty() ? "" : ", ", text));
}

void Console::trials_begin(const Plan& plan, int workers) {
  close();
  std::map<std::string, Progress::Arm> arms;
  for (const PlannedTrial& t : plan.trials) {
    Progress::Arm& arm = arms[same_work(t.key)];
    ++arm.trials;
    arm.cost = t.cost.flop;
  }
  progress_ = std::make_unique<Progress>(std::move(arms), workers);
  progress_->look_by_itself();
  log_ = std::make_unique<LogThrough>([this](std::string_view line) { progress_->message(line); });
  shows_ = true;
}

void Console::close() {
  log_.reset();  // it writes to the progress, and puts back what logged before
  if (progress_) progress_->close();
  shows_ = false;
}

void Console::ended(const FinishedRun& finished, bool alone) {
  close();
  Output::ended(finished, alone);
}

}  // namespace khost
