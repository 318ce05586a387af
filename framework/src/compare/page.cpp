// A comparison as one HTML page: no script, nothing from elsewhere; every text of a run is escaped in text().
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "compare/shown.hpp"
#include "core/shown.hpp"

namespace khost {
namespace {

constexpr std::size_t most_rows = 5000;     // of a table; --json has no end
constexpr std::size_t longest_value = 300;  // bytes: a whole base or arm is a page of JSON

constexpr const char* head = R"(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>khost compare</title>
<style>
:root { color-scheme: light dark; --text: #1a1a1a; --back: #fff; --line: #ccc; --soft: #f3f3f3; --bad: #a40000; --good: #1b5e20; }
@media (prefers-color-scheme: dark) { :root { --text: #e4e4e4; --back: #161616; --line: #444; --soft: #232323; --bad: #ff8a80; --good: #a5d6a7; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--text); background: var(--back); max-width: 80rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.3rem; } h2 { font-size: 1.15rem; border-top: 1px solid var(--line); padding-top: 1rem; margin-top: 2rem; }
.differs { color: var(--bad); } .same, .identical { color: var(--good); }
.scroll { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: .3rem 0; }
th, td { text-align: left; vertical-align: top; padding: .15rem .6rem; border-bottom: 1px solid var(--line); overflow-wrap: break-word; max-width: 26rem; }
thead th { background: var(--soft); position: sticky; top: 0; } tbody th { font-weight: 400; min-width: 7rem; }
.number { text-align: right; white-space: nowrap; }
summary { cursor: pointer; padding: .3rem 0; }
</style>
</head>
<body>
)";

std::string text(std::string_view raw) {
  std::string out;
  for (const char c : printable(raw)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string element(const char* name, std::string_view content, const char* attributes = "") {
  return fmt::format("<{}{}>{}</{}>\n", name, attributes, text(content), name);
}

class Table {
 public:
  // The first column names the row; of others those from `numbers` on are numbers.
  Table(std::string caption, std::vector<std::string> heads, std::size_t numbers = 99)
      : caption_(std::move(caption)), heads_(std::move(heads)), numbers_(numbers) {}

  void add(const std::vector<std::string>& cells) {
    ++rows_;
    if (rows_ > most_rows) return;
    body_ += "<tr>";
    for (std::size_t i = 0; i < cells.size(); ++i)
      body_ += i == 0 ? "<th scope=\"row\">" + text(cells[i]) + "</th>"
                      : fmt::format("<td{}>{}</td>", i >= numbers_ ? " class=\"number\"" : "", text(cells[i]));
    body_ += "</tr>\n";
  }
  std::string html() const {
    if (rows_ == 0) return "";
    std::string out = "<div class=\"scroll\"><table>\n<caption>" + text(caption_) + "</caption>\n<thead><tr>";
    for (std::size_t i = 0; i < heads_.size(); ++i)
      out += fmt::format("<th scope=\"col\"{}>{}</th>", i >= numbers_ ? " class=\"number\"" : "", text(heads_[i]));
    out += "</tr></thead>\n<tbody>\n" + body_ + "</tbody>\n</table></div>\n";
    if (rows_ > most_rows) out += element("p", fmt::format("and {} more rows: khost compare --json has them", rows_ - most_rows));
    return out;
  }

 private:
  std::string caption_, body_;
  std::vector<std::string> heads_;
  std::size_t numbers_, rows_ = 0;
};

std::string joined_lines(const std::vector<std::string>& lines) {
  std::string out;
  for (const std::string& line : lines) out += (out.empty() ? "" : "; ") + line;
  return out;
}

std::string runs_table(const Comparison& c) {
  Table table("The runs", {"", "first", "second"});
  const auto row = [&](const char* what, std::string ComparedRun::*member) {
    table.add({what, c.first.*member, c.second.*member});
  };
  row("folder", &ComparedRun::folder), row("experiment", &ComparedRun::experiment), row("run", &ComparedRun::hash);
  row("khost", &ComparedRun::khost), row("environment", &ComparedRun::environment);
  const auto names = [&](const char* what, std::vector<std::string> ComparedRun::*member) {
    const std::string first = joined_lines(c.first.*member), second = joined_lines(c.second.*member);
    if (!first.empty() || !second.empty()) table.add({what, first, second});
  };
  names("has alone", &ComparedRun::unpaired), names("has not finished", &ComparedRun::unfinished);
  return table.html();
}

std::string claims_table(const Comparison& c, const char* caption, bool changed) {
  Table table(caption, {"claim", "base", "first", "second"});
  for (const ComparedClaim& claim : c.claims)
    if (claim.is_changed() == changed)
      table.add({claim.id + claim_remark(claim), claim.base, one_side_text(claim.first), one_side_text(claim.second)});
  return table.html();
}

std::string settings_table(const char* caption, const std::vector<Contrast>& settings) {
  Table table(caption, {"what", "first", "second", "places"}, 3);
  const auto side = [](const std::string& value) { return side_text(shortened(value, longest_value)); };
  for (const Contrast& s : settings) table.add({s.what, side(s.first), side(s.second), std::to_string(s.places)});
  return table.html();
}

std::string records_table(const Comparison& c, const std::string& caption, Sameness sameness) {
  Table table(caption + ", second - first",
              {"record", "relative", "first", "second", "largest at", "mean", "95 % interval", "n", "in sd", "points outside",
               "from", "points in one alone"},
              1);
  for (const ComparedRecord& r : c.records)
    if (r.sameness == sameness)
      table.add({record_name(r) + " (" + r.unit + ")", difference_text(r.relative), fmt::format("{:.7g}", r.first),
                 fmt::format("{:.7g}", r.second), at_text(r.largest), difference_text(r.difference.mean), interval_text(r),
                 std::to_string(r.difference.n), difference_text(r.largest_by_spread),
                 fmt::format("{} of {}", r.outside, r.points), r.first_outside ? at_text(*r.first_outside) : "",
                 std::to_string(r.only_first + r.only_second)});
  return table.html();
}

std::string names_table(const Comparison& c, const std::string& caption, Sameness sameness) {
  Table table(caption, {"record", "points in both", "in the first alone", "in the second alone"}, 1);
  for (const ComparedRecord& r : c.records)
    if (r.sameness == sameness)
      table.add({record_name(r) + " (" + r.unit + ")", std::to_string(r.points), std::to_string(r.only_first),
                 std::to_string(r.only_second)});
  return table.html();
}

std::string folded(const std::string& summary, const std::string& content) {
  return content.empty() ? "" : "<details>" + element("summary", summary) + content + "</details>\n";
}

std::string section(const Comparison& c) {
  std::string out = "<section>\n" + element("h2", c.first.folder + " and " + c.second.folder);
  out += fmt::format("<p class=\"{}\"><strong>{}</strong></p>\n", answer_name(c.answer()), text(answer_text(c)));
  out += claims_table(c, "Changed verdicts", true);
  for (const std::string& note : c.notes) out += element("p", "Note: " + note);
  out += runs_table(c);
  out += element("p", fmt::format("{}, {} of them the same trial by its hash; {}.", counted(c.pairs, "paired trial"), c.same_hash,
                                  c.tolerance.text()));
  out += settings_table("The manifests differ in", c.manifest) + settings_table("Paired arms differ in", c.arms) +
         settings_table("Made with", c.environment);
  out += records_table(c, "Records that differ, the worst first", Sameness::differs);
  out += names_table(c, "Records that one run alone has", Sameness::one_sided);
  out += claims_table(c, "Claims whose verdict is the same, or that one run alone has judged", false);
  out += folded(counted(c.count(Sameness::same), "record") + " within the tolerance",
                records_table(c, "Records that are the same within the tolerance", Sameness::same));
  out += folded(counted(c.count(Sameness::identical), "record") + " bit for bit",
                names_table(c, "Records that are the same bit for bit", Sameness::identical));
  return out + "</section>\n";
}

}  // namespace

std::string comparison_page(const std::vector<Comparison>& comparisons) {
  std::string out = head;
  out += "<main>\n" + element("h1", comparisons.size() == 1 ? "Two runs compared" : "Runs compared with the first");
  for (const Comparison& c : comparisons) out += section(c);
  return out + "</main>\n</body>\n</html>\n";
}

}  // namespace khost
