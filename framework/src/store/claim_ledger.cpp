#include "store/claim_ledger.hpp"

#include <algorithm>
#include <filesystem>
#include <set>

#include "artifact/file.hpp"
#include "manifest/claims.hpp"
#include "manifest/record_path.hpp"
#include "stats/claims.hpp"

namespace khost {

namespace {

// Of the trials that a claim's records come from.
Json::List hashes_of(const Claim& claim, const Plan& plan) {
  std::vector<std::string> arms;
  for (const auto& [name, paths] : claim.let)
    for (const std::string& path : paths) arms.push_back(parse_record_path(path)->arm);
  std::set<std::string> hashes;
  for (const PlannedTrial& t : plan.trials)
    if (std::ranges::find(arms, t.key.arm) != arms.end()) hashes.insert(t.hash);
  return {hashes.begin(), hashes.end()};
}

}  // namespace

ClaimLedger::ClaimLedger(const std::string& cache_root, const std::string& experiment)
    : path_(cache_root + "/claims/" + experiment + ".json") {}

std::map<std::string, Json> ClaimLedger::note(const std::vector<Claim>& claims, const Plan& plan,
                                              const std::function<bool(const std::string& hash)>& has) const {
  std::map<std::string, Json> changed;
  if (claims.empty()) return changed;
  std::error_code ec;
  Json ledger{Json::Object{}};
  if (std::filesystem::is_regular_file(path_, ec)) {
    try {
      ledger = parse_json_file(path_);
    } catch (const Error&) {  // damaged: what is lost is only the memory of earlier texts
    }
  }
  for (const Claim& claim : claims) {
    const std::string hash = hash_of(claim);
    if (const Json* noted = ledger.find(claim.id)) {
      if (noted->at("hash").as_string() == hash) continue;
      const Json::List& trials = noted->at("trials").as_list();
      if (std::ranges::any_of(trials, [&](const Json& t) { return has(t.as_string()); })) {
        changed.emplace(claim.id, noted->at("claim"));
        continue;
      }
    }
    ledger.set(claim.id, Json::object({{"hash", hash}, {"claim", resolved_json(claim)}, {"trials", hashes_of(claim, plan)}}));
  }
  std::filesystem::create_directories(std::filesystem::path(path_).parent_path(), ec);
  write_file_atomically(path_, ledger.pretty() + "\n");
  return changed;
}

}  // namespace khost
