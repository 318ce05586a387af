#include "completes.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <sys/stat.h>
#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <set>

#include "manifest/overlay.hpp"
#include "plugin/fingerprint.hpp"
#include "plugin/registry.hpp"

namespace khost {

namespace fs = std::filesystem;

std::string path_of(const std::string& typed) {
  const char* home = std::getenv("HOME");
  return home && (typed == "~" || typed.starts_with("~/")) ? home + typed.substr(1) : typed;
}

namespace completes {
namespace {

// A folder with more is not worth the wait, and nobody reads the list.
constexpr int most_entries = 20000;

struct Entry {
  std::string word;  // as it goes on from what was typed
  fs::path path;
  bool folder;
};

// What a word that is the beginning of a path may become, by name; hidden ones where the dot is typed.
std::vector<Entry> entries(const std::string& typed) {
  const std::size_t slash = typed.rfind('/');
  const std::string before = slash == typed.npos ? "" : typed.substr(0, slash + 1), name = typed.substr(before.size());
  if (typed == "~") return {{"~", path_of("~"), true}};
  std::vector<Entry> found;
  if (name == "..") found.push_back({typed, path_of(typed), true});
  std::error_code failed, none;
  fs::directory_iterator it(before.empty() ? "." : path_of(before), failed);
  for (int left = most_entries; !failed && left > 0 && it != fs::directory_iterator(); it.increment(failed), --left) {
    const std::string here = it->path().filename();
    if (here.starts_with(name) && (here[0] != '.' || name.starts_with('.')))
      found.push_back({before + here, it->path(), it->is_directory(none)});
  }
  std::ranges::sort(found, {}, &Entry::word);
  return found;
}

template <class Wanted>
Candidates paths(const std::string& typed, Wanted&& wanted) {
  Candidates found;
  for (const Entry& entry : entries(typed)) {
    if (entry.folder)
      found.push_back({entry.word + "/", ""});
    else if (wanted(entry.path))
      found.push_back({entry.word, ""});
  }
  return found;
}

bool is_file(const fs::path& path) {
  std::error_code none;
  return fs::is_regular_file(path, none);
}

// Of a JSON file that is read within a moment; null of any other.
Json small_json(const std::string& path, std::uintmax_t most = 1 << 20) try {
  std::error_code none;
  return is_file(path) && fs::file_size(path, none) <= most ? parse_json_file(path) : Json();
} catch (const Error&) {
  return {};
}

std::string text_at(const Json& object, const char* key) {
  const Json* found = object.is_object() ? object.find(key) : nullptr;
  return found && found->is_string() ? found->as_string() : "";
}

// When a run wrote its database last: a hash says nothing to a person. "": the folder is no run.
std::string time_of_run(const fs::path& folder) {
  struct stat about {};
  if (::stat((folder / "run.db").c_str(), &about) != 0 || !S_ISREG(about.st_mode)) return "";
  std::tm local{};
  return ::localtime_r(&about.st_mtime, &local) ? fmt::format("{:%Y-%m-%d %H:%M}", local) : "a run";
}

// The runs at `entry` or in its folders, two deep, as runs/EXPERIMENT/HASH is: as long as few folders are looked into.
void add_runs(const Entry& entry, int deep, int& looks, Candidates& to) {
  if (--looks < 0) return;
  if (const std::string time = time_of_run(entry.path); !time.empty()) to.push_back({entry.word, time});
  std::error_code failed, none;
  if (deep > 0)
    for (fs::directory_iterator it(entry.path, failed); !failed && looks > 0 && it != fs::directory_iterator();
         it.increment(failed))
      if (it->is_directory(none) && !it->is_symlink(none))
        add_runs({entry.word + "/" + it->path().filename().string(), it->path(), true}, deep - 1, looks, to);
}

// The manifest with what it includes, or a run's with all that was left out; null when it cannot be read.
Json manifest_of(const Typed& typed) try {
  if (const std::string run = path_of(typed.first("RUN")); !run.empty())
    return small_json((fs::is_directory(run) ? fs::path(run) : fs::path(run).parent_path()) / "resolved.manifest", 8 << 20);
  const std::string manifest = path_of(typed.first("MANIFEST"));
  return is_file(manifest) ? load_manifest(manifest, {}) : Json();
} catch (const std::exception&) {
  return {};
}

Candidates names_in(const Json& manifest, const char* key) {
  Candidates found;
  const Json* all = manifest.is_object() ? manifest.find(key) : nullptr;
  if (all && all->is_object())
    for (const JsonMember& m : all->as_object()) found.push_back({m.key, ""});
  return found;
}

}  // namespace

Completes one_of(std::vector<std::string> words) {
  return [words = std::move(words)](const Typed&) {
    Candidates found;
    for (const std::string& word : words) found.push_back({word, ""});
    return found;
  };
}

Candidates files(const Typed& typed) {
  return paths(typed.word, [](const fs::path&) { return true; });
}

Candidates folders(const Typed& typed) {
  return paths(typed.word, [](const fs::path&) { return false; });
}

Candidates manifests(const Typed& typed) {
  constexpr std::size_t worth_titles = 60;
  Candidates found = paths(typed.word, [](const fs::path& path) { return path.extension() == ".manifest"; });
  if (found.size() <= worth_titles)
    for (Candidate& c : found)
      if (!c.word.ends_with('/')) c.doc = text_at(small_json(path_of(c.word)), "title");
  return found;
}

Candidates runs(const Typed& typed) {
  Candidates found;
  int looks = 1000;
  for (const Entry& entry : entries(typed.word)) {
    if (!entry.folder) continue;
    const std::size_t before = found.size();
    add_runs(entry, 2, looks, found);
    if (found.size() == before) found.push_back({entry.word + "/", ""});
  }
  return found;
}

Candidates plugins(const Typed& typed) {
  if (typed.word.find('/') == std::string::npos && !typed.word.starts_with('~')) return plugin_names({});
  return paths(typed.word, [](const fs::path& path) { return path.extension() == ".so"; });
}

Candidates backends(const Typed&) { return plugin_names(Kind::compute); }

Candidates arms(const Typed& typed) { return names_in(manifest_of(typed), "arms"); }

Candidates bases(const Typed& typed) { return names_in(manifest_of(typed), "bases"); }

Candidates claims(const Typed& typed) {
  Candidates found;
  const Json manifest = manifest_of(typed);
  const Json* all = manifest.is_object() ? manifest.find("claims") : nullptr;
  if (all && all->is_list())
    for (const Json& claim : all->as_list()) found.push_back({text_at(claim, "id"), text_at(claim, "statement")});
  std::erase_if(found, [](const Candidate& c) { return c.word.empty(); });
  return found;
}

Candidates records(const Typed& typed) {
  const Json summary = small_json(path_of(typed.first("RUN")) + "/summary.json", 4 << 20);
  const Json* all = summary.is_object() ? summary.find("records") : nullptr;
  if (!all || !all->is_object()) return {};
  std::set<std::string> found;
  for (const JsonMember& record : all->as_object())
    for (std::size_t part = 0; part != std::string::npos; part = record.key.find('/', part)) {
      part += part > 0;
      const std::string path = record.key.substr(part);
      if (!path.starts_with(typed.word)) continue;
      const std::size_t end = path.find('/', typed.word.size());
      found.insert(end == path.npos ? path : path.substr(0, end + 1));
    }
  Candidates out;
  for (const std::string& path : found) out.push_back({path, ""});
  return out;
}

}  // namespace completes

std::vector<Candidate> plugin_names(std::optional<Kind> kind) {
  std::vector<Candidate> found;
  for (const std::string& path : Registry(Registry::default_folders()).files()) {
    std::string kinds;
    bool fits = !kind;
    try {
      const std::string fingerprint = judge_plugin_file(path).fingerprint;
      const auto add = [&](Kind its) {
        kinds += (kinds.empty() ? "" : ", ") + std::string(name_of(its));
        fits = fits || its == kind;
      };
      for (const Kind each : {Kind::model, Kind::optimizer, Kind::data, Kind::probe, Kind::adapter, Kind::core})
        if (names_kind(fingerprint, each)) add(each);
      if (kinds.empty()) add(Kind::compute);  // a table of C functions, which no SDK's headers decide on
    } catch (const Error&) {
      continue;  // unfit; khost list says why
    }
    if (fits) found.push_back({fs::path(path).stem(), kinds});
  }
  std::ranges::sort(found, {}, &Candidate::word);
  return found;
}

}  // namespace khost
