#include "compare/compare.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "compare/pairs.hpp"
#include "report/figures.hpp"

namespace khost {
namespace {

Json member(const Json& claim, const char* key) {
  const Json* value = claim.find(key);
  return value ? *value : Json();
}

std::vector<ComparedClaim> compare_claims(const Json& first, const Json& second) {
  std::vector<ComparedClaim> out;
  for (const Json& claim : first.as_list())
    out.push_back({claim.at("id").as_string(), claim.at("base").as_string(), claim, Json()});
  for (const Json& claim : second.as_list()) {
    const std::string id = claim.at("id").as_string(), base = claim.at("base").as_string();
    const auto found = std::ranges::find_if(out, [&](const ComparedClaim& c) { return c.id == id && c.base == base; });
    if (found == out.end())
      out.push_back({id, base, Json(), claim});
    else
      found->second = claim;
  }
  return out;
}

ComparedRun described(const Run& run) {
  return {run.folder, run.experiment, run.hash, run.environment.khost, text_of(run.environment)};
}

void add_notes(const Run& first, const Run& second, std::vector<std::string>& notes) {
  std::error_code none;
  if (std::filesystem::equivalent(first.folder, second.folder, none))
    notes.push_back("both are the same folder: the run is compared with itself");
  else if (first.hash == second.hash)
    notes.push_back("both are the same run by its hash: manifest, seeds, backend and plugins");
  if (first.experiment != second.experiment)
    notes.push_back(fmt::format("they are runs of two experiments, {} and {}", first.experiment, second.experiment));
  for (const auto& [run, which] : {std::pair(&first, "first"), std::pair(&second, "second")})
    if (run->finished.empty())
      notes.push_back(
          fmt::format("the {} has not come to its end (begun {}): what is finished of it is compared; bases and claims are "
                      "written at its end",
                      which, run->started));
}

}  // namespace

std::string Tolerance::text() const {
  return fmt::format("rtol {}", relative) + (absolute > 0 ? fmt::format(", atol {}", absolute) : "");
}

bool ComparedClaim::is_changed() const {
  return in_both() &&
         (member(first, "verdict") != member(second, "verdict") || member(first, "would_be") != member(second, "would_be"));
}

bool ComparedClaim::is_another_claim() const { return in_both() && member(first, "hash") != member(second, "hash"); }

int Comparison::count(Sameness sameness) const {
  return static_cast<int>(std::ranges::count(records, sameness, &ComparedRecord::sameness));
}

int Comparison::compared() const { return static_cast<int>(records.size()) - count(Sameness::one_sided); }

int Comparison::changed_verdicts() const { return static_cast<int>(std::ranges::count_if(claims, &ComparedClaim::is_changed)); }

bool Comparison::is_whole() const {
  const auto all_of = [](const ComparedRun& run) { return run.unpaired.empty() && run.unfinished.empty(); };
  return all_of(first) && all_of(second) && std::ranges::none_of(records, &ComparedRecord::is_partial) &&
         std::ranges::all_of(claims, &ComparedClaim::in_both);
}

Comparison::Answer Comparison::answer() const {
  if (compared() == 0) return Answer::nothing;
  if (count(Sameness::differs) > 0 || changed_verdicts() > 0) return Answer::differs;
  if (!is_whole()) return Answer::partly;
  return count(Sameness::same) > 0 ? Answer::same : Answer::identical;
}

const char* answer_name(Comparison::Answer answer) {
  switch (answer) {
    case Comparison::Answer::identical:
      return "identical";
    case Comparison::Answer::same:
      return "same";
    case Comparison::Answer::partly:
      return "partly";
    case Comparison::Answer::differs:
      return "differs";
    case Comparison::Answer::nothing:
      break;
  }
  return "nothing";
}

Comparison compare_runs(const RunReader& first, const RunReader& second, const CompareOptions& options) {
  Comparison out;
  out.tolerance = options.tolerance;
  const Run of_first = first.run(), of_second = second.run();
  out.first = described(of_first), out.second = described(of_second);
  add_notes(of_first, of_second, out.notes);
  const Pairs pairs = pair_trials(first, second, options.arms, out);
  out.claims = compare_claims(of_first.claims, of_second.claims);
  compare_settings(of_first, of_second, out);
  compare_identities(pairs, out);
  out.records = compare_records(first, second, pairs, options.tolerance, out.notes);
  return out;
}

}  // namespace khost
