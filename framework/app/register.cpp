// khost register: fixes the claims of a manifest, and the trials they will be judged on, without running anything.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <iostream>

#include "artifact/file.hpp"
#include "commands.hpp"
#include "completes.hpp"
#include "console.hpp"
#include "interruptions.hpp"
#include "khost/interrupt.hpp"
#include "manifest/series.hpp"
#include "run/registration.hpp"
#include "session_options.hpp"
#include "store/shipped.hpp"

namespace khost {

namespace {

void print_standings(const Experiment& experiment, const std::map<std::string, Standing>& standings) {
  std::cout << fmt::format("{}: {} claim{}\n", experiment.name, experiment.claims.size(),
                           experiment.claims.size() == 1 ? "" : "s");
  std::size_t width = 0;
  for (const Claim& claim : experiment.claims) width = std::max(width, claim.id.size());
  for (const Claim& claim : experiment.claims) {
    const Standing& s = standings.at(claim.id);
    std::cout << fmt::format("  {:<{}}  {}{}\n", claim.id, width, s.fixed ? "registered " : "post hoc: ",
                             s.fixed ? s.registered : fmt::format("{}", fmt::join(s.against, "; ")));
    if (!s.note.empty()) std::cout << fmt::format("  {:<{}}  {}\n", "", width, s.note);
  }
}

// Of a release: the hashes of what its manifests fix, into the folder that it ships.
void write_shipped(const std::string& manifest, const SessionOptions& options, const std::string& folder) {
  const LoadedExperiment loaded = read_experiment(manifest, settings_of(options));
  const Experiment& experiment = loaded.experiment;
  if (experiment.claims.empty()) return;
  const std::string path = folder + "/" + experiment.name + ".json";
  write_file_atomically(path, shipped_json(experiment, designs_of(experiment, *loaded.registry)).pretty() + "\n");
  std::cout << path << "\n";
}

void register_manifest(SessionOptions options, const std::string& shipped) {
  catch_interruptions();
  Console console;
  const auto series = read_series(options.manifest);
  for (const std::string& manifest : series ? series->manifests : std::vector<std::string>{options.manifest}) {
    check_interrupt();
    if (!shipped.empty()) {
      write_shipped(manifest, options, shipped);
      continue;
    }
    options.manifest = manifest;
    const Session session(options, console);
    print_standings(session.experiment, register_claims(session));
  }
}

}  // namespace

Command register_command() {
  Command command("register", "fix a manifest's claims before its trials run");
  struct Options {
    SessionOptions session;
    std::string shipped;
  };
  auto& o = command.values<Options>();
  declare(command, o.session);
  command.option("shipped", "FOLDER", o.shipped, "for a release: write the claims' hashes to FOLDER/<experiment>.json instead",
                 completes::folders);
  command.example("register my.manifest");
  command.example("register experiments/kseries.manifest --shipped share/registered");
  command.note(
      "khost run registers claims too, before its first trial. Register by hand what reads trials that other manifests "
      "will run first: what was seen before is post hoc.");
  command.does([&o] { register_manifest(o.session, o.shipped); });
  return command;
}

}  // namespace khost
