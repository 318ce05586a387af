// run.db while its run goes on: written by one thread of one process, the run's coordinator. A kill loses at most what stands in
// no transaction yet, and the file is never torn. docs/concepts/run.md has the tables.
#pragma once

#include <memory>
#include <string>

#include "plan/plan.hpp"
#include "store/run.hpp"

namespace khost {

class RunDatabase {
 public:
  // `head`: what is known before the first trial (experiment to published, environment, plugins, command, manifest, started).
  // What another run left in the file is removed; of the same run (by its hash) finished trials stay. Throws a usage Error for a
  // file that is not khost's, damaged or of a newer khost, and when it cannot be written.
  RunDatabase(std::string path, const Run& head, const Plan& plan);
  ~RunDatabase();  // as close()

  void begin(const TrialKey& key);       // it runs from now on
  void keep(const TrialResult& result);  // done or failed, with all its records, instead of what was there of it
  void finish(const Run& run);           // what its end brings: definitions, nulls, artifacts, bases, claims, finished
  // True: the file is whole without others beside it. False: somebody reads it just now, and what stands in PATH-wal belongs to
  // it.
  bool close();

 private:
  struct Open;
  template <class F>
  void write(F&& f);

  std::string path_;
  std::unique_ptr<Open> open_;
};

}  // namespace khost
