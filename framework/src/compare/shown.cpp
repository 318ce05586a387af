#include "compare/shown.hpp"

#include <fmt/format.h>

#include <cmath>

#include "report/claim_text.hpp"
#include "report/text.hpp"

namespace khost {

std::string counted(std::int64_t n, const std::string& what) {
  return grouped(std::to_string(n)) + " " + what + (n == 1 ? "" : "s");
}

std::string difference_text(double value) { return std::isnan(value) ? "-" : fmt::format("{:.3g}", value); }

std::string at_text(const ComparedRecord::At& at) {
  return (at.draw ? fmt::format("draw {} ", at.draw) : "") + fmt::format("seed {}", at.seed) +
         (at.step >= 0 ? fmt::format(" step {}", at.step) : "");
}

std::string interval_text(const ComparedRecord& r) {
  return r.difference.n < 2 ? "-" : difference_text(r.difference.low) + " .. " + difference_text(r.difference.high);
}

std::string one_side_text(const Json& claim) {
  if (!claim.is_object()) return "not judged";
  const std::string interval = claim_interval_text(claim);
  const Json* level = claim.find("level");  // by Holm: another number of claims is another level, and may be another verdict
  const std::string at = level && level->is_number() ? fmt::format(" at {:.5g} %", 100 * level->as_number()) : "";
  return short_verdict(claim) + ", " + estimate_text(claim) + (interval.empty() ? "" : " (" + interval + at + ")");
}

std::string claim_remark(const ComparedClaim& c) {
  if (c.is_another_claim()) return ", which is another claim in the second";
  if (!c.is_changed()) return "";
  const auto is_same = [&](const char* key) {
    const Json *a = c.first.find(key), *b = c.second.find(key);
    return a && b && *a == *b;
  };
  return is_same("estimate") && is_same("seeds") && !is_same("level")
             ? ", by its level alone: another number of claims, or another look"
             : "";
}

std::string side_text(const std::string& value) { return value.empty() ? "nothing" : value; }

std::string sameness_name(Sameness sameness) {
  switch (sameness) {
    case Sameness::identical:
      return "identical";
    case Sameness::same:
      return "same";
    case Sameness::differs:
      return "differs";
    case Sameness::one_sided:
      break;
  }
  return "one sided";
}

std::string record_name(const ComparedRecord& r) { return r.path() + (r.by_step ? " by step" : ""); }

}  // namespace khost
