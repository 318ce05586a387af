#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <functional>

#include "core/shown.hpp"
#include "report/failures.hpp"
#include "report/figures.hpp"
#include "report/not_finite.hpp"
#include "report/text.hpp"

namespace khost {
namespace {

constexpr std::size_t cell_count = 6;  // mean, interval, n, what noise gives, published, its note's mark
constexpr std::size_t noise_cell = 3, least_label = 20;
using Cells = std::array<std::string, cell_count>;
constexpr std::array<const char*, cell_count> heads = {"mean", "95 % interval", "n", "noise gives", "published", ""};

struct Row {
  std::string label;
  Cells cells;
};

struct Section {
  std::string base, arm;
  std::vector<Row> rows;
};

// Is a part of the name a layer ("layer3"), a matrix of one ("layer.3.attn.qkv"), or "matrix"?
bool is_of_one_layer(const std::string& name) {
  for (std::size_t begin = 0; begin <= name.size();) {
    const std::size_t end = std::min(name.find('/', begin), name.size());
    const std::string_view part(name.data() + begin, end - begin);
    if (part == "matrix") return true;
    if (part.size() > 5 && part.starts_with("layer") && (part[5] == '.' || std::isdigit(static_cast<unsigned char>(part[5]))))
      return true;
    begin = end + 1;
  }
  return false;
}

// A probe's figures that a page shows: more of one arm would bury the others'.
constexpr std::ptrdiff_t most_of_a_probe = 24;

// What a terminal's table leaves to the report: figures of single layers, all but the published ones of a probe that has a great
// many, and a mean over steps that says what stands above it.
bool is_detail(const Figure& figure, const ArmFigures& arm) {
  if (figure.published) return false;
  if (is_of_one_layer(figure.name)) return true;
  if (figure.probe == "parameters" && figure.name.ends_with("_mean"))
    return std::ranges::any_of(arm.figures, [&](const Figure& other) {
      return other.probe == figure.probe && other.name + "_mean" == figure.name && other.values == figure.values;
    });
  return std::ranges::count_if(arm.figures, [&](const Figure& other) {
           return other.probe == figure.probe && !is_of_one_layer(other.name);
         }) > most_of_a_probe;
}

Cells cells_of(const Figure& f, Footnotes& notes) {
  const NumberStyle style = style_of(f.unit, f.interval.mean);
  Cells cells;
  cells[0] = number_text(f.interval.mean, style);
  cells[1] = interval_text(f.interval, style);
  cells[2] = std::to_string(f.interval.n);
  if (static_cast<std::size_t>(f.interval.n) < f.values.size()) cells[2] += "/" + std::to_string(f.values.size());
  if (f.null) cells[3] = number_text(f.null->low, style) + " .. " + number_text(f.null->high, style);
  if (f.published) {
    cells[4] = f.published->printed;
    cells[5] = notes.mark(*f.published);
  }
  return cells;
}

std::string arm_title(const ArmFigures& arm) {
  const auto of = [&](const auto& is) { return std::ranges::count_if(arm.trials, is); };
  const auto failed = of([](const TrialResult* t) { return t->status == "failed"; });
  const auto unfinished = of([](const TrialResult* t) { return t->status != "failed" && t->status != "done"; });
  if (!failed && !unfinished) return arm.arm;
  std::string text = arm.arm + " (";
  if (failed) text += std::to_string(failed) + (unfinished ? " failed, " : " ");
  if (unfinished) text += std::to_string(unfinished) + " ";
  return text + "of " + std::to_string(arm.trials.size()) + " trials " + (unfinished ? "not finished)" : "failed)");
}

class Table {
 public:
  explicit Table(std::size_t width) : width_(width) {}

  void add(Section section) { sections_.push_back(std::move(section)); }
  bool shows_noise() const { return shows_noise_; }  // once it is printed

  void print(std::string& out) {
    measure();
    std::string base;
    bool is_first = true;
    for (const Section& section : sections_) {
      if (is_first || section.base != base) {
        Cells titles;
        std::copy(heads.begin(), heads.end(), titles.begin());
        out += "\n";
        print_row(out, "base " + section.base, titles);
        base = section.base;
      }
      is_first = false;
      out += clipped("  " + section.arm, width_) + "\n";
      for (const Row& row : section.rows) print_row(out, "    " + row.label, row.cells);
    }
  }

 private:
  void measure() {
    for (std::size_t i = 0; i < cell_count; ++i) widths_[i] = columns(heads[i]);
    for (const Section& section : sections_) {
      label_ = std::max(label_, columns(section.base) + 5);
      for (const Row& row : section.rows) {
        label_ = std::max(label_, columns(row.label) + 4);
        for (std::size_t i = 0; i < cell_count; ++i) widths_[i] = std::max(widths_[i], columns(row.cells[i]));
      }
    }
    const auto has_noise = [](const Section& s) {
      return std::ranges::any_of(s.rows, [](const Row& r) { return !r.cells[noise_cell].empty(); });
    };
    shows_noise_ = std::ranges::any_of(sections_, has_noise);
    std::size_t used = 0;
    for (std::size_t i = 0; i < cell_count; ++i) used += widths_[i] + gap(i);
    // Where the line is too short for all, the report has what noise gives.
    if (used + least_label > width_) shows_noise_ = false;
    if (!shows_noise_) used -= widths_[noise_cell] + gap(noise_cell);
    label_ = std::min(label_, width_ > used ? width_ - used : 0);
  }

  static std::size_t gap(std::size_t cell) { return cell + 1 == cell_count ? 1 : 2; }

  // A label that leaves no room for its cells stands on a line of its own.
  void print_row(std::string& out, const std::string& label, const Cells& cells) const {
    if (columns(label) > label_) out += clipped(label, width_) + "\n";
    std::string line = left(columns(label) > label_ ? "" : label, label_);
    for (std::size_t i = 0; i < cell_count; ++i)
      if (i != noise_cell || shows_noise_)
        line += std::string(gap(i), ' ') + (i + 1 == cell_count ? left(cells[i], widths_[i]) : right(cells[i], widths_[i]));
    line.erase(line.find_last_not_of(' ') + 1);
    out += clipped(line, width_) + "\n";
  }

  bool shows_noise_ = false;
  std::size_t width_, label_ = 0;
  std::array<std::size_t, cell_count> widths_{};
  std::vector<Section> sections_;
};

std::string joined(const std::vector<std::string>& items, const char* between) {
  std::string text;
  for (const std::string& item : items) text += (text.empty() ? "" : between) + item;
  return text;
}

// Those figures that `shows` picks, and below them what is needed to read them.
std::string figures_text(const std::vector<BaseFigures>& bases, std::size_t width,
                         const std::function<bool(const ArmFigures&, const Figure&, const std::string& base)>& shows,
                         bool with_empty_arms) {
  Table table(width);
  Footnotes notes;
  std::vector<std::string> sources;
  for (const BaseFigures& base : bases)
    for (const ArmFigures& arm : base.arms) {
      Section section{base.base, arm_title(arm), {}};
      for (const Figure& figure : arm.figures) {
        if (!shows(arm, figure, base.base)) continue;
        section.rows.push_back({figure.label(), cells_of(figure, notes)});
        if (figure.published && !figure.published->where.empty() &&
            std::find(sources.begin(), sources.end(), figure.published->where) == sources.end())
          sources.push_back(figure.published->where);
      }
      if (with_empty_arms || !section.rows.empty()) table.add(std::move(section));
    }
  std::string out;
  table.print(out);
  if (table.shows_noise()) {
    out += "\n";
    add_lines(
        out,
        "Noise gives: 95 % of single trials in which the probe sees nothing but noise. What the noise is stands in report.html.",
        width, "", "  ");
  }
  if (!sources.empty() || !notes.notes().empty()) out += "\n";
  if (!sources.empty()) add_lines(out, "Published in " + joined(sources, "; ") + ".", width, "", "  ");
  for (std::size_t i = 0; i < notes.notes().size(); ++i)
    add_lines(out, notes.notes()[i], width, "[" + std::to_string(i + 1) + "] ", "    ");
  return out;
}

}  // namespace

std::string chosen_figures(const Run& run, const Published& published, std::size_t width,
                           const std::function<bool(const std::string& path)>& wants) {
  const auto shows = [&](const ArmFigures& arm, const Figure& figure, const std::string& base) {
    return wants(base + "/" + arm.arm + "/" + figure.label());
  };
  const std::string text = figures_text(figures_of(run, published.figures), width, shows, false);
  return text.substr(text.starts_with('\n'));
}

std::string main_figures(const Run& run, const Published& published, std::size_t width) {
  int hidden = 0;
  const auto shows = [&](const ArmFigures& arm, const Figure& figure, const std::string&) {
    const bool detail = is_detail(figure, arm);
    hidden += detail;
    return !detail;
  };
  std::string out = figures_text(figures_of(run, published.figures), width, shows, true);
  if (hidden) {
    out += "\n";
    add_lines(out,
              std::to_string(hidden) + (hidden == 1 ? " further figure is" : " further figures are") +
                  " in report.html and summary.json; khost show prints them by name.",
              width, "", "  ");
  }
  return out.substr(out.starts_with('\n'));
}

std::string figure_table(const Run& run, const Published& published, int wanted_width) {
  const auto width = static_cast<std::size_t>(std::max(wanted_width, 60));
  const std::vector<BaseFigures> bases = figures_of(run, published.figures);
  std::string out;
  add_lines(out, run.experiment + (run.title.empty() ? "" : ": " + shortened(run.title, 400)), width, "", "  ");
  add_lines(out, "run " + run.hash + ", khost " + run.environment.khost + ", " + text_of(run.environment), width, "", "  ");
  add_lines(out, text_of(count_trials(run)), width, "", "  ");
  if (!run.trials.empty()) out += "\n" + main_figures(run, published, width);
  std::vector<std::string> absent;
  for (const PublishedFigure* p : unmatched(bases, published.figures)) absent.push_back(p->record);
  if (!absent.empty()) add_lines(out, "Published, but not measured in this run: " + joined(absent, ", "), width, "", "  ");
  if (const auto n = published.without_record.size())
    add_lines(out, "Published without a record of their own: " + std::to_string(n) + ", listed in report.md with the reasons.",
              width, "", "  ");

  constexpr std::size_t most_not_finite = 12;
  const std::vector<NotFinite> odd = not_finite(bases);
  if (!odd.empty()) out += "\n";
  for (std::size_t i = 0; i < std::min(odd.size(), most_not_finite); ++i)
    add_lines(out, odd[i].record() + " is " + odd[i].text(), width, "", "  ");
  if (odd.size() > most_not_finite)
    add_lines(out, "and " + std::to_string(odd.size() - most_not_finite) + " further records, listed in report.md", width, "",
              "  ");

  if (const int failed = count_trials(run).failed) {
    out += failed == 1 ? "\n1 trial failed:\n" : "\n" + std::to_string(failed) + " trials failed:\n";
    for (const Failure& failure : failures_of(run)) add_lines(out, failure.trials + ": " + failure.message, width, "  ", "    ");
  }
  return out;
}

}  // namespace khost
