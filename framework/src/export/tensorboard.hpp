// A run's records as TensorBoard reads them: of a run that is there, and of one while it goes.
#pragma once

#include <memory>
#include <string>

#include "report/chosen.hpp"
#include "run/listener.hpp"

namespace khost {

// One file for each trial that is finished and chosen, in `folder` (export/folder.hpp), each whole or not there; those of the
// same trials are replaced. Their number. All events are of the time when the run began. Throws as each_chosen() does, and a
// usage Error for a folder of other things or a file that cannot be written.
std::size_t export_tensorboard(const RunReader& reader, const Run& run, const RecordChoice& choice, const std::string& folder);

// A run's listener that writes a trial's training loss at each step, and all else when the trial is over, to files of the same
// names, and hands on what it hears. A trial that goes on from a checkpoint has the loss of all its steps once more at its end:
// where a step falls behind, TensorBoard takes what comes for the better. What cannot be written is said once, and the run goes
// on.
class LiveEvents : public RunListener {
 public:
  // The listener outlives it. Throws as export_tensorboard() for the folder.
  LiveEvents(RunListener& listener, const std::string& folder);
  ~LiveEvents() override;

  void message(std::string_view text) override { listener_.message(text); }
  // Throws a usage Error where events of another run of that experiment are.
  void run_begins(const std::string& experiment, const std::string& run_hash) override;
  void base(const PlannedBase& base, const BaseProgress& progress) override { listener_.base(base, progress); }
  void trials_begin(const Plan& plan, int workers) override { listener_.trials_begin(plan, workers); }
  void trials_end() override { listener_.trials_end(); }
  void started(int worker, const TrialKey& key, std::int64_t steps) override;
  void stepped(int worker, std::int64_t step, double loss) override;
  void result(const TrialResult& result) override;
  void finished(int worker, const TrialResult& result) override { listener_.finished(worker, result); }

 private:
  struct Files;
  template <class F>
  void write(F&& f);

  RunListener& listener_;
  std::unique_ptr<Files> files_;
};

}  // namespace khost
