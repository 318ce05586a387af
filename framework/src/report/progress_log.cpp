#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include "report/progress.hpp"

namespace khost {
namespace {

class FunctionSink : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit FunctionSink(std::function<void(std::string_view)> to) : to_(std::move(to)) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& log) override {
    spdlog::memory_buf_t text;
    formatter_->format(log, text);
    to_({text.data(), text.size()});
  }
  void flush_() override {}

 private:
  std::function<void(std::string_view)> to_;
};

}  // namespace

struct LogThrough::Saved {
  std::shared_ptr<spdlog::logger> logger;
};

// The logger is replaced as a whole: its list of sinks may not change while other threads log.
LogThrough::LogThrough(std::function<void(std::string_view)> to) : saved_(new Saved{spdlog::default_logger()}) {
  auto sink = std::make_shared<FunctionSink>(std::move(to));
  sink->set_pattern("%l: %v");
  auto logger = std::make_shared<spdlog::logger>("", std::move(sink));
  logger->set_level(saved_->logger->level());
  spdlog::set_default_logger(std::move(logger));
}

LogThrough::~LogThrough() { spdlog::set_default_logger(saved_->logger); }

}  // namespace khost
