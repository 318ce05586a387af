#include <algorithm>
#include <cmath>
#include <map>

#include "artifact/file.hpp"
#include "report/distance.hpp"
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

void row(std::string& out, const Figure& f, Footnotes& notes) {
  const NumberStyle style = style_of(f.unit, f.interval.mean);
  std::string published;
  if (f.published) {
    const std::string mark = notes.mark(*f.published);
    published = markdown(f.published->printed) + (mark.empty() ? "" : " " + markdown(mark));
  }
  const std::string null = f.null ? number_text(f.null->mean, style) + " (" + number_text(f.null->low, style) + " .. " +
                                        number_text(f.null->high, style) + ")"
                                  : "";
  out += "| " + markdown(f.label()) + " | " + markdown(f.unit) + " | " + number_text(f.interval.mean, style) + " | " +
         interval_text(f.interval, style) + " | " + std::to_string(f.interval.n) + " of " + std::to_string(f.values.size()) +
         " | " + null + " | " + published + " |\n";
}

// Every published figure beside what each base gives, and how far the bases are from all of them.
void beside_published(std::string& out, const std::vector<BaseFigures>& bases, const Published& published) {
  const std::vector<Distance> distances = distances_of(bases, published.figures);
  if (distances.empty()) return;
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
      double value = f.interval.mean, printed = p.value;
      if (const auto from = here.find(p.below); from != here.end())
        value = from->second.second->interval.mean - value, printed = compared_value(p, published.figures);
      const bool both = value > 0 && printed > 0;
      line += " | " + number_text(f.interval.mean, style_of(f.unit, f.interval.mean)) +
              (both ? " (" + number_text(std::log(value / printed), {NumberStyle::Form::fixed, 2}) + ")" : "");
    }
    if (any) out += "| " + markdown(p.record) + " | " + markdown(p.printed) + line + " |\n";
  }
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

void definitions(std::string& out, const Run& run) {
  out += "\n## Definitions\n\n";
  heading(out, "| figure | unit | what it is | what noise gives ");
  const std::vector<Definition> own = {
      {"loss", "base", "nats", "loss per token on the trial's own batch before any update", {}},
      {"loss", "final", "nats", "loss per token on the trial's own batch after the last update, without dropout", {}},
      {"loss", "train", "nats", "each step's training loss, with dropout where there is one", {}},
      {"loss", "train_last", "nats", "the last of them: before the last update", {}},
      {"loss", "held_out_base", "nats", "loss per token on held-out text before any update", {}},
      {"loss", "held_out_final", "nats", "loss per token on held-out text after the last update", {}},
      {"loss", "at<n>", "nats", "loss per token on the trial's own batch after n updates; held_out_at<n>: on held-out text", {}},
      {"parameters",
       "adapter",
       "parameters",
       "sum over the adapted matrices (m x n) of K (m + n); of a schedule the largest",
       {}},
      {"parameters", "adapter_mean", "parameters", "its mean over steps", {}},
      {"parameters", "trainable", "parameters", "what the optimizer updates; of a schedule the largest", {}},
      {"parameters", "trainable_mean", "parameters", "its mean over steps", {}}};
  for (const auto* list : {&own, &run.definitions})
    for (const Definition& d : *list)
      out += "| " + markdown(d.probe + "/" + d.name) + " | " + markdown(d.unit) + " | " + markdown(d.doc) + " | " +
             markdown(list == &own     ? "no null: noise has no loss, and counts have no noise"
                      : d.null.empty() ? "its probe gives no null"
                                       : d.null) +
             " |\n";
}

}  // namespace

void write_report_md(const std::string& path, const Run& run, const Published& published) {
  const std::vector<BaseFigures> bases = figures_of(run, published.figures);
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
  Footnotes notes;
  for (const BaseFigures& base : bases) {
    out += "\n## Base " + markdown(base.base) + "\n";
    for (const ArmFigures& arm : base.arms) {
      out += "\n### " + markdown(arm.arm) + "\n\n";
      if (arm.figures.empty()) {
        out += "No trial of this arm finished.\n";
        continue;
      }
      heading(out, "| figure | unit ", "| mean | 95 % interval | n | noise gives | published ");
      for (const Figure& figure : arm.figures) row(out, figure, notes);
    }
  }

  if (!notes.notes().empty()) out += "\n## Notes on published figures\n\n";
  for (std::size_t i = 0; i < notes.notes().size(); ++i) out += std::to_string(i + 1) + ". " + markdown(notes.notes()[i]) + "\n";
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
  for (const TrialResult& trial : run.trials)
    if (trial.status == "failed") out += "- " + markdown(trial.key.text()) + ": " + markdown(trial.message) + "\n";
  environment(out, run);
  definitions(out, run);
  write_file_atomically(path, out);
}

}  // namespace khost
