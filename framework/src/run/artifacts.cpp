#include "run/artifacts.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <map>

#include "artifact/file.hpp"
#include "khost/error.hpp"
#include "khost/hash.hpp"
#include "khost/json.hpp"

namespace fs = std::filesystem;

namespace khost {
namespace {

struct Source {
  fs::path path;
  std::string sha256;
};
using Sources = std::map<fs::path, Source>;

// Base "a-b" with arm "c" and base "a" with arm "b-c" would have one name: the trial's hash tells them apart.
Sources sources_by_name(const TrialStore& store, const std::vector<TrialResult>& trials) {
  Sources sources;
  for (const TrialResult& t : trials)
    for (const Artifact& artifact : t.artifacts) {
      const fs::path source = fs::path(store.folder(t.hash)) / artifact.file;
      const Source content{source, artifact.sha256};
      const std::string base = t.key.base + (t.key.draw ? "." + std::to_string(t.key.draw) : "");
      const std::string stem = fmt::format("{}-{}-{}-{}", source.stem().string(), base, t.key.arm, t.key.seed);
      const auto [at, is_new] = sources.emplace(stem + source.extension().string(), content);
      if (!is_new && at->second.path != source)
        sources.emplace(stem + "-" + t.hash.substr(0, 12) + source.extension().string(), content);
    }
  return sources;
}

// As the summary that stands in the folder has them: what of its trials was handed out, and under which names.
std::vector<TrialResult> earlier_trials(const fs::path& folder) {
  const fs::path summary = folder / "summary.json";
  std::error_code error;
  std::vector<TrialResult> trials;
  if (!fs::is_regular_file(summary, error)) return trials;
  try {
    const Json read = parse_json_file(summary);
    for (const Json& t : read.at("trials").as_list()) {
      TrialResult& trial = trials.emplace_back();
      trial.hash = t.at("hash").as_string();
      trial.key = {t.at("arm").as_string(), t.at("base").as_string(), t.at("draw").as_integer(),
                   static_cast<std::uint64_t>(t.at("seed").as_integer())};
      for (const Json& artifact : t.at("artifacts").as_list())
        trial.artifacts.push_back({artifact.at("file").as_string(), artifact.at("sha256").as_string()});
    }
  } catch (const Error& e) {  // an older khost's, or somebody else's: nothing is known of what is khost's here
    if (e.kind() == ErrorKind::interrupted) throw;
    trials.clear();
  }
  return trials;
}

bool is_still(const fs::path& path, const std::string& sha256) {
  std::error_code error;
  if (!fs::is_regular_file(fs::symlink_status(path, error))) return false;
  try {
    return sha256_file(path) == sha256;
  } catch (const Error& e) {
    if (e.kind() == ErrorKind::interrupted) throw;
    return false;
  }
}

// A copy, never a link: what its owner does to it changes nothing in the cache. The copy itself is checked.
void hand_out(const Source& source, const fs::path& target) {
  copy_file_atomically(source.path.string(), target.string());
  if (sha256_file(target.string()) == source.sha256) return;
  fs::remove(target);
  throw Error(ErrorKind::usage, source.path.string() + " does not have the checksum that it was written with")
      .hint("it was changed in the cache: the same command computes its trial anew");
}

}  // namespace

void remove_earlier_artifacts(const TrialStore& store, const std::vector<TrialResult>& trials, const std::string& folder) {
  const auto wanted = sources_by_name(store, trials);
  std::error_code error;
  for (const auto& [name, source] : sources_by_name(store, earlier_trials(folder))) {
    const fs::path path = fs::path(folder) / "artifacts" / name;
    if (!wanted.contains(name) && name == name.filename() && is_still(path, source.sha256)) fs::remove(path, error);
  }
}

std::vector<Error> collect_artifacts(const TrialStore& store, const std::vector<TrialResult>& trials, const std::string& folder) {
  const fs::path to = fs::path(folder) / "artifacts";
  const auto sources = sources_by_name(store, trials);
  std::vector<Error> failures;
  std::error_code error;
  fs::create_directories(to, error);  // that it failed is told by the first file
  for (const auto& [name, source] : sources) try {
      hand_out(source, to / name);
    } catch (const Error& e) {
      if (e.kind() == ErrorKind::interrupted) throw;
      failures.push_back(e);
    }
  return failures;
}

}  // namespace khost
