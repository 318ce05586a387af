#include "store/earlier.hpp"

#include <algorithm>
#include <filesystem>

#include "store/run_reader.hpp"

namespace fs = std::filesystem;

namespace khost {
namespace {

bool is_hash(const Json& json) {
  return json.is_string() && json.as_string().size() >= 16 &&
         json.as_string().find_first_not_of("0123456789abcdef") == std::string::npos;
}

std::string short_text(const Json& json) {
  constexpr std::size_t most = 40;
  const std::string text = json.text();
  return text.size() <= most ? text : text.substr(0, most) + "...";
}

void compare(const std::string& path, const Json& before, const Json& now, std::vector<std::string>& out) {
  if (before == now) return;
  const auto below = [&](const std::string& key) { return path.empty() ? key : path + "." + key; };
  if (before.is_object() && now.is_object()) {
    for (const JsonMember& m : now.as_object()) {
      const Json* old = before.find(m.key);
      old ? compare(below(m.key), *old, m.value, out) : compare(below(m.key), Json(), m.value, out);
    }
    for (const JsonMember& m : before.as_object())
      if (!now.find(m.key)) compare(below(m.key), m.value, Json(), out);
  } else if (before.is_list() && now.is_list() && before.as_list().size() == now.as_list().size()) {
    for (std::size_t i = 0; i < now.as_list().size(); ++i) {
      // A component is better known by its name than by its number.
      const Json* name = now.as_list()[i].is_object() ? now.as_list()[i].find("plugin") : nullptr;
      compare(path + (name && name->is_string() ? "[" + name->as_string() + "]" : "[" + std::to_string(i) + "]"),
              before.as_list()[i], now.as_list()[i], out);
    }
  } else if (is_hash(before) && is_hash(now)) {
    out.push_back(path + " is another");
  } else {
    out.push_back(path + " " + short_text(before) + " -> " + short_text(now));
  }
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
  compare("", before, now, out);
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
