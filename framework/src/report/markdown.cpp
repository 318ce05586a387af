#include <algorithm>
#include <cmath>
#include <map>

#include "artifact/file.hpp"
#include "report/distance.hpp"
#include "report/failures.hpp"
#include "report/figures.hpp"
#include "report/not_finite.hpp"
#include "report/text.hpp"

namespace khost {
namespace {

void heading(std::string& out, const std::string& columns_of_left, const std::string& columns_of_right = "") {
  const auto count = [](const std::string& s) { return std::count(s.begin(), s.end(), '|'); };
  out += columns_of_left + columns_of_right + "|\n";
  for (auto i = count(columns_of_left); i > 0; --i) out += "|---";
  for (auto i = count(columns_of_right); i > 0; --i) out += "|---:";
  out += "|\n";
}

// Every published figure beside what each base gives, and how far the bases are from all of them.
void beside_published(std::string& out, const std::vector<BaseFigures>& bases, const Published& published) {
  if (unmatched(bases, published.figures).size() == published.figures.size()) return;
  out +=
      "\n## Published figures beside khost's\n\nMeans over seeds; in brackets ln(khost / published), of a loss that falls from "
      "another ln of the ratio of the falls.\n\n";
  std::vector<FiguresByRecord> of;
  std::string right;
  for (const BaseFigures& base : bases) {
    right += "| " + markdown(base.base) + " ";
    of.push_back(by_record(base));
  }
  heading(out, "| figure ", "| published " + right);
  for (const PublishedFigure& p : published.figures) {
    std::string line;
    bool any = false;
    for (const FiguresByRecord& here : of) {
      const auto found = here.find(p.record);
      if (found == here.end()) {
        line += " | ";
        continue;
      }
      any = true;
      const Figure& f = *found->second.second;
      const double ratio = log_ratio(p, published.figures, here);
      line += " | " + number_text(f.interval.mean, style_of(f.unit, f.interval.mean)) +
              (std::isfinite(ratio) ? " (" + number_text(ratio, {NumberStyle::Form::fixed, 2}) + ")" : "");
    }
    if (any) out += "| " + markdown(p.record) + " | " + markdown(p.printed) + line + " |\n";
  }
  const std::vector<Distance> distances = distances_of(bases, published.figures);
  if (distances.empty()) return;
  out += "\n### Distance\n\n" + markdown(distance_definition) + ".\n\n";
  heading(out, "| base ", "| figures | seeds | all | 1st, 3rd, ... | 2nd, 4th, ... | two seeds apart ");
  for (const Distance& d : distances)
    out += "| " + markdown(d.base) + " | " + std::to_string(d.figures) + " | " + std::to_string(d.whole.n) + " | " +
           distance_text(d.whole) + " | " + distance_text(d.odd) + " | " + distance_text(d.even) + " | " +
           number_text(d.apart, {}) + " |\n";
}

void pair(std::string& out, const std::string& name, const std::string& value) {
  if (!value.empty()) out += "| " + name + " | " + markdown(value) + " |\n";
}

void environment(std::string& out, const Run& run) {
  const Environment& e = run.environment;
  out += "\n## Environment\n\n";
  heading(out, "| what | value ");
  pair(out, "run", run.hash);
  pair(out, "khost", e.khost);
  pair(out, "backend", e.backend);
  pair(out, "library", e.library + (e.library_version.empty() ? "" : " " + e.library_version));
  pair(out, "kernel", e.kernel);
  pair(out, "threads per trial", std::to_string(e.threads));
  pair(out, "jobs", std::to_string(e.jobs));
  pair(out, "threads of the library", e.library_threads ? std::to_string(e.library_threads) : "it does not say");
  pair(out, "CPU", e.cpu);
  const Environment& a = run.artifacts;
  if (!a.backend.empty())
    pair(out, "bases made with",
         a.backend + ", " + a.library + (a.library_version.empty() ? "" : " " + a.library_version) + ", " + a.kernel + ", in " +
             std::to_string(a.parts) + " parts");
  for (const BaseMade& b : run.bases) {
    const std::string draw = b.draw ? " (draw " + std::to_string(b.draw) + ")" : "";
    pair(out, "base " + b.name + draw, b.hash.substr(0, 16) + (b.how.empty() ? "" : ": " + b.how));
    pair(out, "its file's SHA-256", b.file_hash);
  }
  for (const std::string& note : e.notes) pair(out, "note", note);
}

}  // namespace

void write_report_md(const std::string& path, const Run& run, const std::vector<BaseFigures>& bases, const Published& published) {
  std::string out = "# " + markdown(run.experiment + (run.title.empty() ? "" : ": " + run.title)) + "\n\n" +
                    text_of(count_trials(run)) +
                    ". Mean and 95 % t interval over trials; the interval speaks of this base alone where it has one draw.\n";
  if (!run.claims.as_list().empty())
    out +=
        "\n## Claims\n\nVerdicts by interval, Holm over all claims and bases, looks, and what noise alone reaches; of claims "
        "that "
        "were fixed before their data. Others are marked post hoc. "
        "`khost claims` shows the reasoning of each.\n\n" +
        claim_markdown({{run.experiment, run.claims}});
  beside_published(out, bases, published);
  const std::vector<const PublishedFigure*> absent = unmatched(bases, published.figures);
  if (!absent.empty()) {
    out += "\n## Published, but not measured in this run\n\n";
    for (const PublishedFigure* p : absent)
      out += "- " + markdown(p->record) + " = " + markdown(p->printed) + " (" + markdown(p->where) + ")\n";
  }
  if (!published.without_record.empty()) {
    out += "\n## Published, but no record measures it\n\n";
    for (const FigureWithoutRecord& f : published.without_record)
      out += "- " + markdown(f.figure) + (f.where.empty() ? "" : " (" + markdown(f.where) + ")") + ": " + markdown(f.why) + "\n";
  }
  const std::vector<NotFinite> odd = not_finite(bases);
  if (!odd.empty()) out += "\n## Records that are NaN or infinite\n\nSteps count from 0, as in records.csv.\n\n";
  for (const NotFinite& record : odd) out += "- " + markdown(record.record()) + ": " + record.text() + "\n";
  if (count_trials(run).failed) out += "\n## Failed trials\n\n";
  for (const Failure& failure : failures_of(run))
    out += "- " + markdown(failure.trials) + ": " + markdown(failure.message) + "\n";
  environment(out, run);
  out += "\nAll figures with their definitions and nulls, and their pictures: report.html. Any record by its name: khost show.\n";
  write_file_atomically(path, out);
}

}  // namespace khost
