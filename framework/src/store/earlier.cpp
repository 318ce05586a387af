#include "store/earlier.hpp"

#include <algorithm>
#include <filesystem>

#include "store/differences.hpp"
#include "store/run_reader.hpp"

namespace fs = std::filesystem;

namespace khost {
namespace {

std::string short_text(const std::optional<Json>& json) {
  constexpr std::size_t most = 40;
  const std::string text = json.value_or(Json()).text();
  return text.size() <= most ? text : text.substr(0, most) + "...";
}

std::vector<std::string> newest_first(const std::string& folder) {
  std::vector<std::pair<fs::file_time_type, std::string>> runs;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    std::error_code none;
    const fs::path file = entry.path() / "run.db";
    if (fs::is_regular_file(file, none)) runs.emplace_back(fs::last_write_time(file, none), entry.path());
  }
  std::ranges::sort(runs, std::greater<>());
  std::vector<std::string> out;
  for (auto& [time, run] : runs) out.push_back(std::move(run));
  return out;
}

}  // namespace

std::vector<std::string> differences(const Json& before, const Json& now) {
  std::vector<std::string> out;
  for (const JsonDifference& d : json_differences(before, now))
    out.push_back(d.at() + (d.of_hashes() ? " is another" : " " + short_text(d.first) + " -> " + short_text(d.second)));
  return out;
}

Earlier compare_with_earlier(const std::vector<const PlannedTrial*>& left, const std::string& folder) {
  Earlier out;
  std::map<TrialKey, RunReader::Identity> had;
  for (const std::string& run : newest_first(folder)) try {
      for (const RunReader::Identity& identity : RunReader(run).identities()) had.emplace(identity.key, identity);
      out.run = run;
      break;
    } catch (const Error&) {  // damaged, or a newer khost's: the one before may do
    }
  for (const PlannedTrial* trial : left) {
    const auto found = had.find(trial->key);
    if (found == had.end() || !found->second.done)
      ++out.unknown;
    else if (found->second.hash == trial->hash)
      ++out.gone;
    else
      for (const std::string& reason : differences(found->second.identity, trial->identity)) ++out.reasons[reason];
  }
  return out;
}

}  // namespace khost
