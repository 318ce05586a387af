#include <cmath>

#include "compare/shown.hpp"
#include "report/not_finite.hpp"

namespace khost {
namespace {

Json texts(const std::vector<std::string>& all) { return Json::List(all.begin(), all.end()); }

Json run_json(const ComparedRun& run) {
  return Json::object({{"folder", run.folder},
                       {"experiment", run.experiment},
                       {"run", run.hash},
                       {"khost", run.khost},
                       {"environment", run.environment},
                       {"alone", texts(run.unpaired)},
                       {"trials_alone", run.unpaired_trials},
                       {"unfinished", texts(run.unfinished)},
                       {"trials_unfinished", run.unfinished_trials}});
}

Json settings_json(const std::vector<Contrast>& settings) {
  Json::List out;
  const auto side = [](const std::string& value) { return value.empty() ? Json() : Json(value); };
  for (const Contrast& s : settings)
    out.push_back(Json::object({{"what", s.what}, {"first", side(s.first)}, {"second", side(s.second)}, {"places", s.places}}));
  return out;
}

Json claim_json(const ComparedClaim& c) {
  const auto side = [](const Json& claim) {
    if (!claim.is_object()) return Json();
    Json out{Json::Object()};
    for (const char* key : {"verdict", "would_be", "estimate", "low", "high", "level", "look", "seeds", "hash"})
      if (const Json* value = claim.find(key)) out.set(key, *value);
    return out;
  };
  return Json::object({{"id", c.id},
                       {"base", c.base},
                       {"changed", c.is_changed()},
                       {"another_claim", c.is_another_claim()},
                       {"first", side(c.first)},
                       {"second", side(c.second)}});
}

Json at_json(const ComparedRecord::At& at) {
  return Json::object({{"draw", at.draw}, {"seed", Json(at.seed)}, {"step", at.step < 0 ? Json() : Json(at.step)}});
}

Json record_json(const ComparedRecord& r) {
  Json out = Json::object({{"record", r.path()},
                           {"by_step", r.by_step},
                           {"unit", r.unit},
                           {"verdict", sameness_name(r.sameness)},
                           {"points", r.points},
                           {"identical", r.identical},
                           {"outside", r.outside},
                           {"only_first", r.only_first},
                           {"only_second", r.only_second}});
  if (r.sameness == Sameness::one_sided) return out;
  const Interval& d = r.difference;
  out.set("difference",
          Json::object({{"n", d.n}, {"mean", number_json(d.mean)}, {"low", number_json(d.low)}, {"high", number_json(d.high)}}));
  out.set("spread", number_json(r.spread));
  out.set("largest_by_spread", number_json(r.largest_by_spread));
  out.set("relative", number_json(r.relative));
  if (r.identical < r.points) {
    Json largest = at_json(r.largest);
    largest.set("first", number_json(r.first));
    largest.set("second", number_json(r.second));
    out.set("largest", std::move(largest));
  }
  if (r.first_outside) out.set("first_outside", at_json(*r.first_outside));
  return out;
}

}  // namespace

Json comparison_json(const Comparison& c) {
  Json::List claims, records;
  for (const ComparedClaim& claim : c.claims) claims.push_back(claim_json(claim));
  for (const ComparedRecord& record : c.records) records.push_back(record_json(record));
  Json out = Json::object({{"answer", answer_name(c.answer())},
                           {"text", answer_text(c)},
                           {"rtol", c.tolerance.relative},
                           {"atol", c.tolerance.absolute},
                           {"first", run_json(c.first)},
                           {"second", run_json(c.second)},
                           {"notes", texts(c.notes)},
                           {"pairs", c.pairs},
                           {"same_hash", c.same_hash},
                           {"counts", Json::object({{"identical", c.count(Sameness::identical)},
                                                    {"same", c.count(Sameness::same)},
                                                    {"differs", c.count(Sameness::differs)},
                                                    {"one_sided", c.count(Sameness::one_sided)},
                                                    {"changed_verdicts", c.changed_verdicts()}})},
                           {"manifest", settings_json(c.manifest)},
                           {"arms", settings_json(c.arms)},
                           {"environment", settings_json(c.environment)}});
  out.set("claims", std::move(claims));
  out.set("records", std::move(records));
  return out;
}

}  // namespace khost
