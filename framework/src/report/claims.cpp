#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/shown.hpp"
#include "report/claim_text.hpp"
#include "report/figures.hpp"
#include "report/text.hpp"

namespace khost {
namespace {

constexpr std::size_t longest_shown = 600;  // bytes of a statement on a terminal; report.md has all of it

// A region's end, null where it is open.
Json end_json(double v) { return std::isfinite(v) ? Json(v) : Json(); }

Json claim_json(const JudgedClaim& judged) {
  const Claim& claim = *judged.claim;
  const Verdict& v = judged.verdict;
  Json::List values, without;
  for (const JudgedClaim::Seed& s : judged.seeds)
    values.push_back(Json::object({{"draw", s.draw}, {"seed", s.seed}, {"value", s.value}}));
  for (const std::string& record : judged.without_null) without.push_back(record);
  const Standing& standing = judged.standing;
  Json json = Json::object({{"id", claim.id},
                            {"base", judged.base},
                            {"statement", claim.statement},
                            {"let", let_of(claim)},
                            {"measure", claim.measure},
                            {"scale", claim.scale},
                            {"prediction", claim.predicts},
                            {"unit", claim.unit},
                            {"margin", claim.margin},
                            {"hash", judged.hash},
                            {"estimate", v.estimate},
                            {"low", v.low},
                            {"high", v.high},
                            {"corrected_low", v.corrected_low},
                            {"corrected_high", v.corrected_high},
                            {"level", 1 - v.alpha},
                            {"p", v.p},
                            {"inner_low", end_json(v.inner.low)},
                            {"inner_high", end_json(v.inner.high)},
                            {"verdict", standing.fixed ? std::string(verdict_name(v.kind)) : "post hoc"},
                            {"would_be", standing.fixed ? Json() : Json(std::string(verdict_name(v.kind)))},
                            {"registered", standing.registered},
                            {"post_hoc", Json::List(standing.against.begin(), standing.against.end())},
                            {"note", standing.note},
                            {"look", v.look ? Json(v.look) : Json()},
                            {"before_null", std::string(verdict_name(v.before_null))},
                            {"reason", v.reason},
                            {"seeds", v.seeds},
                            {"draws", v.draws},
                            {"this_base_alone", v.this_base_alone},
                            {"values", std::move(values)}});
  json.set("seeds_needed", v.needed ? Json(*v.needed) : Json());
  json.set("improvement",
           v.improvement
               ? Json::object({{"share", v.improvement->share}, {"low", v.improvement->low}, {"high", v.improvement->high}})
               : Json());
  json.set("null_share", v.null_share ? Json(*v.null_share) : Json());
  json.set("null_estimates", band_json(v.null_estimates));
  json.set("outside_noise", v.outside_noise);
  json.set("null", band_json(judged.null));
  json.set("without_null", std::move(without));
  if (!claim.permute.empty()) json.set("permute", Json(Json::List(claim.permute.begin(), claim.permute.end())));
  if (!judged.choices.empty()) json.set("choices", Json(Json::List(judged.choices.begin(), judged.choices.end())));
  json.set("published", claim.published);
  json.set("changed_from", standing.before);
  return json;
}

}  // namespace

double number_at(const Json& object, std::string_view key) {
  const Json* value = object.find(key);
  return value && value->is_number() ? value->as_number() : std::nan("");
}

std::string text_at(const Json& object, std::string_view key) {
  const Json* value = object.find(key);
  return value && value->is_string() ? value->as_string() : "";
}

namespace {

std::string range_text(const Json& object, NumberStyle style) {
  const double low = number_at(object, "low"), high = number_at(object, "high");
  return std::isnan(low) ? "" : number_text(low, style) + " .. " + number_text(high, style);
}

NumberStyle style_of_claim(const Json& claim) { return style_of("1", number_at(claim, "estimate")); }

}  // namespace

std::string published_text(const Json& claim, bool words) {
  const Json* published = claim.find("published");
  if (!published || !published->is_object()) return "";
  const double value = number_at(*published, "value");
  const std::string said = words ? text_at(*published, "words") : "";
  return (std::isnan(value) ? "" : shortest(value) + (said.empty() ? "" : ", ")) + said;
}

std::string estimate_text(const Json& claim) {
  const double estimate = number_at(claim, "estimate");
  return std::isnan(estimate) ? "-" : number_text(estimate, style_of_claim(claim));
}

std::string claim_interval_text(const Json& claim) { return range_text(claim, style_of_claim(claim)); }

std::string short_verdict(const Json& claim) {
  const std::string verdict = text_at(claim, "verdict");
  const double look = number_at(claim, "look");
  const std::string which = look > 1 ? fmt::format(" (look {:.0f})", look) : "";
  return verdict == "post hoc" ? verdict + ", " + text_at(claim, "would_be") : verdict + which;
}

namespace {}  // namespace

std::string post_hoc_text(const Json& claim) {
  if (text_at(claim, "verdict") != "post hoc") return "";
  std::string text = "POST HOC";
  if (const Json* against = claim.find("post_hoc"); against && against->is_list())
    for (const Json& reason : against->as_list()) text += (text.size() == 8 ? ": " : "; ") + reason.as_string();
  const Json* before = claim.find("changed_from");
  if (!before || !before->is_object()) return text;
  return text + fmt::format("; before: {} {}, margin {}", text_at(*before, "measure"), text_at(*before, "predicts"),
                            shortest(number_at(*before, "margin")));
}

namespace {

std::string noise_text(const Json& claim, NumberStyle style) {
  const Json* null = claim.find("null");
  return null && null->is_object() ? range_text(*null, style) : "no null";
}

bool is_outside_noise(const Json& claim) {
  const Json* outside = claim.find("outside_noise");
  return outside && outside->is_bool() && outside->as_bool();
}

// Why noise took a verdict away.
std::string noise_reason(const Json& claim) {
  const std::string verdict = text_at(claim, "before_null");
  if (number_at(claim, "null_share") < noise_share) return "the interval meets what noise gives";
  return "alone it is " + verdict + " too" + (is_outside_noise(claim) ? "; yet the interval lies outside what noise gives" : "");
}

// With what would decide, where it is known; and with what noise reaches, where that took a verdict away.
std::string verdict_text(const Json& claim) {
  std::string text = text_at(claim, "verdict");
  if (text == "post hoc") {  // it carries no word of a verdict of its own
    Json as_if = claim;
    as_if.set("verdict", text_at(claim, "would_be"));
    return "post hoc: would be " + verdict_text(as_if);
  }
  const std::string verdict = text;
  if (const double look = number_at(claim, "look"); look > 1)
    text += fmt::format(" (look {:.0f}, level {:.4g} %)", look, 100 * number_at(claim, "level"));
  if (verdict == verdict_name(VerdictKind::explained_by_noise)) return text + ": " + noise_reason(claim);
  if (verdict != "inconclusive") return text;
  const std::string reason = text_at(claim, "reason");
  if (!reason.empty()) return text + ": " + reason;
  const Json* needed = claim.find("seeds_needed");
  return needed && needed->is_integer() ? fmt::format("{}: {} seeds would decide", text, needed->as_integer()) : text;
}

}  // namespace

ClaimRow claim_row(const Json& claim) {
  const NumberStyle style = style_of_claim(claim);
  return {text_at(claim, "base"), estimate_text(claim), range_text(claim, style), noise_text(claim, style), verdict_text(claim)};
}

namespace {

// "K32/loss/final, K64/loss/final"
std::string listed(const Json& texts) {
  std::string out;
  for (const Json& text : texts.as_list()) out += (out.empty() ? "" : ", ") + text.as_string();
  return out;
}

}  // namespace

Json claims_json(const std::vector<JudgedClaim>& judged) {
  Json::List claims;
  for (const JudgedClaim& claim : judged) claims.push_back(claim_json(claim));
  return claims;
}

std::string claim_table(const Json& claims, std::size_t width) {
  std::vector<ClaimRow> rows;
  for (const Json& claim : claims.as_list()) rows.push_back(claim_row(claim));
  std::size_t base = 0, estimate = 0, interval = 0, noise = 0;
  for (const ClaimRow& r : rows) {
    base = std::max(base, columns(r.base)), estimate = std::max(estimate, columns(r.estimate));
    interval = std::max(interval, columns(r.interval)), noise = std::max(noise, columns(r.noise));
  }
  std::string out, id;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Json& claim = claims.as_list()[i];
    if (text_at(claim, "id") != id) {
      id = text_at(claim, "id");
      const std::string published = published_text(claim);
      add_lines(out,
                fmt::format("{}: {} ({} {}, margin {}){}", id, shortened(text_at(claim, "statement"), longest_shown),
                            text_at(claim, "measure"), text_at(claim, "prediction"), shortest(number_at(claim, "margin")),
                            published.empty() ? "" : ". Paper: " + published),
                width, "  ", "    ");
      if (const std::string why = post_hoc_text(claim); !why.empty()) add_lines(out, why, width, "    ", "    ");
    }
    const ClaimRow& r = rows[i];
    const std::string start = "    " + left(r.base, base) + "  " + right(r.estimate, estimate) + "  " +
                              left(r.interval, interval) + "  noise " + left(r.noise, noise) + "  ";
    add_lines(out, r.verdict, width, start, std::string(columns(start), ' '));
  }
  return out;
}

std::string claim_reasoning(const Json& claim, std::size_t width) {
  const NumberStyle style = style_of_claim(claim);
  std::string out;
  const auto line = [&](const std::string& name, const std::string& text) {
    if (!text.empty()) add_lines(out, text, width, "  " + left(name, 13), std::string(15, ' '));
  };
  const std::string base = text_at(claim, "base");
  add_lines(out, text_at(claim, "id") + (base.empty() ? "" : " on base " + base) + ": " + verdict_text(claim), width, "", "  ");
  line("statement", shortened(text_at(claim, "statement"), longest_shown));
  line("measure", text_at(claim, "measure") + (text_at(claim, "scale") == "log" ? ", on the log scale" : ""));
  for (const JsonMember& m : claim.at("let").as_object()) {
    if (m.value.is_list())
      line("", m.key + " = " + listed(m.value));
    else
      line("", m.key + " = one of " + listed(m.value.at("of")) + ", by the least mean of " + listed(m.value.at("least")));
  }
  const std::string unit = text_at(claim, "unit");
  line("prediction",
       fmt::format("{}, margin {}{}; as hashed: {}", text_at(claim, "prediction"), shortest(number_at(claim, "margin")),
                   unit.empty() || unit == "1" ? "" : ", in " + unit, text_at(claim, "hash")));
  line("post hoc", post_hoc_text(claim));
  line("registered", text_at(claim, "registered"));
  line("", text_at(claim, "note"));
  if (const double look = number_at(claim, "look"); look > 0)
    line("look", fmt::format("{:.0f} at this claim's data, which has {:.4g} % of the level 5 %", look,
                             100 * look_share(static_cast<int>(look))));
  const double low = number_at(claim, "inner_low"), high = number_at(claim, "inner_high");
  if (!std::isnan(low) && !std::isnan(high))
    line("confirmed", fmt::format("when the interval lies within {:.6g} .. {:.6g}", low, high));
  else if (!std::isnan(low) || !std::isnan(high))
    line("confirmed",
         fmt::format("when the interval lies {} {:.6g}", std::isnan(low) ? "below" : "above", std::isnan(low) ? high : low));
  std::string values;
  for (const Json& v : claim.at("values").as_list()) {
    const double value = number_at(v, "value");
    values += (values.empty() ? "" : ", ") +
              fmt::format("{}: {}", v.at("seed").as_integer(), std::isnan(value) ? "missing" : number_text(value, style));
  }
  if (const Json* choices = claim.find("choices"))
    for (const Json& choice : choices->as_list()) line("chosen", choice.as_string());
  line("by seed", values);
  line("estimate", number_text(number_at(claim, "estimate"), style) + ", interval " + range_text(claim, style) +
                       fmt::format(" at {:.4g} % (Holm over the paper's claims x bases, and the look's share), p = {:.2g}",
                                   100 * number_at(claim, "level"), number_at(claim, "p")));
  if (const double corrected = number_at(claim, "corrected_low"); !std::isnan(corrected))
    line("", fmt::format("corrected for skewness: {} .. {}", number_text(corrected, style),
                         number_text(number_at(claim, "corrected_high"), style)));
  if (const Json* improvement = claim.find("improvement"); improvement && improvement->is_object())
    line("improvement", fmt::format("{:.0f} % of seeds ({:.0f} .. {:.0f} %)", 100 * number_at(*improvement, "share"),
                                    100 * number_at(*improvement, "low"), 100 * number_at(*improvement, "high")));
  if (const Json* without = claim.find("without_null"); without && !without->as_list().empty()) {
    line("noise", "no guard: without a null are " + listed(*without));
  } else {
    const double share = number_at(claim, "null_share");
    const Json* permute = claim.find("permute");
    const std::string shuffled = permute ? ", with shuffled " + listed(*permute) : "";
    line("noise", "single seeds give " + noise_text(claim, style) + shuffled +
                      (std::isnan(share) ? ""
                                         : fmt::format("; {:.1f} % of replicates of noise alone reach '{}'", 100 * share,
                                                       text_at(claim, "before_null"))));
    if (const Json* estimates = claim.find("null_estimates"); estimates && estimates->is_object())
      line("", fmt::format("estimates from as many seeds of noise: {}; the interval {} them", range_text(*estimates, style),
                           is_outside_noise(claim) ? "leaves out" : "meets"));
  }
  if (const Json* alone = claim.find("this_base_alone"); alone && alone->is_bool() && alone->as_bool())
    line("speaks of", "this one draw of the base alone");
  line("paper", published_text(claim));
  return out;
}

std::string claim_markdown(const std::vector<std::pair<std::string, Json>>& claims_by_paper) {
  std::vector<std::string> bases;
  for (const auto& [paper, claims] : claims_by_paper)
    for (const Json& claim : claims.as_list())
      if (const std::string base = text_at(claim, "base"); std::ranges::find(bases, base) == bases.end()) bases.push_back(base);
  std::string out = "| paper | claim | statement | published ";
  for (const std::string& base : bases) out += "| " + (base.empty() ? "as named" : markdown(base)) + " ";
  out += "|\n|---|---|---|---";
  for (std::size_t i = 0; i < bases.size(); ++i) out += "|---";
  out += "|\n";
  for (const auto& [paper, claims] : claims_by_paper) {
    const Json::List& all = claims.as_list();
    for (std::size_t i = 0; i < all.size();) {
      const std::string id = text_at(all[i], "id");
      const std::string change = post_hoc_text(all[i]);
      out += "| " + markdown(paper) + " | " + markdown(id) + " | " +
             markdown(text_at(all[i], "statement") + (change.empty() ? "" : " (" + change + ")")) + " | " +
             markdown(published_text(all[i])) + " ";
      std::size_t end = i;
      while (end < all.size() && text_at(all[end], "id") == id) ++end;
      for (const std::string& base : bases) {
        out += "| ";
        for (std::size_t k = i; k < end; ++k) {
          if (text_at(all[k], "base") != base) continue;
          const ClaimRow r = claim_row(all[k]);
          out += fmt::format("**{}**, {}{}; noise {} ", markdown(r.verdict), r.estimate,
                             r.interval.empty() ? "" : " (" + r.interval + ")", r.noise);
        }
      }
      out += "|\n";
      i = end;
    }
  }
  return out;
}

}  // namespace khost
