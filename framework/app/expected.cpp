#include "expected.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>
#include <fstream>

#include "completes.hpp"
#include "khost/error.hpp"

namespace khost {

namespace fs = std::filesystem;

namespace {

bool is_file(const std::string& path) {
  std::error_code none;
  return fs::is_regular_file(path, none);
}

bool is_folder(const std::string& path) {
  std::error_code none;
  return fs::is_directory(path, none);
}

// With an object, or a comment before it.
bool begins_as_json(const std::string& path) {
  std::ifstream file(path);
  char first = 0;
  return file >> first && (first == '{' || first == '/');
}

std::string in_folder(const std::string& folder) { return folder.ends_with('/') ? folder : folder + "/"; }

// The first few of them, without folders that hold others: "a, b, c and 4 more"; "" when there are none.
std::string some_of(std::vector<Candidate> all) {
  constexpr std::size_t most = 5;
  std::erase_if(all, [](const Candidate& c) { return c.word.ends_with('/'); });
  std::vector<std::string> named;
  for (std::size_t i = 0; i < std::min(most, all.size()); ++i) named.push_back(all[i].word);
  return fmt::format("{}{}", fmt::join(named, ", "), all.size() > most ? fmt::format(" and {} more", all.size() - most) : "");
}

}  // namespace

std::vector<std::string> nearest_manifests(const std::string& word) {
  const std::string folder = word.substr(0, word.rfind('/') + 1), ending = ".manifest";
  std::string name = word.substr(folder.size());
  if (name.ends_with(ending)) name.resize(name.size() - ending.size());
  std::vector<std::string> paths, names, same;
  for (const std::string& in : folder.empty() ? std::vector<std::string>{"", "experiments/"} : std::vector{folder})
    for (const Candidate& c : completes::manifests({in, {}})) {
      if (c.word.ends_with('/')) continue;
      paths.push_back(c.word), names.push_back(fs::path(c.word).stem());
      if (names.back() == name) same.push_back(c.word);
    }
  if (!same.empty()) return same;
  const std::string near = did_you_mean(name, names);
  std::erase_if(paths,
                [&](const std::string& path) { return near.find("'" + fs::path(path).stem().string() + "'") == near.npos; });
  return paths;
}

bool may_be_manifest(const std::string& word) {
  return word.ends_with(".manifest") || word.find('/') != word.npos || is_file(word) ||
         (is_folder(word) && !some_of(completes::manifests({word + "/", {}})).empty());
}

void expect_manifest(const std::string& word) {
  std::error_code none;
  if (is_folder(word)) {
    if (is_file(in_folder(word) + "resolved.manifest"))
      throw Error(ErrorKind::usage, {word, 0, 0}, "this is a run's folder, not a manifest")
          .hint("the manifest that it ran: " + in_folder(word) + "resolved.manifest")
          .hint("what it found: khost report " + word);
    Error error(ErrorKind::usage, {word, 0, 0}, "this is a folder, not a manifest");
    const std::string here = some_of(completes::manifests({in_folder(word), {}}));
    throw error.hint(here.empty() ? "it holds no file whose name ends with .manifest" : "manifests in it: " + here);
  }
  // Of another name it may be anything; JSON says itself where it is wrong.
  if (is_file(word) && !word.ends_with(".manifest") && !begins_as_json(word))
    throw Error(ErrorKind::usage, {word, 0, 0}, "this is no manifest: expected is JSON, {\"khost\": 1, ...}")
        .hint("docs/concepts/manifest.md says what a manifest holds");
  if (fs::exists(word, none)) return;
  Error error(ErrorKind::usage, {word, 0, 0}, "there is no such file");
  const std::vector<std::string> meant = nearest_manifests(word);
  throw meant.empty() ? error : error.hint(fmt::format("did you mean '{}'?", fmt::join(meant, "', '")));
}

void expect_run(const std::string& word) {
  std::error_code none;
  const bool is_manifest = word.ends_with(".manifest") && is_file(word) && fs::path(word).filename() != "resolved.manifest";
  if (!is_manifest && fs::exists(word, none) && (!is_folder(word) || is_file(in_folder(word) + "run.db"))) return;
  const std::string below = some_of(completes::runs({is_folder(word) ? in_folder(word) : "runs/", {}}));
  if (is_manifest)
    throw Error(ErrorKind::usage, "'" + word + "' is a manifest; expected is the folder of a run of it")
        .hint(below.empty() ? "khost run " + word + " makes one, and prints it at its end" : "runs: " + below);
  Error error(ErrorKind::usage, fmt::format("there is no run in '{}'", word));
  throw error.hint(below.empty() ? "khost run prints the run's folder at its end" : "runs: " + below);
}

}  // namespace khost
