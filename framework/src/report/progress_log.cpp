#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include "report/progress.hpp"

namespace khost {
namespace {

class ProgressSink : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit ProgressSink(Progress& progress) : progress_(progress) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& log) override {
    spdlog::memory_buf_t text;
    formatter_->format(log, text);
    progress_.message({text.data(), text.size()});
  }
  void flush_() override {}

 private:
  Progress& progress_;
};

}  // namespace

struct LogThrough::Saved {
  std::shared_ptr<spdlog::logger> logger;
};

// The logger is replaced as a whole: its list of sinks may not change while other threads log.
LogThrough::LogThrough(Progress& progress) : saved_(new Saved{spdlog::default_logger()}) {
  auto sink = std::make_shared<ProgressSink>(progress);
  sink->set_pattern("%l: %v");
  auto logger = std::make_shared<spdlog::logger>("", std::move(sink));
  logger->set_level(saved_->logger->level());
  spdlog::set_default_logger(std::move(logger));
}

LogThrough::~LogThrough() { spdlog::set_default_logger(saved_->logger); }

}  // namespace khost
