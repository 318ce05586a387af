#include "export/tensorboard.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <ctime>
#include <iomanip>
#include <map>
#include <mutex>
#include <optional>
#include <sstream>
#include <utility>

#include "artifact/file.hpp"
#include "export/events.hpp"
#include "export/folder.hpp"

namespace khost {
namespace {

// "2026-11-28 01:55:33 UTC" as seconds since 1970; 0 where it is something else.
double seconds_of(const std::string& utc) {
  std::tm tm{};
  std::istringstream in(utc);
  in >> std::get_time(&tm, "%Y-%m-%d %H:%M:%S");
  return in.fail() ? 0 : static_cast<double>(::timegm(&tm));
}

double now() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

std::string file_of(const EventFolder& folder, const std::string& experiment, const TrialKey& key) {
  return folder.file(experiment, key.base, key.arm, key.draw, key.seed);
}

// A file that grows, and that others read meanwhile: each piece is whole records, written at once.
class GrowingFile {
 public:
  explicit GrowingFile(std::string path) : path_(std::move(path)) {
    ::unlink(path_.c_str());  // of an earlier run: who reads it keeps what is there
    file_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
    if (file_ < 0) throw_file_error("write", path_);
    add(framed(first_event(now())));
  }
  ~GrowingFile() { ::close(file_); }
  GrowingFile(const GrowingFile&) = delete;
  GrowingFile& operator=(const GrowingFile&) = delete;

  void add(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t done = ::write(file_, bytes.data(), bytes.size());
      if (done < 0 && errno == EINTR) continue;
      if (done < 0) throw_file_error("write", path_);
      bytes.remove_prefix(static_cast<std::size_t>(done));
    }
  }

 private:
  std::string path_;
  int file_;
};

}  // namespace

std::size_t export_tensorboard(const RunReader& reader, const Run& run, const RecordChoice& choice, const std::string& path) {
  check_trials(run, choice);
  EventFolder folder(path);
  folder.begin(run.experiment, run.hash);
  const double time = seconds_of(run.started);
  const TrialResult* trial = nullptr;  // whose records come
  std::optional<NewFile> file;
  RecordSeries series;
  std::size_t count = 0;
  const auto end_series = [&] {
    if (series.points.empty()) return;
    const std::string bytes = series_events(series, time);
    file->write(bytes.data(), bytes.size());
    series.points.clear();
  };
  const auto end_trial = [&] {
    if (!file) return;
    end_series();
    file->keep();
    file.reset();
    ++count;
  };
  each_chosen(reader, run, choice, [&](const TrialResult& of, const Record& r) {
    if (trial != &of) {
      end_trial();
      trial = &of;
      file.emplace(file_of(folder, run.experiment, of.key));
      const std::string first = framed(first_event(time));
      file->write(first.data(), first.size());
    }
    if (series.probe != r.probe || series.name != r.name) {
      end_series();
      series = {r.probe, r.name, r.unit};
    }
    series.points.push_back({r.step, r.value});
  });
  end_trial();
  return count;
}

struct LiveEvents::Files {
  struct Open {
    explicit Open(std::string path) : file(std::move(path)) {}
    GrowingFile file;
    bool from_start = true;  // its loss was heard from the first step on
    std::int64_t next = 0;   // step
  };
  explicit Files(const std::string& path) : folder(path) {}

  std::mutex mutex;
  EventFolder folder;
  std::string experiment;
  std::map<int, TrialKey> at;  // by worker
  std::map<TrialKey, Open> open;
  bool failed = false;
};

LiveEvents::LiveEvents(RunListener& listener, const std::string& folder)
    : listener_(listener), files_(std::make_unique<Files>(folder)) {}
LiveEvents::~LiveEvents() = default;

template <class F>
void LiveEvents::write(F&& f) {
  const std::lock_guard lock(files_->mutex);
  if (files_->failed) return;
  try {
    f(*files_);
  } catch (const Error& e) {
    files_->failed = true;
    files_->open.clear();
    listener_.message(std::string("warning: no more TensorBoard events are written: ") + e.what() +
                      "\n  the run goes on; khost export --to tensorboard writes them from its run.db");
  }
}

void LiveEvents::run_begins(const std::string& experiment, const std::string& run_hash) {
  files_->folder.begin(experiment, run_hash);
  files_->experiment = experiment;
  listener_.run_begins(experiment, run_hash);
}

void LiveEvents::started(int worker, const TrialKey& key, std::int64_t steps) {
  write([&](Files& f) {
    f.at[worker] = key;
    f.open.erase(key);  // of a first attempt
    f.open.emplace(std::piecewise_construct, std::forward_as_tuple(key),
                   std::forward_as_tuple(file_of(f.folder, f.experiment, key)));
  });
  listener_.started(worker, key, steps);
}

void LiveEvents::stepped(int worker, std::int64_t step, double loss) {
  write([&](Files& f) {
    const auto open = f.open.find(f.at[worker]);
    if (open == f.open.end()) return;
    Files::Open& trial = open->second;
    if (step != trial.next) trial.from_start = false;
    trial.next = step + 1;
    trial.file.add(framed(scalar_event(now(), step, tag_of("loss", "train", false), loss)));
  });
  listener_.stepped(worker, step, loss);
}

void LiveEvents::result(const TrialResult& result) {
  write([&](Files& f) {
    auto open = f.open.find(result.key);
    const bool heard = open != f.open.end();
    if (result.status != "done") return f.open.erase(result.key), void();
    if (!heard)  // found in the cache, or of a twin
      open = f.open
                 .emplace(std::piecewise_construct, std::forward_as_tuple(result.key),
                          std::forward_as_tuple(file_of(f.folder, f.experiment, result.key)))
                 .first;
    std::string bytes;
    const double time = now();
    for (const RecordSeries& series : result.series)
      if (!heard || !open->second.from_start || series.label() != "loss/train") bytes += series_events(series, time);
    open->second.file.add(bytes);
    f.open.erase(open);
  });
  listener_.result(result);
}

}  // namespace khost
