#include "report/ending.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "core/shown.hpp"
#include "report/claim_text.hpp"
#include "report/columns.hpp"
#include "report/distance.hpp"
#include "report/failures.hpp"
#include "report/figures.hpp"
#include "report/not_finite.hpp"
#include "report/text.hpp"

namespace khost {
namespace {

constexpr std::size_t least_rows = 23, least_figures = 4;

void add_name(std::vector<std::string>& names, const std::string& name) {
  if (std::ranges::find(names, name) == names.end()) names.push_back(name);
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

// The first of the tables that is no wider than `width`, else the last.
template <class Make>
std::vector<std::string> fitting(std::size_t width, int forms, Make make) {
  std::vector<std::string> lines;
  for (int form = 0; form < forms; ++form) {
    lines = make(form);
    if (std::ranges::all_of(lines, [&](const std::string& line) { return columns(line) <= width; })) break;
  }
  return lines;
}

// What there is room for: all; of what the paper says its figure alone; neither that nor estimates.
enum class Claims { whole, figures, verdicts };

// One claim a line: what the paper says, and on each base the verdict and the estimate.
std::vector<std::string> claim_lines(const Json& claims, Claims form) {
  std::vector<std::string> bases, ids;
  std::map<std::pair<std::string, std::string>, std::string> verdicts;
  std::map<std::string, std::string> papers;
  for (const Json& claim : claims.as_list()) {
    const std::string id = claim.at("id").as_string(), base = claim.at("base").as_string();
    add_name(ids, id), add_name(bases, base);
    const std::string estimate = estimate_text(claim);
    verdicts[{id, base}] = short_verdict(claim) + (estimate == "-" || form == Claims::verdicts ? "" : "  " + estimate);
    papers[id] = published_text(claim, form == Claims::whole);
  }
  if (ids.empty()) return {};
  Columns table(Columns::Align::left);
  std::vector<std::string> head{"claim"};
  if (form != Claims::verdicts) head.emplace_back("paper");
  for (const std::string& base : bases) head.push_back(base.empty() ? "as named" : base);
  table.add(head);
  for (const std::string& id : ids) {
    std::vector<std::string> row{"  " + id};
    if (form != Claims::verdicts) row.push_back(papers[id]);
    for (const std::string& base : bases) row.push_back(verdicts[{id, base}]);
    table.add(row);
  }
  return lines_of(table.text());
}

enum class Uncertainty { interval, half_width, none };

std::string figure_text(const Figure& f, Uncertainty uncertainty) {
  const NumberStyle style = style_of(f.unit, f.interval.mean);
  std::string text = number_text(f.interval.mean, style);
  if (f.interval.n < 2 || !std::isfinite(f.interval.mean) || !(f.interval.sd > 0)) return text;
  if (uncertainty == Uncertainty::interval)
    text += " (" + number_text(f.interval.low, style) + " .. " + number_text(f.interval.high, style) + ")";
  else if (uncertainty == Uncertainty::half_width)
    text += " ±" + number_text((f.interval.high - f.interval.low) / 2, style);
  return text;
}

// One published figure a line, beside what each base gives.
std::vector<std::string> figure_lines(const std::vector<BaseFigures>& bases, const Published& published,
                                      Uncertainty uncertainty) {
  std::map<const PublishedFigure*, std::map<std::string, std::string>> found;
  for (const BaseFigures& base : bases)
    for (const ArmFigures& arm : base.arms)
      for (const Figure& f : arm.figures) {
        if (!f.published) continue;
        found[f.published][base.base] = figure_text(f, uncertainty);
      }
  if (found.empty()) return {};
  Columns table(Columns::Align::left);
  std::vector<std::string> head{"published figure", "paper"};
  for (const BaseFigures& base : bases) head.push_back(base.base);
  table.add(head);
  for (const PublishedFigure& p : published.figures) {
    const auto at = found.find(&p);
    if (at == found.end()) continue;
    std::vector<std::string> row{"  " + p.record, p.printed};
    for (const BaseFigures& base : bases) row.push_back(at->second[base.base]);
    table.add(row);
  }
  return lines_of(table.text());
}

// How far each base is from the published figures as a whole.
std::vector<std::string> distance_lines(const std::vector<BaseFigures>& bases, const Published& published) {
  const std::vector<Distance> distances = distances_of(bases, published.figures);
  if (distances.empty()) return {};
  Columns table(Columns::Align::left);
  table.add({"distance to the published figures", "rms of ln(ratio)", "figures", "two seeds apart"});
  for (const Distance& d : distances)
    table.add({"  " + d.base, distance_text(d.whole), std::to_string(d.figures), number_text(d.apart, {})});
  return lines_of(table.text());
}

// What went wrong: of trials, and of records.
std::vector<std::string> trouble_lines(const Run& run, const std::vector<BaseFigures>& bases, std::size_t width, bool all) {
  constexpr std::size_t few = 2;
  std::string out;
  int left = count_trials(run).failed;
  std::size_t told = 0;
  for (const Failure& failure : failures_of(run)) {
    if (!all && told++ == few) break;
    const std::string message = all ? failure.message : one_line(failure.message);
    add_lines(out, "failed: " + failure.trials + ": " + message, width, "", "  ");
    left -= failure.count;
  }
  if (left > 0) out += fmt::format("and {} more failed trials: khost show {}\n", left, run.folder);
  const std::vector<NotFinite> odd = not_finite(bases);
  for (std::size_t i = 0; i < std::min(odd.size(), all ? std::size_t{12} : few); ++i)
    add_lines(out, odd[i].record() + " is " + odd[i].text(), width, "", "  ");
  if (const std::size_t shown = all ? 12 : few; odd.size() > shown)
    out += fmt::format("and {} more records that are NaN or infinite, listed in report.md\n", odd.size() - shown);
  return lines_of(out);
}

// On a screen, which breaks what is wider than it: a path or a command is not cut.
std::size_t rows_of(const std::string& text, std::size_t width) {
  std::size_t rows = 0;
  for (const std::string& line : lines_of(text)) rows += std::max<std::size_t>(1, (columns(line) + width - 1) / width);
  return rows;
}

// The first `most` of the lines below a heading, and how to see the others.
void add_some(std::string& out, const std::vector<std::string>& lines, std::size_t most, const std::string& rest,
              std::size_t width) {
  if (lines.empty()) return;
  out += "\n";
  const bool fits = lines.size() <= most;
  const std::size_t shown = fits ? lines.size() : most - 1;
  for (std::size_t i = 0; i < shown; ++i) out += clipped(lines[i], width) + "\n";
  if (!fits) out += fmt::format("  and {} more: {}\n", lines.size() - shown, rest);
}

}  // namespace

std::string verdict_counts(const Json& claims) {
  std::vector<std::pair<std::string, int>> counts;
  for (const char* verdict : {"confirmed", "falsified", "explained by noise", "inconclusive", "post hoc"}) {
    const auto n = std::ranges::count_if(claims.as_list(), [&](const Json& c) { return c.at("verdict") == Json(verdict); });
    if (n) counts.emplace_back(verdict, static_cast<int>(n));
  }
  std::string text;
  for (const auto& [verdict, n] : counts) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", n, verdict);
  return text;
}

std::string ending(const Run& run, const Published& published, Screen screen) {
  const std::size_t width = std::max<std::size_t>(screen.columns, 60);
  const bool all = screen.rows == 0;
  const std::vector<BaseFigures> bases = figures_of(run, published.figures);
  const std::vector<std::string> claims = fitting(width, 3, [&](int form) { return claim_lines(run.claims, Claims(form)); }),
                                 distances = distance_lines(bases, published), trouble = trouble_lines(run, bases, width, all);
  std::vector<std::string> figures =
      fitting(width, 3, [&](int form) { return figure_lines(bases, published, Uncertainty(form)); });
  if (figures.empty()) figures = lines_of(main_figures(run, published, width));  // none is published
  std::string head;
  head += clipped(run.experiment + (run.title.empty() ? "" : ": " + shortened(run.title, 400)), width) + "\n";
  add_lines(head, text_of(count_trials(run)) + ", " + text_of(run.environment), width, "", "  ");
  std::string tail = "\n";
  for (const BaseMade& b : run.bases)
    if (!b.how.empty())
      tail += clipped("base " + b.name + (b.draw ? fmt::format(" draw {}", b.draw) : "") + ": " + b.how, width) + "\n";
  if (!run.claims.as_list().empty()) tail += "the reasoning of verdicts: khost claims " + run.folder + "\n";
  tail += "records by name: khost show " + run.folder + "\n";
  if (screen.whole) tail += "pictures: " + run.folder + "/report.html\n";
  tail += "run folder: " + run.folder + "\n";

  std::size_t most_claims = claims.size(), most_figures = figures.size();
  if (!all) {
    std::size_t left = std::max(screen.rows, least_rows) - 1;  // a line for the prompt
    const auto take = [&](std::size_t n) { left -= std::min(left, n); };
    take(rows_of(head, width) + rows_of(tail, width));
    if (!trouble.empty()) take(1 + trouble.size());
    if (!distances.empty()) take(1 + distances.size());
    const std::size_t for_figures = figures.empty() ? 0 : 1 + std::min(figures.size(), least_figures);
    most_claims = std::min(claims.size(), std::max<std::size_t>(left > for_figures + 1 ? left - for_figures - 1 : 0, 3));
    take(claims.empty() ? 0 : most_claims + 1);
    most_figures = std::min(figures.size(), std::max<std::size_t>(left > 1 ? left - 1 : 0, 3));
  }
  std::string out = head;
  add_some(out, claims, most_claims, "khost claims " + run.folder, width);
  add_some(out, figures, most_figures, "khost show " + run.folder, width);
  add_some(out, distances, distances.size(), "", width);
  if (!trouble.empty()) {
    out += "\n";
    for (const std::string& line : trouble) out += line + "\n";
  }
  return out + tail;
}

}  // namespace khost
