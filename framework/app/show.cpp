// khost show: records of a run, as a table, CSV or JSON.
#include <iostream>

#include "commands.hpp"
#include "completes.hpp"
#include "expected.hpp"
#include "record_options.hpp"

namespace khost {

namespace {

constexpr int width = 100;

struct Options {
  std::string run;
  RecordOptions records;
  bool seeds = false, csv = false, json = false;
};

void show(const Options& o) {
  if (o.csv && o.json) throw Error(ErrorKind::usage, "--csv and --json exclude each other");
  const RecordChoice choice = o.records.chosen();
  const RunReader reader(o.run);
  Run run = reader.run();
  const bool all = choice.pattern.empty() && !choice.base && !choice.arm && !choice.seed;
  if (all && !o.seeds && !o.csv && !o.json) {
    std::cout << figure_table(run, read_published(run.published), width);
    return;
  }
  const std::vector<ChosenRecord> records = choose_records(reader, run, choice);
  if (o.csv) {
    std::cout << records_csv(records);
  } else if (o.json) {
    std::cout << records_json(records).pretty() << "\n";
  } else {
    std::erase_if(run.trials, [&](const TrialResult& t) { return !choice.takes(t.key); });
    std::cout << records_text(records, run, read_published(run.published), o.seeds, width);
  }
}

}  // namespace

Command show_command() {
  Command command("show", "records of a run, as a table, CSV or JSON");
  auto& o = command.values<Options>();
  command.argument("RUN", o.run, "the run's folder; khost run prints it at its end", {completes::runs, expect_run});
  o.records.declare(command);
  command.flag("seeds", o.seeds, "each trial's value instead of their mean");
  command.flag("csv", o.csv, "as records.csv has them, every step");
  command.flag("json", o.json, "as JSON, every step");
  command.example("show runs/paper85/HASH 'K64/snr/*'");
  command.example("show runs/paper85/HASH loss/final --seeds");
  command.example("show runs/paper85/HASH loss/train --arm K64 --csv");
  command.note("It reads the run's run.db, also while the run goes on: trials that are finished.");
  command.does([&o] { show(o); });
  return command;
}

}  // namespace khost
