// A run made up for tests of reports, and how it comes back from a run.db.
#pragma once

#include <limits>
#include <string>
#include <vector>

#include "report/report.hpp"
#include "store/run_database.hpp"
#include "unit/planned.hpp"

using namespace khost;

inline constexpr double absent = std::numeric_limits<double>::quiet_NaN();

inline TrialResult trial(const std::string& base, const std::string& arm, std::uint64_t seed, std::vector<Record> records) {
  TrialResult t;
  t.key = {arm, base, 0, seed};
  t.status = "done";
  t.seconds = 2;
  t.adapter_parameters = 1536992;
  t.trainable_parameters = 1056;
  for (const Record& r : records) t.add(r);
  t.add({"loss", "base", -1, 7.84 + 0.01 * static_cast<double>(seed), "nats"});
  t.add({"loss", "final", -1, 6.75 + 0.125 * static_cast<double>(seed), "nats"});
  t.add({"loss", "step", 0, 7.84, "nats"});
  t.add({"parameters", "adapter", -1, 1536992, "parameters"});
  return t;
}

inline Run small_run() {
  Run run;
  run.experiment = "small";
  run.title = "A run made up for a test";
  run.hash = "0123456789abcdef";
  run.environment = {"0.1.0", "openblas", "OpenBLAS", "0.3.21", "SkylakeX", "A CPU", 2, 1};
  // Seeds out of order: what is shown must not depend on it.
  run.trials.push_back(trial("null", "K32", 1, {{"snr", "drift/0", -1, 5.9, "1"}, {"grad", "var/0", -1, 1.2e-5, "1"}}));
  run.trials.push_back(trial("null", "K32", 0, {{"snr", "drift/0", -1, 5.7, "1"}, {"grad", "var/0", -1, absent, "1"}}));
  run.trials.push_back(trial("null", "K32", 2, {{"snr", "drift/0", -1, 5.8, "1"}, {"grad", "var/0", -1, 1.4e-5, "1"}}));
  run.trials.push_back(trial("null", "K64", 0, {{"er", "in_basis", -1, 39.5, "1"}, {"er", "in_basis/layer0", -1, 38, "1"}}));
  run.trials.push_back(trial("null", "K64", 1, {{"er", "in_basis", -1, 1e9, "1"}}));
  run.trials[0].reused = true;
  run.trials[4].status = "failed";
  run.trials[4].message = "the loss is NaN\n  in arm K64, step 3\n  a smaller lr may help";
  return run;
}

inline Published small_published() {
  return {{{"K32/loss/final", 6.8191, "6.8191", "paper 85, phase C", ""},
           {"K32/snr/drift/0", 5.879, "5.879", "paper 85, phase A", "Its text defines this loosely."},
           {"K32/grad/var/0", 8e-6, "0.000008", "paper 85, phase A", "One digit."},
           {"K64/er/in_basis", 39, "39", "paper 83", "Its text defines this loosely."},
           {"K64/er/other", 1, "1", "paper 83", ""}},
          {{"the <difference>", "paper 84", "Two records, not one."}, {"7.9 %", "", "Of what?"}}};
}

// As run.db gives it back.
inline RunReader kept(const Run& run, const std::string& path) {
  Plan plan;
  for (const TrialResult& t : run.trials) plan.trials.push_back(planned(t.key, t.hash));
  RunDatabase database(path, run, plan);
  for (const TrialResult& t : run.trials) database.keep(t);
  database.finish(run);
  database.close();
  return RunReader(path);
}
