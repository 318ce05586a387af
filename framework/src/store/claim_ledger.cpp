#include "store/claim_ledger.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <optional>
#include <set>

#include "artifact/write_once.hpp"
#include "khost/hash.hpp"
#include "manifest/claims.hpp"
#include "manifest/record_path.hpp"
#include "store/claim_design.hpp"
#include "store/now.hpp"
#include "store/shipped.hpp"

namespace fs = std::filesystem;

namespace khost {
namespace {

using Unit = std::pair<std::int64_t, std::int64_t>;       // base draw and seed
using Seen = std::map<std::string, std::set<Unit>>;       // by what it shows
using Reads = std::vector<std::pair<std::string, Unit>>;  // what a claim reads of each of its trials

Unit unit_of(const PlannedTrial& trial) { return {trial.key.draw, static_cast<std::int64_t>(trial.key.seed)}; }

std::optional<Json> read(const fs::path& file) {
  try {
    return parse_json_file(file);
  } catch (const Error& e) {
    if (e.kind() == ErrorKind::interrupted) throw;
    spdlog::warn("{}: damaged, and left out of account: {}", file.string(), e.message());
    return std::nullopt;
  }
}

std::vector<fs::path> files_in(const fs::path& folder) {
  std::vector<fs::path> out;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder, none))
    if (entry.path().extension() == ".json") out.push_back(entry.path());
  std::ranges::sort(out);
  return out;
}

// A trial that a claim reads, and which of its records.
struct Read {
  const PlannedTrial* trial;
  std::string shows;
};

std::vector<Read> reads_of(const Claim& claim, const Plan& plan, const Shown& shown) {
  std::vector<Read> out;
  for (const std::string& text : claim.paths()) {
    const RecordPath path = *parse_record_path(text);
    for (const PlannedTrial& t : plan.trials)
      if (t.key.arm == path.arm && (path.base.empty() || path.base == t.key.base)) out.push_back({&t, shown.of(t, path.probe)});
  }
  return out;
}

Json::List shows_of(const std::vector<Read>& reads) {
  std::set<std::string> shows;
  for (const Read& r : reads) shows.insert(r.shows);
  return {shows.begin(), shows.end()};
}

// Of one registration: the claim that it holds under that name.
const Json* entry_of(const Json& registration, std::string_view key, const std::string& value) {
  for (const Json& claim : registration.at("claims").as_list())
    if (claim.at(key).as_string() == value) return &claim;
  return nullptr;
}

std::string when_and_by(const Json& registration) {
  if (const Json* time = registration.find("time")) return time->as_string() + " by " + registration.at("manifest").as_string();
  return "with khost " + registration.at("khost").as_string() + ", which ships it";
}

bool was_seen(const Json& registration, const Read& read) {
  const Json* seen = registration.find("seen");
  const Json* units = seen ? seen->find(read.shows) : nullptr;
  if (!units) return false;
  const Unit unit = unit_of(*read.trial);
  return std::ranges::any_of(units->as_list(), [&](const Json& u) {
    return u.as_list()[0].as_integer() == unit.first && u.as_list()[1].as_integer() == unit.second;
  });
}

// What tells the claim from what was registered; "" when this registration says nothing of it.
std::string difference(const Json& registration, const std::string& experiment, const ClaimDesign& design, std::int64_t family) {
  const std::string& name = registration.at("experiment").as_string();
  const std::string since = "registered " + when_and_by(registration);
  const Json* same = entry_of(registration, "fixed", design.fixed);
  if (name != experiment)
    return same ? fmt::format("it was {} as '{}' of experiment '{}'", since, same->at("id").as_string(), name) : "";
  const Json* named = entry_of(registration, "id", design.id);
  if (!named) return same ? fmt::format("renamed: it was {} as '{}'", since, same->at("id").as_string()) : "";
  if (named->at("fixed").as_string() != design.fixed) return "edited: it was " + since;
  if (registration.at("family").as_string() != design.family) {
    const std::int64_t before = registration.at("family_size").as_integer();
    return before == family ? "another claim of its family was edited or renamed; it was " + since
                            : fmt::format("its family had {} claims x bases and has {}; it was {}", before, family, since);
  }
  if (named->at("trials").as_string() != design.trials)
    return "other trials: its arms, its bases or their text were edited; it was " + since;
  return "other data under the same names, as another text; it was " + since;
}

}  // namespace

ClaimLedger::ClaimLedger(const std::string& cache_root) : root_(cache_root + "/claims") {}

namespace {

// One experiment's entry, as a whole.
class Entry {
 public:
  Entry(const std::string& root, const Experiment& experiment, const Plan& plan, const Registry& registry, const Shown& shown)
      : root_(root), experiment_(experiment), plan_(plan), designs_(designs_of(experiment, registry)) {
    for (const Claim& claim : experiment.claims) reads_.push_back(reads_of(claim, plan, shown));
  }

  void write(const std::function<bool(const std::string&)>& has, const Shown& shown) const {
    // By what the trials show as well: a corpus has a name in the key, and may hold another text by now.
    Json::List keys;
    for (std::size_t i = 0; i < designs_.size(); ++i) keys.push_back(Json::List{designs_[i].key, shows_of(reads_[i])});
    const fs::path file = root_ / "registered" / (sha256(Json(std::move(keys)).canonical()) + ".json");
    std::error_code none;
    if (fs::exists(file, none)) {
      if (read(file)) return;
      fs::rename(file, file.string() + ".damaged", none);  // entered again, after what has been seen by now
    }
    write_once(file, json(has, shown).pretty(1) + "\n");
  }

  std::map<std::string, Standing> standings() const {
    std::vector<Json> all;
    if (auto shipped = shipped_registration(experiment_.name)) all.push_back(std::move(*shipped));
    std::vector<Json> own;
    for (const fs::path& file : files_in(root_ / "registered"))
      if (auto registration = read(file); registration && registration->find("khost_registration"))
        own.push_back(std::move(*registration));
    std::ranges::stable_sort(own, {}, [](const Json& r) { return r.at("nanoseconds").as_integer(); });
    std::ranges::move(own, std::back_inserter(all));
    std::map<std::string, Standing> out;
    for (std::size_t i = 0; i < designs_.size(); ++i) out.emplace(designs_[i].id, standing(i, all));
    return out;
  }

 private:
  Json json(const std::function<bool(const std::string&)>& has, const Shown& shown) const {
    Json::List claims, trials;
    std::set<const PlannedTrial*> read;
    for (std::size_t i = 0; i < designs_.size(); ++i) {
      for (const Read& r : reads_[i]) read.insert(r.trial);
      claims.push_back(Json::object({{"id", designs_[i].id},
                                     {"key", designs_[i].key},
                                     {"fixed", designs_[i].fixed},
                                     {"trials", designs_[i].trials},
                                     {"claim", resolved_json(experiment_.claims[i])},
                                     {"shows", shows_of(reads_[i])}}));
    }
    for (const PlannedTrial& t : plan_.trials)
      if (read.contains(&t))
        trials.push_back(Json::List{t.key.arm, t.key.base, t.key.draw, static_cast<std::int64_t>(t.key.seed), t.hash});
    Json seen{Json::Object{}};
    for (const auto& [shows, units] : seen_by_now(has, shown)) {
      Json::List list;
      for (const auto& [draw, seed] : units) list.push_back(Json::List{draw, seed});
      seen.set(shows, std::move(list));
    }
    return Json::object({{"khost_registration", 1},
                         {"time", utc_now()},
                         {"nanoseconds", std::int64_t{std::chrono::system_clock::now().time_since_epoch().count()}},
                         {"experiment", experiment_.name},
                         {"manifest", fs::absolute(experiment_.manifest_path).lexically_normal().string()},
                         {"khost", KHOST_VERSION},
                         {"family", designs_.front().family},
                         {"family_size", family_size(experiment_)},
                         {"claims", std::move(claims)},
                         {"trials", std::move(trials)},
                         {"seen", std::move(seen)}});
  }

  // Of what the claims read, at any seed: trials that were started, and those of the plan that are in the store.
  Seen seen_by_now(const std::function<bool(const std::string&)>& has, const Shown& shown) const {
    std::set<std::string> wanted;
    for (const std::vector<Read>& reads : reads_)
      for (const Read& r : reads) wanted.insert(r.shows);
    Seen seen;
    each_started([&](const std::string& shows, const Unit& unit) {
      if (wanted.contains(shows)) seen[shows].insert(unit);
    });
    for (const PlannedTrial& t : plan_.trials)
      if (has(t.hash))
        for (const std::string& shows : shown.all(t))
          if (wanted.contains(shows)) seen[shows].insert(unit_of(t));
    return seen;
  }

  template <class F>
  void each_started(F&& f) const {
    for (const fs::path& file : files_in(root_ / "started")) {
      const auto started = read(file);
      if (!started) continue;
      for (const Json& shows : started->at("shows").as_list())
        f(shows.as_string(), Unit{started->at("draw").as_integer(), started->at("seed").as_integer()});
    }
  }

  // The claim as it is, of data as they are. What ships says nothing of the data: it was fixed before there were any here.
  bool holds(const Json& registration, std::size_t i) const {
    const Json* entry = entry_of(registration, "key", designs_[i].key);
    if (!entry) return false;
    const Json* shows = entry->find("shows");
    return !shows || *shows == Json(shows_of(reads_[i]));
  }

  // `all`: what this khost ships first, then by time.
  Standing standing(std::size_t i, const std::vector<Json>& all) const {
    const ClaimDesign& design = designs_[i];
    Standing s;
    s.key = design.key;
    const Json* own = nullptr;  // the first that holds the claim as it is
    for (const Json& registration : all) {
      if (!holds(registration, i)) continue;
      const auto seen = std::ranges::count_if(reads_[i], [&](const Read& r) { return was_seen(registration, r); });
      if (!own) own = &registration;
      if (seen) continue;
      s.fixed = true;
      own = &registration;
      break;
    }
    if (!own) return s;  // its entry was taken away meanwhile
    s.registered = when_and_by(*own);
    if (s.fixed)
      note(i, *own, all, s);
    else
      against(i, *own, all, s);
    return s;
  }

  void against(std::size_t i, const Json& own, const std::vector<Json>& all, Standing& s) const {
    for (const Json& other : all) {
      if (&other == &own || holds(other, i)) continue;
      const std::string text = difference(other, experiment_.name, designs_[i], family_size(experiment_));
      if (text.empty()) continue;
      s.against.push_back(text);
      const Json* before = entry_of(other, "id", designs_[i].id);
      if (before && text.starts_with("edited") && before->find("claim")) s.before = before->at("claim");
      break;
    }
    if (s.against.empty()) s.against.push_back("new: it was not registered before data that it reads");
    std::set<const PlannedTrial*> read, older;
    for (const Read& r : reads_[i]) {
      read.insert(r.trial);
      if (was_seen(own, r)) older.insert(r.trial);
    }
    s.against.push_back(fmt::format("{} of the {} trials that it reads had been started when it was registered as it is ({})",
                                    older.size(), read.size(), when_and_by(own)));
  }

  // Of a claim that was fixed in time: is there an earlier version of it with data, or are its trials computed otherwise by now?
  void note(std::size_t i, const Json& own, const std::vector<Json>& all, Standing& s) const {
    for (const Json& other : all) {
      if (&other == &own) break;  // later ones are none of its past
      const Json* before = version(i, other);
      const Json* shows = before ? before->find("shows") : nullptr;
      if (!shows || !has_data(*shows)) continue;
      s.note = "an earlier version has data: " + difference(other, experiment_.name, designs_[i], family_size(experiment_));
      s.has_past = true;
      break;
    }
    if (const Json* trials = own.find("trials"); trials && computed_otherwise(*trials, i))
      s.note += std::string(s.note.empty() ? "" : "; ") +
                "its trials are not computed as when it was registered: another backend, build or number of threads";
  }

  // What in another registration is a version of the claim: by its name, or, where it was renamed, by what it says.
  const Json* version(std::size_t i, const Json& other) const {
    if (holds(other, i)) return nullptr;
    const bool here = other.at("experiment").as_string() == experiment_.name;
    const Json* named = here ? entry_of(other, "id", designs_[i].id) : nullptr;
    return named ? named : entry_of(other, "fixed", designs_[i].fixed);
  }

  bool has_data(const Json& shows) const {
    bool found = false;
    each_started([&](const std::string& started, const Unit&) {
      found = found || std::ranges::any_of(shows.as_list(), [&](const Json& s) { return s.as_string() == started; });
    });
    return found;
  }

  bool computed_otherwise(const Json& registered, std::size_t i) const {
    for (const Json& r : registered.as_list()) {
      const Json::List& t = r.as_list();
      for (const Read& read : reads_[i]) {
        const TrialKey& key = read.trial->key;
        if (key.arm == t[0].as_string() && key.base == t[1].as_string() && unit_of(*read.trial).first == t[2].as_integer() &&
            unit_of(*read.trial).second == t[3].as_integer() && read.trial->hash != t[4].as_string())
          return true;
      }
    }
    return false;
  }

  fs::path root_;
  const Experiment& experiment_;
  const Plan& plan_;
  std::vector<ClaimDesign> designs_;
  std::vector<std::vector<Read>> reads_;  // of each claim
};

}  // namespace

std::map<std::string, Standing> ClaimLedger::enter(const Experiment& experiment, const Plan& plan, const Registry& registry,
                                                   const Shown& shown,
                                                   const std::function<bool(const std::string& hash)>& has) const {
  if (experiment.claims.empty()) return {};
  const Entry entry(root_, experiment, plan, registry, shown);
  entry.write(has, shown);
  return entry.standings();
}

void ClaimLedger::note_started(const PlannedTrial& trial, const Shown& shown) const {
  const std::vector<std::string> shows = shown.all(trial);
  const auto [draw, seed] = unit_of(trial);
  write_once(root_ + "/started/" + trial.hash + ".json",
             Json::object({{"draw", draw}, {"seed", seed}, {"shows", Json::List(shows.begin(), shows.end())}}).text() + "\n");
}

int ClaimLedger::look(const JudgedClaim& claim, bool can_decide, const Plan& plan, const Shown& shown) const {
  Json::List units;
  std::vector<JudgedClaim::Seed> seeds = claim.seeds;
  std::ranges::sort(seeds, {}, [](const JudgedClaim::Seed& s) { return std::pair(s.draw, s.seed); });
  for (const JudgedClaim::Seed& s : seeds) units.push_back(Json::List{s.draw, static_cast<std::int64_t>(s.seed)});
  std::vector<Read> reads = reads_of(*claim.claim, plan, shown);
  if (!claim.base.empty()) std::erase_if(reads, [&](const Read& r) { return r.trial->key.base != claim.base; });
  const Json own = Json::object({{"claim", claim.claim->id},
                                 {"base", claim.base},
                                 {"seeds", std::move(units)},
                                 {"shows", shows_of(reads)},
                                 {"time", utc_now()}});
  const std::string folder = root_ + "/looks/" + short_hash(claim.standing.key + " on " + claim.base);
  for (int k = 1;; ++k) {
    const std::string file = fmt::format("{}/{}.json", folder, k);
    std::error_code none;
    if (!fs::exists(file, none) && (!can_decide || write_once(file, own.text() + "\n"))) return k;
    const auto earlier = read(file);  // one that cannot be read was a look all the same
    if (!earlier || earlier->at("seeds") != own.at("seeds")) continue;
    const Json* shows = earlier->find("shows");  // before khost noted it, the data were taken for the same
    if (!shows || *shows == own.at("shows")) return k;
  }
}

}  // namespace khost
