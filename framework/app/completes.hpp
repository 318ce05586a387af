// What the values of khost's command line are, for a shell that completes them:
//
//   command.argument("MANIFEST", to.manifest, "the experiment's manifest", {completes::manifests});
//   command.argument("KIND", to.kind, "what it is", {completes::one_of({"probe", "policy"})});
//   command.option("out", "FOLDER", to.out, "where it is written", completes::folders);
//
// All of them read a few folders and files and load no plugin, but for settings(), which loads the one whose keys are asked for.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "command_line.hpp"
#include "khost/plugin.hpp"

namespace khost {

namespace completes {

using Candidates = std::vector<Candidate>;

Completes one_of(std::vector<std::string> words);

Candidates files(const Typed& typed);
Candidates folders(const Typed& typed);
Candidates manifests(const Typed& typed);  // with their titles
Candidates runs(const Typed& typed);       // folders with a run.db, and when it was written
Candidates plugins(const Typed& typed);    // names with their kinds, or files
Candidates backends(const Typed& typed);

// KEY=VALUE of the manifest that the argument MANIFEST names, its keys and names joined by dots.
Candidates settings(const Typed& typed);
// Names in what the argument MANIFEST or RUN names.
Candidates arms(const Typed& typed);
Candidates bases(const Typed& typed);
Candidates claims(const Typed& typed);
// Parts of the paths of a run's records: K64/, K64/snr/
Candidates records(const Typed& typed);

}  // namespace completes

// Plugins that are found by name, of a kind, without loading them: their files say it.
std::vector<Candidate> plugin_names(std::optional<Kind> kind);

// A path as it was typed, with a ~ that no shell has replaced.
std::string path_of(const std::string& typed);

}  // namespace khost
