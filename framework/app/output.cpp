#include "output.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <iostream>
#include <mutex>

#include "console.hpp"
#include "report/not_finite.hpp"

namespace khost {
namespace {

bool is_warning(std::string_view text) { return text.starts_with("warning: "); }

class Quiet final : public Output {
 public:
  void message(std::string_view text) override {
    if (is_warning(text)) std::cerr << text << "\n";
  }
};

// docs/concepts/run.md has the events.
class JsonLines final : public Output {
 public:
  void message(std::string_view text) override { line("message", {{"warning", is_warning(text)}, {"text", std::string(text)}}); }
  void base(const PlannedBase& base, const BaseProgress& p) override {
    line("base", {{"base", base.recipe->name},
                  {"draw", base.draw},
                  {"step", p.step},
                  {"steps", p.steps},
                  {"loss", p.step > 0 ? number_json(p.loss) : Json()},
                  {"calibration", number_json(p.calibration)}});
  }
  void trials_begin(const Plan& plan, int workers) override {
    line("trials", {{"trials", static_cast<std::int64_t>(plan.trials.size())}, {"workers", workers}});
  }
  void started(int worker, const TrialKey& key, std::int64_t steps) override {
    line("started", trial(key), {{"worker", worker}, {"steps", steps}});
  }
  void finished(int, const TrialResult& result) override {
    const auto loss = [&](const char* label) {
      const RecordSeries* series = result.find(label);
      return series && series->has_whole() ? number_json(series->whole()) : Json();
    };
    line("finished", trial(result.key),
         {{"status", result.status},
          {"message", result.message},
          {"reused", result.reused},
          {"seconds", result.seconds},
          {"loss_base", loss("loss/base")},
          {"loss_final", loss("loss/final")}});
  }
  void ended(const FinishedRun& finished, bool) override {
    Json::List claims;
    for (const Json& claim : finished.run.claims.as_list())
      claims.push_back(Json::object({{"id", claim.at("id")},
                                     {"base", claim.at("base")},
                                     {"verdict", claim.at("verdict")},
                                     {"estimate", claim.at("estimate")},
                                     {"low", claim.at("low")},
                                     {"high", claim.at("high")}}));
    line("run", {{"experiment", finished.run.experiment},
                 {"run", finished.run.hash},
                 {"folder", finished.run.folder},
                 {"trials", static_cast<std::int64_t>(finished.run.trials.size())},
                 {"failed", finished.failed},
                 {"seconds", finished.seconds},
                 {"claims", std::move(claims)}});
  }
  void series_ended(const std::string&) override {}

 private:
  using Members = std::initializer_list<std::pair<const char*, Json>>;
  static Json trial(const TrialKey& key) {
    return Json::object({{"base", key.base}, {"arm", key.arm}, {"draw", key.draw}, {"seed", Json(key.seed)}});
  }
  void line(const char* event, Members members) { line(event, Json(Json::Object()), members); }
  void line(const char* event, const Json& first, Members members) {
    Json json = Json::object({{"event", event}});
    for (const JsonMember& m : first.as_object()) json.set(m.key, m.value);
    for (const auto& [key, value] : members) json.set(key, value);
    const std::lock_guard lock(mutex_);
    std::cout << json.text() << std::endl;  // each as soon as it is known
  }
  std::mutex mutex_;
};

}  // namespace

void Output::ended(const FinishedRun& finished, bool alone) {
  if (!alone) return;
  Screen screen = screen_of_stdout();
  screen.whole = finished.unwritten.empty();
  std::cout << ending(finished.run, finished.published, screen);
}

void Output::series_ended(const std::string& text) { std::cout << text; }

std::unique_ptr<Output> make_output(Telling telling) {
  if (telling == Telling::json) return std::make_unique<JsonLines>();
  if (telling == Telling::quiet) return std::make_unique<Quiet>();
  return std::make_unique<Console>();
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
