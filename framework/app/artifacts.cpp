#include "artifacts.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <map>

#include "artifact/file.hpp"
#include "khost/error.hpp"
#include "khost/hash.hpp"
#include "khost/safetensors.hpp"

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

// Of an earlier run into this folder. Files that khost did not write stay.
void remove_others(const fs::path& folder, const Sources& wanted) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (wanted.contains(entry.path().filename()) || entry.path().extension() != ".safetensors") continue;
    try {
      const SafetensorsFile file(entry.path().string());
      const auto& metadata = file.metadata();
      const auto khost = metadata.find("khost");
      if (khost != metadata.end() && khost->second.starts_with("artifact ")) fs::remove(entry.path(), error);
    } catch (const Error&) {  // no safetensors file, so none of khost's
    }
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

std::vector<Error> collect_artifacts(const TrialStore& store, const std::vector<TrialResult>& trials, const std::string& folder) {
  const fs::path to = fs::path(folder) / "artifacts";
  const auto sources = sources_by_name(store, trials);
  std::vector<Error> failures;
  std::error_code error;
  remove_others(to, sources);
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
