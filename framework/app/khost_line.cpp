// All of khost's command lines, in the order in which a user meets them, and what its manual page says beside them.
#include "commands.hpp"
#include "expected.hpp"

namespace khost {

namespace {

Manual manual() {
  Manual manual;
  manual.description = {
      "A model, an optimizer, a data source, a compute (BLAS) backend and probes are shared libraries; a manifest composes them "
      "into an experiment. khost runs it and answers with its figures beside the published ones, intervals over seeds, what "
      "noise alone would give, and a verdict on each claim by rules fixed before the run.",
      "Finished trials are kept in a cache. A run that is broken off goes on with the same command."};
  manual.environment = {
      {"KHOST_CACHE", "the cache's folder; without it $XDG_CACHE_HOME/khost, else ~/.cache/khost"},
      {"KHOST_PLUGIN_PATH", "folders with plugins, ':' between them, searched before khost's own"},
      {"KHOST_SHARE", "the folder of khost's read-only data, instead of the one that belongs to the program"},
  };
  manual.files = {
      {"runs/EXPERIMENT/HASH/",
       "a run: run.db with all of it, and made from that summary.json, records.csv, report.html, report.md"},
      {"runs/EXPERIMENT/HASH/resolved.manifest", "what was run, with every default filled in; a manifest again"},
      {"~/.cache/khost/", "bases, tokenizers, finished trials, checkpoints, texts, the ledger of claims; see khost clean"},
  };
  manual.exits = {{"0", "done, whatever the verdicts"},
                  {"1", "something else"},
                  {"2", "the command line or a manifest is wrong"},
                  {"3", "a plugin cannot be found, is unfit, or broke its contract"},
                  {"4", "a trial failed; the others are kept"},
                  {"5", "interrupted; the same command goes on"},
                  {"6", "khost compare --check found a difference"}};
  manual.see_also = {"khost list and khost inspect NAME: the plugins, their parameters, signals and records",
                     "docs/concepts/manifest.md: every key of a manifest", "docs/shell.md: completion for bash and zsh"};
  return manual;
}

}  // namespace

CommandLine khost_line() {
  CommandLine line;
  line.name = "khost";
  line.version = KHOST_VERSION;
  line.summary = "experiments on low-rank adaptation, composed of plugins by a manifest";
  line.groups = {{"experiments", {run_command(), plan_command()}},
                 {"results", {report_command(), show_command(), claims_command(), compare_command(), export_command()}},
                 {"plugins", {list_command(), inspect_command(), new_command(), check_command()}},
                 {"keeping", {register_command(), doctor_command(), clean_command()}}};
  line.first_word = "M.manifest";
  line.stands_for_first = may_be_manifest;
  line.nearest_first = nearest_manifests;
  line.examples = {"experiments/quickstart.manifest", "plan experiments/kseries.manifest", "claims runs/paper85/HASH",
                   "inspect snr"};
  line.note =
      "khost COMMAND --help has all of one, with examples. man khost: also exit codes and environment. The first minutes: "
      "README.md, then docs/.";
  line.manual = manual();
  return line;
}

}  // namespace khost
