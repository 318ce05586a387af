#include "page/claims.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "page/html.hpp"
#include "report/claim_text.hpp"
#include "report/report.hpp"

namespace khost {
namespace {

std::string verdict_of(const Json& claim) { return text_at(claim, "verdict"); }

std::string css_class(std::string verdict) {
  std::ranges::replace(verdict, ' ', '-');
  return "verdict " + verdict;
}

// By claim, in their order: where its bases begin and end.
template <class Visit>
void each_claim(const Json::List& all, Visit visit) {
  for (std::size_t i = 0, end = 0; i < all.size(); i = end) {
    while (end < all.size() && text_at(all[end], "id") == text_at(all[i], "id")) ++end;
    visit(i, end);
  }
}

std::string claim_id(const Json& claim) { return picture_id("claim-" + text_at(claim, "id")); }

std::string base_of(const Json& claim) {
  const std::string base = text_at(claim, "base");
  return base.empty() ? "as named" : base;
}

Band band_in(const Json& json) { return {number_at(json, "mean"), number_at(json, "low"), number_at(json, "high")}; }

Picture picture_of(const Json::List& all, std::size_t begin, std::size_t end) {
  const Json& first = all[begin];
  Picture picture{.id = claim_id(first), .section = "Verdicts", .title = text_at(first, "statement"), .form = "claim"};
  picture.x_title = "base", picture.y_title = text_at(first, "measure");
  picture.region = {number_at(first, "inner_low"), number_at(first, "inner_high")};
  if (const Json* published = first.find("published"); published && published->is_object())
    picture.said = number_at(*published, "value");
  bool positive = !(picture.said <= 0);
  for (std::size_t i = begin; i < end; ++i) {
    PictureRow row{.panel = "", .series = verdict_of(all[i]), .at = base_of(all[i])};
    row.y = {static_cast<int>(number_at(all[i], "seeds")), number_at(all[i], "estimate"), 0, number_at(all[i], "low"),
             number_at(all[i], "high")};
    if (const Json* null = all[i].find("null"); null && null->is_object()) row.noise = band_in(*null);
    positive = positive && row.y.mean > 0 && !(row.y.low <= 0) && !(row.noise && row.noise->low <= 0);
    row.level = number_at(all[i], "level");
    if (const double low = number_at(all[i], "corrected_low"); std::isfinite(low))
      row.also = {low, number_at(all[i], "corrected_high")};
    row.record = picture.id;
    picture.rows.push_back(row);
  }
  picture.y_log = text_at(first, "scale") == "log" && positive;
  return picture;
}

std::string linked(const Json& claim, const std::map<std::string, std::string>& links, const std::string& path) {
  std::set<std::string> ids;
  const auto add = [&](const Json& texts) {
    for (const Json& text : texts.as_list()) {
      const std::string& record = text.as_string();
      const std::size_t from = record.starts_with('@') ? record.find('/') + 1 : 0;
      if (const auto found = links.find(record.substr(from, record.find(' ', from) - from)); found != links.end())
        ids.insert(found->second);
    }
  };
  if (const Json* let = claim.find("let"))
    for (const JsonMember& m : let->as_object())
      if (m.value.is_list()) add(m.value);
  std::string out;
  for (const std::string& id : ids)
    out += fmt::format("{}<a href=\"{}#{}\">{}</a>", out.empty() ? "" : ", ", html(path), html(id), html(id));
  return out.empty() ? "" : "<span class=links>pictures: " + out + "</span>";
}

}  // namespace

std::vector<Picture> claim_pictures(const Json& claims) {
  std::vector<Picture> pictures;
  each_claim(claims.as_list(),
             [&](std::size_t begin, std::size_t end) { pictures.push_back(picture_of(claims.as_list(), begin, end)); });
  return pictures;
}

std::string verdict_marks(const Json& claims) {
  std::vector<std::pair<std::string, int>> counts;
  for (const char* verdict : {"confirmed", "falsified", "explained by noise", "inconclusive", "post hoc"})
    counts.emplace_back(verdict, 0);
  for (const Json& claim : claims.as_list())
    for (auto& [verdict, n] : counts) n += verdict == verdict_of(claim);
  std::string out;
  for (const auto& [verdict, n] : counts)
    if (n) out += fmt::format("<span class=\"{}\">{} {}</span> ", css_class(verdict), n, verdict);
  return out;
}

std::string claims_html(const Json& claims, const std::vector<Picture>& pictures, std::size_t first,
                        const std::map<std::string, std::string>& links, const std::string& path) {
  const Json::List& all = claims.as_list();
  std::string out =
      "<div class=scroll tabindex=0 role=region aria-label=Verdicts><table class=claims><caption>Claims, fixed before their data "
      "unless "
      "marked post hoc. Drawn: estimate and interval (coloured by verdict), below it the interval corrected for skewness, which "
      "has to agree (thin), what confirms the claim (green ground), what noise alone gives in single seeds (grey bar), the "
      "paper's figure (dashed).</caption><colgroup><col class=wide><col class=narrow><col "
      "class=drawn><col class=narrow><col><col></colgroup><thead><tr><th scope=col>claim</th><th scope=col>published</th><th "
      "scope=col>interval</th><th scope=col>base</th><th scope=col>estimate; noise</th><th scope=col>verdict</th></tr></thead>\n";
  std::size_t picture = 0;
  each_claim(all, [&](std::size_t begin, std::size_t end) {
    const Json& claim = all[begin];
    const std::string id = text_at(claim, "id");
    out += fmt::format("<tbody id=\"{}\">", html(pictures[picture].id));
    for (std::size_t i = begin; i < end; ++i) {
      const ClaimRow row = claim_row(all[i]);
      const std::string reasoning = claim_reasoning(all[i], 96);
      out += "<tr>";
      if (i == begin) {
        const std::string why = post_hoc_text(claim);
        out += fmt::format(
            "<th scope=rowgroup rowspan={}><span class=statement>{}</span> <code>{}</code><span class=measure>{} {}, margin "
            "{}{}</span>{}</th>",
            end - begin, html(text_at(claim, "statement")),
            path.empty() ? html(id) : fmt::format("<a href=\"{}#{}\">{}</a>", html(path), html(claim_id(claim)), html(id)),
            html(text_at(claim, "measure")), html(text_at(claim, "prediction")), html(shortest(number_at(claim, "margin"))),
            why.empty() ? "" : ". " + html(why), linked(claim, links, path));
        out += fmt::format("<td rowspan={}>{}</td><td rowspan={} class=small-chart><div class=chart data-picture={}></div></td>",
                           end - begin, html(published_text(claim)), end - begin, first + picture);
      }
      const double level = 100 * number_at(all[i], "level");
      const std::string estimate =
          row.estimate + (row.interval.empty() ? "" : fmt::format(" ({} at {:.4g} %)", row.interval, level));
      const std::size_t word = std::min({row.verdict.find(':'), row.verdict.find(" ("), row.verdict.size()});
      out += fmt::format(
          "<td>{}</td><td>{}<span class=noise>{}</span></td><td><details><summary><span class=\"{}\">{}</span>{}</summary><pre "
          "tabindex=0>{}</pre></details></td></tr>\n",
          html(base_of(all[i])), figure_html(estimate, reasoning),
          html(row.noise == "no null" ? row.noise : "noise " + row.noise), html(css_class(verdict_of(all[i]))),
          html(row.verdict.substr(0, word)), html(row.verdict.substr(word)), html(reasoning));
    }
    out += "</tbody>\n";
    ++picture;
  });
  return out + "</table></div>\n";
}

}  // namespace khost
