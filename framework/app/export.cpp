// khost export: a run's records, or what one of its trials trained, in the formats of other programs.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <iostream>
#include <map>

#include "artifact/file.hpp"
#include "commands.hpp"
#include "completes.hpp"
#include "console.hpp"
#include "expected.hpp"
#include "export/adapter.hpp"
#include "export/again.hpp"
#include "export/folder.hpp"
#include "export/records.hpp"
#include "export/tensorboard.hpp"
#include "interruptions.hpp"
#include "record_options.hpp"
#include "report/text.hpp"

namespace khost {

namespace {

constexpr std::array forms = {"csv", "jsonl", "tensorboard", "peft", "merged", "factors", "base"};
constexpr std::size_t most_named = 10;

struct Options {
  std::string run, to, out;
  RecordOptions records;
  std::optional<int> draw;
  bool anyway = false;
};

void tell_unfinished(const Run& run, const RecordChoice& choice) {
  const std::vector<std::string> left = unfinished(run, choice);
  for (std::size_t i = 0; i < std::min(most_named, left.size()); ++i) std::cerr << "not exported: " << left[i] << "\n";
  if (left.size() > most_named) std::cerr << fmt::format("not exported: {} more trials\n", left.size() - most_named);
}

void export_records(const Options& o, const RecordChoice& choice, RecordForm form) {
  const RunReader reader(o.run);
  const Run run = reader.run();
  if (o.out.empty()) {
    each_piece(reader, run, choice, form, "\n", [](std::string_view piece) { std::cout << piece; });
  } else {
    NewFile file(o.out);
    each_piece(reader, run, choice, form, form == RecordForm::csv ? "\r\n" : "\n",
               [&](std::string_view piece) { file.write(piece.data(), piece.size()); });
    file.keep();
  }
  tell_unfinished(run, choice);
}

void export_events(const Options& o, const RecordChoice& choice) {
  const RunReader reader(o.run);
  const Run run = reader.run();
  const std::size_t trials = export_tensorboard(reader, run, choice, o.out);
  tell_unfinished(run, choice);
  std::cout << fmt::format("events of {} trial{} in {}: tensorboard --logdir {}\n", trials, trials == 1 ? "" : "s", o.out, o.out);
}

using Metadata = std::map<std::string, std::string>;

Metadata metadata_of(const Run& run, const std::string& to, const TrialKey& key, const Component& model) {
  Metadata metadata{{"format", "pt"}, {"khost", "export " + to}, {"run", run.hash}, {"experiment", run.experiment}};
  metadata["base"] = key.base, metadata["draw"] = std::to_string(key.draw);
  // Each under its own key: n_head, ...
  for (const JsonMember& m : model.config.as_object())
    metadata[m.key] = m.value.is_string() ? m.value.as_string() : m.value.text();
  return metadata;
}

Json json_of(const Metadata& metadata) {
  Json out{Json::Object{}};
  for (const auto& [key, value] : metadata)
    if (key != "format") out.set(key, value);
  return out;
}

void export_base(const Options& o, const RecordChoice& choice) {
  const RunReader reader(o.run);
  const Run run = reader.run();
  const TrialKey key = one_base(run, choice).key;
  const ExportFolder folder(o.out, o.to, {"model.safetensors"});
  catch_interruptions();
  Console console;
  RunAgain again(reader, run, console);
  const auto base = again.base(key, choice.arm.has_value());
  const Component& model = choice.arm ? again.planned(key).arm->model : again.session().experiment.model;
  const Metadata metadata = metadata_of(run, o.to, key, model);
  folder.begin();
  write_safetensors(folder / "model.safetensors", base_of(*base).arrays, metadata);
  folder.keep(json_of(metadata));
  std::cout << o.out << "\n";
}

// What the run recorded and what came out now, where they are not the same.
void expect_same(const RunAgain::Trained& trained, bool anyway) {
  if (trained.same_loss()) {
    std::cerr << fmt::format("its final loss is {}, the one of the run to the last bit\n", shortest(trained.trial.final));
    return;
  }
  const std::string what =
      fmt::format("its final loss is {} now, and {} in the run: a difference of {:.3g} nats", shortest(trained.trial.final),
                  shortest(trained.recorded), trained.trial.final - trained.recorded);
  if (anyway) return void(std::cerr << "warning: " + what + "\n");
  throw Error(ErrorKind::trial, "what was computed is not the trial of the run: " + what)
      .hint(trained.differences.empty() ? "all that it is computed with is the same: something in it is not deterministic"
                                        : "khost, a plugin or this machine is another by now; the warning above says what")
      .hint("--anyway exports what was computed now");
}

void export_trial(const Options& o, const RecordChoice& choice) {
  const bool peft = o.to == "peft", merged = o.to == "merged";
  const RunReader reader(o.run);
  const Run run = reader.run();
  const TrialResult& trial = one_trial(run, choice);
  const std::string main_file = peft ? "adapter_model.safetensors" : merged ? "model.safetensors" : "factors.safetensors";
  const std::string beside = peft ? "adapter_config.json" : merged ? "batch.safetensors" : "";
  std::vector<std::string> files{main_file};
  if (!beside.empty()) files.push_back(beside);
  const ExportFolder folder(o.out, o.to, files);
  catch_interruptions();
  Console console;
  RunAgain again(reader, run, console);
  const RunAgain::Trained trained = again.train(trial);
  expect_same(trained, o.anyway);
  const Arm& arm = *again.planned(trial.key).arm;
  Metadata metadata = metadata_of(run, o.to, trial.key, arm.model);
  metadata["arm"] = trial.key.arm, metadata["seed"] = std::to_string(trial.key.seed), metadata["trial"] = trial.hash;
  metadata["final_loss"] = shortest(trained.trial.final), metadata["recorded_final_loss"] = shortest(trained.recorded);
  if (peft) {
    const ArmShape& shape = again.session().materials->arm(arm);
    const PeftAdapter adapter =
        peft_of(trained.trial, arm, embeddings_of(*shape.model->model, shape.model->parameters, trained.trial.info.sequence));
    folder.begin();
    write_safetensors(folder / main_file, adapter.tensors.arrays, metadata);
    write_file_atomically(folder / beside, adapter.config.pretty() + "\n");
  } else {
    const ExportedArrays arrays = merged ? merged_of(trained.trial) : factors_of(trained.trial);
    folder.begin();
    write_safetensors(folder / main_file, arrays.arrays, metadata);
    if (merged) write_safetensors(folder / beside, batch_of(trained.trial).arrays, metadata);
  }
  folder.keep(json_of(metadata));
  std::cout << o.out << "\n";
}

void run_export(const Options& o) {
  RecordChoice choice = o.records.chosen();
  if (o.draw) choice.draw = *o.draw;
  if (o.to.empty())
    throw Error(ErrorKind::usage, "--to says what is exported").hint(fmt::format("one of {}", fmt::join(forms, ", ")));
  if (std::ranges::find(forms, o.to) == forms.end()) {
    Error error(ErrorKind::usage, "--to '" + o.to + "' is nothing that khost exports");
    if (o.to == "parquet")
      error.hint(
          "Parquet needs a library that Debian does not have: --to csv or jsonl, and DuckDB, pandas or Polars make it of that");
    if (const std::string near = did_you_mean(o.to, forms); !near.empty()) error.hint(near);
    throw error.hint(fmt::format("one of {}", fmt::join(forms, ", ")));
  }
  if (o.to == "csv") return export_records(o, choice, RecordForm::csv);
  if (o.to == "jsonl") return export_records(o, choice, RecordForm::jsonl);
  if (o.out.empty())
    throw Error(ErrorKind::usage, "--to " + o.to + " writes a folder: --out names it").hint("for example: --out " + o.to);
  if (o.to == "tensorboard") return export_events(o, choice);
  if (!choice.pattern.empty())
    throw Error(ErrorKind::usage, "'" + choice.pattern + "' names records, and --to " + o.to + " exports weights")
        .hint("--arm, --base, --seed and --draw name a trial");
  o.to == "base" ? export_base(o, choice) : export_trial(o, choice);
}

}  // namespace

Command export_command() {
  Command command("export", "records or a trained adapter, for other programs");
  auto& o = command.values<Options>();
  command.argument("RUN", o.run, "the run's folder; khost run prints it at its end", {completes::runs, expect_run});
  command.option("to", "FORM", o.to,
                 "csv, jsonl, tensorboard: records of all trials that fit; peft, factors: the adapter of one trial; merged: its "
                 "whole model; base: the model that it began from",
                 completes::one_of({forms.begin(), forms.end()}));
  o.records.declare(command);
  command.option("draw", "N", o.draw, {0, 1000000000}, "of this draw of its base alone");
  command.option("out", "PATH", o.out, "the file (csv, jsonl; default: standard output), or the folder", completes::files);
  command.flag("anyway", o.anyway, "export a trial though its final loss, computed again, is not that of the run");
  command.example("export runs/paper85/HASH --to jsonl 'K64/snr/*'");
  command.example("export runs/paper85/HASH --to tensorboard --out events");
  command.example("export RUN --to peft --base trained --arm K32 --seed 0 --out adapter");
  command.note(
      "Columns of csv, members of jsonl: base, arm, draw, seed, probe, name, step (from 0; none: of the whole trial), value "
      "(none: missing; inf, -inf), unit. What a trial trained is not kept by a run: it is computed again. docs/export.md.");
  command.does([&o] { run_export(o); });
  return command;
}

}  // namespace khost
