#include "page/run_page.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "artifact/file.hpp"
#include "page/claims.hpp"
#include "page/html.hpp"
#include "page/picture_data.hpp"
#include "page/pictures.hpp"
#include "report/definitions.hpp"
#include "report/distance.hpp"
#include "report/failures.hpp"
#include "report/not_finite.hpp"

namespace khost {
namespace {

constexpr std::size_t most_figures = 500;  // of one arm, in the table of all

std::string paragraph(const std::string& content) { return "<p>" + content + "</p>\n"; }

std::string section(std::string_view id, std::string_view title, const std::string& content) {
  return fmt::format("<section id=\"{}\" aria-labelledby=\"{}-title\"><h2 id=\"{}-title\">{}</h2>\n{}</section>\n", html(id),
                     html(id), html(id), html(title), content);
}

std::string definition_list(const std::vector<std::pair<std::string, std::string>>& pairs) {
  std::string out = "<dl>";
  for (const auto& [name, value] : pairs)
    if (!value.empty()) out += "<dt>" + html(name) + "</dt><dd>" + value + "</dd>";
  return out + "</dl>\n";
}

std::string time_of_trials(const Run& run) {
  double seconds = 0;
  for (const TrialResult& t : run.trials) seconds += t.seconds;
  return duration_text(seconds) + " in trials";
}

// What a reader needs first: what was asked, whether it is all there, what came out, and how to have it again.
std::string head(const Run& run) {
  std::string out = fmt::format("<header><h1>{}</h1>\n", html(run.title.empty() ? run.experiment : run.title));
  out += paragraph(fmt::format("<code>{}</code> · {} · {} · {}", html(run.experiment), html(text_of(count_trials(run))),
                               html(time_of_trials(run)), html(text_of(run.environment))));
  if (run.finished.empty())
    out += fmt::format(
        "<p class=warning role=note>This run, begun {}, has not come to its end: what is here is of the trials that are "
        "finished. The same command goes on with it: <code>{}</code></p>\n",
        html(run.started), html(run.command));
  std::set<std::int64_t> draws;
  for (const BaseMade& b : run.bases) draws.insert(b.draw);
  if (draws.size() > 1)
    out += fmt::format(
        "<p class=warning role=note>Its bases have {} draws each. Figures and their intervals are over all trials, seeds of all "
        "draws together: they "
        "speak of these draws. Intervals of claims are over draws, and speak of the kind of base.</p>\n",
        draws.size());
  if (!run.claims.as_list().empty()) out += paragraph("Verdicts, each claim on each base: " + verdict_marks(run.claims));
  out += "<details><summary>How to have it again</summary>" +
         definition_list({{"command", "<code>" + html(run.command) + "</code>"},
                          {"run", "<code>" + html(run.hash) + "</code>"},
                          {"khost", html(run.environment.khost)},
                          {"resolved manifest", "<code>resolved.manifest</code> in this folder, itself a manifest"},
                          {"begun, ended", html(run.started + (run.finished.empty() ? "" : ", " + run.finished)) + " (UTC)"}}) +
         "</details></header>\n";
  return out;
}

std::string navigation(const std::vector<std::pair<std::string, std::string>>& sections) {
  std::string out = "<nav aria-label=Sections><ul>";
  for (const auto& [id, title] : sections) out += fmt::format("<li><a href=\"#{}\">{}</a></li>", html(id), html(title));
  return out + "</ul></nav>\n";
}

const ArmFigures* arm_of(const BaseFigures& base, const Figure* figure) {
  for (const ArmFigures& arm : base.arms)
    if (figure >= arm.figures.data() && figure < arm.figures.data() + arm.figures.size()) return &arm;
  return nullptr;
}

// What a record is, "" where nobody says. One that is declared without a placeholder is meant before one that fits a pattern.
std::string definition_of(const Run& run, const Figure& f) {
  std::string fitting;
  for (const auto* list : {&engine_definitions(), &run.definitions})
    for (const Definition& d : *list) {
      if (d.probe != f.probe) continue;
      if (d.name == f.name) return d.doc;
      if (fitting.empty() && placeholders_in(d.name, f.name)) fitting = d.doc;
    }
  return fitting;
}

std::string beside_published(const Run& run, const std::vector<BaseFigures>& bases, const Published& published) {
  std::vector<std::string> heads{"figure", "published"};
  std::vector<FiguresByRecord> of;
  for (const BaseFigures& base : bases) heads.push_back(base.base), of.push_back(by_record(base));
  HtmlTable table(
      "Published figures beside khost's: means over seeds, in brackets ln(khost / published), of a loss that falls from "
      "another ln of the ratio of the falls",
      heads);
  std::vector<std::string> notes;
  int rows = 0;
  for (const PublishedFigure& p : published.figures) {
    std::vector<std::string> cells{html(p.record), figure_html(p.printed, p.where + (p.note.empty() ? "" : "\n" + p.note))};
    bool any = false;
    for (std::size_t i = 0; i < bases.size(); ++i) {
      const auto found = of[i].find(p.record);
      if (found == of[i].end()) {
        cells.emplace_back();
        continue;
      }
      any = true;
      const Figure& f = *found->second.second;
      const double ratio = log_ratio(p, published.figures, of[i]);
      cells.push_back(
          figure_html(number_text(f.interval.mean, style_of(f.unit, f.interval.mean)),
                      tip_of(f, bases[i].base + "/" + p.record, arm_of(bases[i], &f)) + "\n" + definition_of(run, f)) +
          (std::isfinite(ratio) ? " <span class=ratio>(" + number_text(ratio, {NumberStyle::Form::fixed, 2}) + ")</span>" : ""));
    }
    if (any) table.row(cells), ++rows;
    if (any && !p.note.empty() && std::ranges::find(notes, p.note) == notes.end()) notes.push_back(p.note);
  }
  if (!rows) return "";
  std::string out = table.text();
  if (!notes.empty()) {
    out += "<h3>What a reader of these figures must know</h3><ul>";
    for (const std::string& note : notes) out += "<li>" + html(note) + "</li>";
    out += "</ul>\n";
  }
  if (const std::vector<Distance> distances = distances_of(bases, published.figures); !distances.empty()) {
    HtmlTable far("Distance to the published figures taken together: " + std::string(distance_definition),
                  {"base", "figures", "seeds", "all", "1st, 3rd, ...", "2nd, 4th, ...", "two seeds apart"});
    for (const Distance& d : distances)
      far.row({html(d.base), std::to_string(d.figures), std::to_string(d.whole.n), html(distance_text(d.whole)),
               html(distance_text(d.odd)), html(distance_text(d.even)), html(number_text(d.apart, {}))});
    out += far.text();
  }
  const auto list = [&](std::string_view title, const std::vector<std::string>& items) {
    if (items.empty()) return;
    out += fmt::format("<details><summary>{}: {}</summary><ul>", html(title), items.size());
    for (const std::string& item : items) out += "<li>" + html(item) + "</li>";
    out += "</ul></details>\n";
  };
  std::vector<std::string> absent, without;
  for (const PublishedFigure* p : unmatched(bases, published.figures))
    absent.push_back(p->record + " = " + p->printed + " (" + p->where + ")");
  for (const FigureWithoutRecord& f : published.without_record)
    without.push_back(f.figure + (f.where.empty() ? "" : " (" + f.where + ")") + ": " + f.why);
  list("Published, but not measured in this run", absent);
  list("Published, but no record measures it", without);
  return out;
}

std::string all_figures(const std::vector<BaseFigures>& bases) {
  std::string out;
  for (const BaseFigures& base : bases)
    for (const ArmFigures& arm : base.arms) {
      const std::string name = base.base + "/" + arm.arm;
      out += fmt::format("<details><summary>{}: {} figures of {} trials</summary>", html(name), arm.figures.size(),
                         arm.trials.size());
      HtmlTable table("All figures of " + name, {"figure", "unit", "mean", "95 % interval", "n", "noise gives", "published"});
      for (std::size_t i = 0; i < arm.figures.size() && i < most_figures; ++i) {
        const Figure& f = arm.figures[i];
        const NumberStyle style = style_of(f.unit, f.interval.mean);
        table.row({html(f.label()), html(f.unit),
                   figure_html(number_text(f.interval.mean, style), tip_of(f, name + "/" + f.label(), &arm)),
                   html(interval_text(f.interval, style)), fmt::format("{} of {}", f.interval.n, f.values.size()),
                   html(band_text(f.null, style)), f.published ? html(f.published->printed) : ""});
      }
      out += table.text();
      if (arm.figures.size() > most_figures)
        out +=
            paragraph(fmt::format("The first {} of {}; summary.json and khost show have all.", most_figures, arm.figures.size()));
      out += "</details>\n";
    }
  return out;
}

std::string trouble(const Run& run, const std::vector<BaseFigures>& bases, const RunPictures& of) {
  std::vector<std::string> items;
  for (const Failure& f : failures_of(run)) items.push_back(f.trials + " failed: " + f.message);
  for (const NotFinite& record : not_finite(bases)) items.push_back(record.record() + ": " + record.text());
  for (const std::string& fault : of.faults) items.push_back("a plugin's pictures cannot be read: " + fault);
  if (!of.left_out.empty())
    items.push_back(fmt::format("{} further records have no picture here: khost show has them", of.left_out.size()));
  if (items.empty()) return "";
  constexpr std::size_t most = 200;
  std::string out = "<ul>";
  for (std::size_t i = 0; i < items.size() && i < most; ++i) out += "<li>" + html(items[i]) + "</li>";
  if (items.size() > most) out += fmt::format("<li>and {} more, in summary.json</li>", items.size() - most);
  return out + "</ul>\n";
}

std::string environment(const Run& run) {
  const Environment &e = run.environment, &a = run.artifacts;
  const auto library = [](const Environment& of) {
    return html(of.library + (of.library_version.empty() ? "" : " " + of.library_version) +
                (of.kernel.empty() ? "" : ", " + of.kernel));
  };
  std::vector<std::pair<std::string, std::string>> pairs{
      {"backend", html(e.backend)},
      {"library", library(e)},
      {"threads", fmt::format("{} trials at a time of {} threads", e.jobs, e.threads)},
      {"CPU", html(e.cpu)},
      {"bases made with", a.backend.empty() ? "" : html(a.backend) + ", " + library(a)}};
  for (const BaseMade& b : run.bases)
    pairs.emplace_back("base " + b.name + (b.draw ? fmt::format(" (draw {})", b.draw) : ""),
                       html(b.how) + " <code>" + html(b.hash.substr(0, 16)) + "</code>" +
                           (b.file_hash.empty() ? "" : ", its file <code>" + html(b.file_hash) + "</code>"));
  for (const PluginUsed& p : run.plugins)
    pairs.emplace_back(p.kind + " " + p.name, "<code>" + html(p.content.substr(0, 16)) + "</code>");
  for (const std::string& note : e.notes) pairs.emplace_back("note", html(note));
  return definition_list(pairs);
}

std::string definitions(const Run& run) {
  HtmlTable table("What the records are", {"record", "unit", "what it is", "what noise gives"});
  for (const auto* list : {&engine_definitions(), &run.definitions})
    for (const Definition& d : *list) table.row({html(d.probe + "/" + d.name), html(d.unit), html(d.doc), html(noise_of(d))});
  return table.text();
}

// Which picture shows a record, by the record without its base.
std::map<std::string, std::string> links_of(const std::vector<Picture>& pictures) {
  std::map<std::string, std::string> links;
  for (const Picture& p : pictures)
    for (const PictureRow& row : p.rows)
      if (row.figure) links.emplace(row.record.substr(row.record.find('/') + 1), p.id);
  return links;
}

}  // namespace

RunPictures::RunPictures(const Run& run, const RunReader& reader, const std::vector<BaseFigures>& bases)
    : claims(claim_pictures(run.claims)) {
  const std::vector<PictureSpec> specs = picture_specs(run, faults);
  pictures = pictures_of(run, reader, bases, specs, left_out);
  std::map<std::string, int> ids;
  for (auto* list : {&claims, &pictures})
    for (Picture& p : *list)
      while (++ids[p.id] > 1) p.id += fmt::format("-{}", ids[p.id]);
}

void write_report_html(const std::string& path, const Run& run, const RunReader& reader, const std::vector<BaseFigures>& bases,
                       const Published& published) {
  const RunPictures of(run, reader, bases);
  Json::List data;
  for (const auto* list : {&of.claims, &of.pictures})
    for (const Picture& p : *list) data.push_back(picture_json(p));
  std::vector<std::pair<std::string, std::string>> sections;
  std::string body;
  const auto add = [&](const std::string& id, const std::string& title, const std::string& content) {
    if (content.empty()) return;
    sections.emplace_back(id, title);
    body += section(id, title, content);
  };
  if (!of.claims.empty()) add("verdicts", "Verdicts", claims_html(run.claims, of.claims, 0, links_of(of.pictures)));
  add("trouble", "What went wrong", trouble(run, bases, of));
  add("published", "Published figures", beside_published(run, bases, published));
  for (std::size_t i = 0; i < of.pictures.size();) {
    const std::string& name = of.pictures[i].section;
    std::string content, further;
    int count = 0;
    for (; i < of.pictures.size() && of.pictures[i].section == name; ++i) {
      const bool is_further = of.pictures[i].further;
      (is_further ? further : content) += picture_html(of.pictures[i], of.claims.size() + i);
      count += is_further;
    }
    if (count) content += fmt::format("<details><summary>Its other records: {} pictures</summary>{}</details>\n", count, further);
    add(picture_id("of-" + name), name, content);
  }
  add("figures", "All figures", all_figures(bases));
  add("definitions", "Definitions", definitions(run));
  add("environment", "Environment", environment(run));
  const std::string title = run.experiment + (run.title.empty() ? "" : ": " + run.title);
  write_file_atomically(path,
                        whole_page(title, head(run) + navigation(sections) + "<main>" + body + "</main>", Json(std::move(data))));
}

}  // namespace khost
