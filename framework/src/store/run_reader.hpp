// run.db, read: by reports, `khost show` and tests; also while its run goes on.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "store/run.hpp"

namespace khost {

class RunReader {
 public:
  // `run`: a run's folder, or the run.db in it. Throws a usage Error: nothing is there, another program's file, a damaged one, a
  // newer khost's.
  explicit RunReader(const std::string& run);
  ~RunReader();

  const std::string& folder() const { return folder_; }

  // All of it, but that its trials have of a series (records of steps) only the points that are not finite: a trial may have
  // millions.
  Run run() const;

  // What its trials' hashes are of.
  struct Identity {
    TrialKey key;
    std::string hash;
    Json identity;
    bool done = false;
  };
  std::vector<Identity> identities() const;

  // Of one finished trial, by the order in which it made their names, and by step: every record, or those of the series that
  // `wants(probe, name)`. The Record that is given is valid for that call.
  void each_record(const TrialKey& trial, const std::function<void(const Record&)>& visit,
                   const std::function<bool(const std::string& probe, const std::string& name)>& wants = {}) const;

  // Of every finished trial the series that have steps, without the record of the whole trial: by trial, and as it made them.
  // What is given is valid for that call.
  void each_series(const std::function<void(const TrialKey&, const RecordSeries&)>& visit) const;

  // What each_record() visits, pulled record by record, so that two runs can be read side by side; by probe, name and step.
  class Cursor {
   public:
    Cursor(Cursor&&) noexcept;
    ~Cursor();
    bool next(Record& record);  // false: there are no more

   private:
    friend class RunReader;
    struct Open;
    explicit Cursor(std::unique_ptr<Open> open);
    std::unique_ptr<Open> open_;
  };
  Cursor records_of(const TrialKey& trial) const;  // valid as long as the reader

 private:
  struct Open;
  std::string folder_, path_;
  std::unique_ptr<Open> open_;
};

}  // namespace khost
