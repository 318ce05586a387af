// A comparison as one HTML page.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "compare/shown.hpp"
#include "core/shown.hpp"
#include "page/html.hpp"

namespace khost {
namespace {

constexpr std::size_t most_rows = 5000;     // of a table; --json has no end
constexpr std::size_t longest_value = 300;  // bytes: a whole base or arm is a page of JSON

std::string element(const char* name, std::string_view content, const char* attributes = "") {
  return fmt::format("<{}{}>{}</{}>\n", name, attributes, html(content), name);
}

// The first column names the row; those from `numbers` on are numbers.
class Table {
 public:
  Table(std::string_view caption, const std::vector<std::string>& heads, std::size_t numbers = 99)
      : table_(caption, heads, numbers) {}

  void add(const std::vector<std::string>& cells) {
    if (++rows_ > most_rows) return;
    std::vector<std::string> escaped;
    for (const std::string& cell : cells) escaped.push_back(html(cell));
    table_.row(escaped);
  }
  std::string text() const {
    if (rows_ == 0) return "";
    return table_.text() + (rows_ > most_rows
                                ? element("p", fmt::format("and {} more rows: khost compare --json has them", rows_ - most_rows))
                                : "");
  }

 private:
  HtmlTable table_;
  std::size_t rows_ = 0;
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
  return table.text();
}

std::string claims_table(const Comparison& c, const char* caption, bool changed) {
  Table table(caption, {"claim", "base", "first", "second"});
  for (const ComparedClaim& claim : c.claims)
    if (claim.is_changed() == changed)
      table.add({claim.id + claim_remark(claim), claim.base, one_side_text(claim.first), one_side_text(claim.second)});
  return table.text();
}

std::string settings_table(const char* caption, const std::vector<Contrast>& settings) {
  Table table(caption, {"what", "first", "second", "places"}, 3);
  const auto side = [](const std::string& value) { return side_text(shortened(value, longest_value)); };
  for (const Contrast& s : settings) table.add({s.what, side(s.first), side(s.second), std::to_string(s.places)});
  return table.text();
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
  return table.text();
}

std::string names_table(const Comparison& c, const std::string& caption, Sameness sameness) {
  Table table(caption, {"record", "points in both", "in the first alone", "in the second alone"}, 1);
  for (const ComparedRecord& r : c.records)
    if (r.sameness == sameness)
      table.add({record_name(r) + " (" + r.unit + ")", std::to_string(r.points), std::to_string(r.only_first),
                 std::to_string(r.only_second)});
  return table.text();
}

std::string folded(const std::string& summary, const std::string& content) {
  return content.empty() ? "" : "<details>" + element("summary", summary) + content + "</details>\n";
}

std::string section(const Comparison& c) {
  std::string out = "<section>\n" + element("h2", c.first.folder + " and " + c.second.folder);
  out += fmt::format("<p class=\"{}\"><strong>{}</strong></p>\n", answer_name(c.answer()), html(answer_text(c)));
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
  const std::string title = comparisons.size() == 1 ? "Two runs compared" : "Runs compared with the first";
  std::string body = "<main>\n" + element("h1", title);
  for (const Comparison& c : comparisons) body += section(c);
  return whole_page("khost compare: " + title, body + "</main>\n", {});
}

}  // namespace khost
