#include "page/pictures.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include "page/ranks.hpp"
#include "page/steps.hpp"
#include "report/definitions.hpp"

namespace khost {
namespace {

constexpr std::size_t most_panels = 12, most_series = 24, most_rows = 6000, most_pictures = 150;
constexpr std::size_t most_lines = 8;  // that an eye can follow; more are a heat map

std::optional<double> number_in(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

// A row, and what tells it from others.
struct Candidate {
  PictureRow row;
  std::string base, arm, label;
  Placeholders rest = {};  // but for the one on the x axis
  std::string unit = {};
};

// Arms that have the record and no place on the x axis, and that every stride-th step is drawn.
struct LeftOut {
  std::vector<std::string> arms = {};
  std::int64_t stride = 1;
};

void add_new(std::vector<std::string>& to, const std::string& text) {
  if (!text.empty() && std::ranges::find(to, text) == to.end()) to.push_back(text);
}

// What `of` takes of each, in the order in which it first comes.
template <class Item, class Of>
std::vector<std::string> distinct(const std::vector<Item>& all, Of of) {
  std::vector<std::string> values;
  std::set<std::string> seen;
  for (const Item& item : all)
    if (const std::string value = of(item); seen.insert(value).second) values.push_back(value);
  return values;
}

std::string value_of(const Candidate& c, const std::string& key) {
  for (const auto& [name, value] : c.rest)
    if (name == key) return value;
  return "";
}

// Of these values the greatest number, or where one is none the last of them.
std::string last_of(const std::vector<std::string>& values) {
  return *std::ranges::max_element(
      values, {}, [&](const std::string& v) { return number_in(v).value_or(static_cast<double>(&v - values.data())); });
}

class Builder {
 public:
  Builder(const Run& run, const std::vector<BaseFigures>& bases, const std::vector<StepSeries>& steps)
      : run_(run), bases_(bases), steps_(steps), ranks_(run.manifest, bases) {
    for (const Definition& d : run.definitions)
      if (const std::string name = d.probe + "/" + d.name; name.find('<') == std::string::npos) plain_.insert(name);
  }

  // Nothing where the run has no such records.
  std::optional<Picture> picture(const PictureSpec& spec) const {
    LeftOut left_out;
    std::vector<Candidate> all = spec.x == "step" ? of_steps(spec, left_out) : of_trials(spec, left_out);
    std::vector<std::string> held;
    for (const auto& [key, wanted] : spec.where) hold(key, wanted, all, held);
    if (all.empty()) return std::nullopt;
    Picture picture{.id = spec.id, .section = spec.section, .title = spec.title, .form = spec.form};
    picture.references = spec.references;
    // A logarithm of what is not positive is nowhere.
    picture.x_log = spec.x_log && std::ranges::all_of(all, [](const Candidate& c) { return !(c.row.x <= 0); });
    picture.y_log =
        spec.y_log && std::ranges::all_of(all, [](const Candidate& c) { return !(c.row.y.mean <= 0) && !(c.row.y.low <= 0); });
    picture.x_numeric = spec.x != "arm" && std::ranges::all_of(all, [](const Candidate& c) { return std::isfinite(c.row.x); });
    picture.x_title = spec.x_title.empty() ? (spec.x == "rank" ? "K" : spec.x) : spec.x_title;
    const std::string& unit = all.front().unit;
    picture.y_title =
        (spec.y_title.empty() ? all.front().label : spec.y_title) + (unit.empty() || unit == "1" ? "" : " [" + unit + "]");
    place(spec, all);
    for (const PictureSpec::Shown& shown : spec.records) define(picture, shown.pattern);
    if (!spec.note.empty()) picture.notes.push_back(spec.note);
    for (const std::string& text : held) add_new(picture.notes, text);
    note_left_out(spec, left_out, picture);
    limit(picture, all);
    note_published(picture, all);
    for (Candidate& c : all) picture.rows.push_back(std::move(c.row));
    return picture;
  }

  // By its shape. `definition` is of a probe's record.
  std::vector<Picture> by_shape(const Definition& definition) const {
    std::vector<Picture> made;
    PictureSpec spec;
    spec.section = definition.probe == "loss" ? "Loss" : definition.instance.empty() ? definition.probe : definition.instance;
    spec.id = picture_id(definition.probe + "-" + definition.name);
    spec.title = definition.probe + "/" + definition.name;
    spec.records = {{"", definition.probe + "/" + definition.name}};
    spec.form = "dots", spec.x = "arm";
    LeftOut none;  // every arm has a place on an axis of arms
    const std::vector<Candidate> all = of_trials(spec, none);
    if (!all.empty()) {
      std::size_t most = 1, combinations = 1;
      const auto values_of = [&](const std::string& key) {
        return distinct(all, [&](const Candidate& c) { return value_of(c, key); }).size();
      };
      for (const auto& [key, _] : all.front().rest)
        if (const std::size_t values = values_of(key); values >= most) most = values, spec.x = key;
      for (const auto& [key, _] : all.front().rest)
        if (key != spec.x) combinations *= values_of(key);
      const bool numbers = spec.x != "arm" && std::ranges::all_of(all, [&](const Candidate& c) {
                             return number_in(value_of(c, spec.x)).has_value();
                           });
      spec.form = combinations > most_lines ? "heat" : numbers ? "lines" : "dots";
      if (auto one = picture(spec)) made.push_back(std::move(*one));
    }
    spec.x = "step", spec.form = "steps", spec.id += "-steps", spec.title += ", step by step";
    if (auto one = picture(spec)) made.push_back(std::move(*one));
    return made;
  }

  // Where the time of the trials went.
  std::optional<Picture> time() const {
    Picture picture{.id = "time", .section = "Time", .title = "Where the trials' time went", .form = "bars"};
    picture.x_title = "arm", picture.y_title = "all seeds [s]";
    picture.definitions = {"seconds that the trials of an arm took when they were computed, in this run or before it"};
    for (const BaseFigures& base : bases_)
      for (const ArmFigures& arm : base.arms) {
        PictureRow row{.panel = "", .series = base.base, .at = arm.arm};
        row.y = {0, 0, 0, 0, 0};
        for (const TrialResult* t : arm.trials) row.y.mean += t->seconds, ++row.y.n;
        row.y.low = row.y.high = row.y.sd = std::nan("");
        row.record = base.base + "/" + arm.arm;
        if (row.y.mean > 0) picture.rows.push_back(row);
      }
    return picture.rows.empty() ? std::nullopt : std::optional(picture);
  }

 private:
  std::optional<Placeholders> fit(const PictureSpec::Shown& shown, const std::string& probe, const std::string& name) const {
    const std::string_view pattern = shown.pattern;
    if (!pattern.starts_with(probe) || pattern.size() <= probe.size() || pattern[probe.size()] != '/') return std::nullopt;
    if (pattern.find('<') != std::string_view::npos && plain_.contains(probe + "/" + name)) return std::nullopt;
    return placeholders_in(pattern.substr(probe.size() + 1), name);
  }

  static std::string label_in(const PictureSpec& spec, const PictureSpec::Shown& shown) {
    return shown.label.empty() ? spec.records.front().pattern : shown.label;
  }

  // False where the arm has no such x.
  bool place_x(const PictureSpec& spec, const ArmFigures& arm, Candidate& c) const {
    if (spec.x == "arm") {
      c.row.at = arm.arm;
    } else if (spec.x == "rank") {
      c.row.x = ranks_.of(arm);
      if (!std::isfinite(c.row.x)) return false;
      c.row.at = number_text(c.row.x, {NumberStyle::Form::fixed, c.row.x == std::round(c.row.x) ? 0 : 1});
    } else if (spec.x.find('/') != std::string::npos) {
      const auto found = std::ranges::find_if(arm.figures, [&](const Figure& f) { return f.label() == spec.x; });
      if (found == arm.figures.end() || !std::isfinite(found->interval.mean)) return false;
      c.row.x = found->interval.mean, c.row.at = number_text(c.row.x, style_of(found->unit, c.row.x));
    } else {
      const auto at = std::ranges::find(c.rest, spec.x, [](const auto& p) { return p.first; });
      if (at == c.rest.end()) return false;
      c.row.at = at->second, c.row.x = number_in(at->second).value_or(std::nan(""));
      c.rest.erase(at);
    }
    return true;
  }

  std::vector<Candidate> of_trials(const PictureSpec& spec, LeftOut& left_out) const {
    std::vector<Candidate> all;
    for (const BaseFigures& base : bases_)
      for (const ArmFigures& arm : base.arms)
        for (const PictureSpec::Shown& shown : spec.records)
          for (const Figure& f : arm.figures) {
            auto rest = fit(shown, f.probe, f.name);
            if (!rest) continue;
            Candidate c{{.y = f.interval, .noise = f.null, .published = f.published, .figure = &f},
                        base.base,
                        arm.arm,
                        label_in(spec, shown),
                        std::move(*rest),
                        f.unit};
            c.row.record = base.base + "/" + arm.arm + "/" + f.label();
            if (spec.x.find('/') != std::string::npos) c.row.published = nullptr;  // no paper gives it at that x
            if (place_x(spec, arm, c))
              all.push_back(std::move(c));
            else
              add_new(left_out.arms, arm.arm);
          }
    return all;
  }

  std::vector<Candidate> of_steps(const PictureSpec& spec, LeftOut& left_out) const {
    std::vector<Candidate> all;
    for (const StepSeries& series : steps_)
      for (const PictureSpec::Shown& shown : spec.records) {
        const auto rest = fit(shown, series.probe, series.name);
        if (!rest) continue;
        left_out.stride = std::max(left_out.stride, series.stride);
        for (const auto& [step, values] : series.values) {
          Candidate c{{}, series.base, series.arm, label_in(spec, shown), *rest, series.unit};
          c.row.x = static_cast<double>(step), c.row.at = std::to_string(step), c.row.y = summarize(values);
          c.row.record = series.base + "/" + series.arm + "/" + series.label();
          all.push_back(std::move(c));
        }
      }
    return all;
  }

  // Of each base and arm the rows with that value; and what is said of the others.
  static void hold(const std::string& key, const std::string& wanted, std::vector<Candidate>& all,
                   std::vector<std::string>& said) {
    std::map<std::pair<std::string, std::string>, std::vector<std::string>> values;
    for (const Candidate& c : all) add_new(values[{c.base, c.arm}], value_of(c, key));
    const std::size_t before = all.size();
    std::erase_if(all, [&](const Candidate& c) {
      return value_of(c, key) != (wanted == "last" ? last_of(values.at({c.base, c.arm})) : wanted);
    });
    if (all.size() < before)
      said.push_back(fmt::format("Of <{}> {}; khost show has the others.", key,
                                 wanted == "last" ? "the last that an arm has is drawn" : wanted + " alone is drawn"));
  }

  // What has a colour of its own is the first of these that there are several of: records, a placeholder, arms. The others, and
  // bases, have panels.
  void place(const PictureSpec& spec, std::vector<Candidate>& all) const {
    std::vector<std::function<std::string(const Candidate&)>> ways;
    const auto arm = [&](const Candidate& c) { return spec.x == "rank" ? ranks_.family(c.arm, c.row.x) : c.arm; };
    const auto add = [&](auto way) {
      if (distinct(all, way).size() > 1) ways.emplace_back(way);
    };
    add([](const Candidate& c) { return c.label; });
    for (const auto& [key, _] : all.front().rest) add([key = key](const Candidate& c) { return value_of(c, key); });
    if (spec.x != "arm") add(arm);
    for (Candidate& c : all) {
      c.row.panel = c.base;
      c.row.series = ways.empty() ? arm(c) : ways.front()(c);
      for (std::size_t i = 1; i < ways.size(); ++i) c.row.panel += " · " + ways[i](c);
    }
    if (ways.empty() && spec.x == "arm")
      for (Candidate& c : all) c.row.series = c.label;
    const auto order_of = [](std::vector<std::string> names) {
      std::map<std::string, std::size_t> order;
      for (std::size_t i = 0; i < names.size(); ++i) order[names[i]] = i;
      return order;
    };
    const auto panels = order_of(distinct(all, [](const Candidate& c) { return c.row.panel; }));
    const auto series = order_of(distinct(all, [](const Candidate& c) { return c.row.series; }));
    std::ranges::stable_sort(all, [&](const Candidate& a, const Candidate& b) {
      const auto key = [&](const Candidate& c) { return std::tuple(panels.at(c.row.panel), series.at(c.row.series)); };
      if (key(a) != key(b)) return key(a) < key(b);
      return std::isfinite(a.row.x) && std::isfinite(b.row.x) && a.row.x < b.row.x;
    });
  }

  void define(Picture& picture, const std::string& pattern) const {
    for (const auto* list : {&engine_definitions(), &run_.definitions})
      for (const Definition& d : *list)
        if (d.probe + "/" + d.name == pattern)
          add_new(picture.definitions,
                  fmt::format("{}{}: {}. Noise: {}", pattern, d.unit == "1" ? "" : " [" + d.unit + "]", d.doc, noise_of(d)));
  }

  static void note_left_out(const PictureSpec& spec, const LeftOut& left_out, Picture& picture) {
    if (!left_out.arms.empty())
      picture.notes.push_back(
          fmt::format("Without {}, and so not drawn: {}.", spec.x == "rank" ? "a K" : spec.x, fmt::join(left_out.arms, ", ")));
    if (left_out.stride > 1)
      picture.notes.push_back(fmt::format("Every {}th step is drawn; khost show has all.", left_out.stride));
  }

  // Each note once, with all records that it is of.
  static void note_published(Picture& picture, const std::vector<Candidate>& all) {
    std::vector<std::pair<std::string, std::vector<std::string>>> notes;
    for (const Candidate& c : all) {
      if (!c.row.published || c.row.published->note.empty()) continue;
      auto at = std::ranges::find(notes, c.row.published->note, [](const auto& n) { return n.first; });
      if (at == notes.end()) at = notes.insert(notes.end(), {c.row.published->note, {}});
      add_new(at->second, c.row.published->record);
    }
    for (const auto& [note, records] : notes) picture.notes.push_back(fmt::format("{}: {}", fmt::join(records, ", "), note));
  }

  static void limit(Picture& picture, std::vector<Candidate>& all) {
    const auto cut = [&](auto of, std::size_t most, const char* what) {
      const std::vector<std::string> names = distinct(all, of);
      if (names.size() <= most) return;
      const std::set<std::string> kept(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(most));
      std::erase_if(all, [&](const Candidate& c) { return !kept.contains(of(c)); });
      picture.notes.push_back(fmt::format("The first {} of {} {} are drawn; khost show has all.", most, names.size(), what));
    };
    cut([](const Candidate& c) { return c.row.panel; }, most_panels, "panels");
    if (picture.form != "heat") cut([](const Candidate& c) { return c.row.series; }, most_series, "series");
    if (all.size() > most_rows) {
      picture.notes.push_back(fmt::format("The first {} of {} points are drawn; khost show has all.", most_rows, all.size()));
      all.resize(most_rows, all.front());
    }
  }

  const Run& run_;
  const std::vector<BaseFigures>& bases_;
  const std::vector<StepSeries>& steps_;
  Ranks ranks_;
  std::set<std::string> plain_;  // declared without a placeholder: "snr/drift/ratio" is none of "snr/drift/<group>"
};

// Records that nobody declared, as of a run whose khost did not keep that: each is its own definition.
std::vector<Definition> undeclared(const std::vector<BaseFigures>& bases, const std::vector<Definition>& declared) {
  std::vector<Definition> all;
  std::set<std::string> seen;
  for (const BaseFigures& base : bases)
    for (const ArmFigures& arm : base.arms)
      for (const Figure& f : arm.figures)
        if (seen.insert(f.label()).second && std::ranges::none_of(declared, [&](const Definition& d) {
              return d.probe == f.probe && (d.name == f.name || placeholders_in(d.name, f.name));
            }))
          all.push_back({f.probe, f.name, f.unit, "", "", f.probe});
  return all;
}

}  // namespace

bool Picture::has_marks() const {
  return std::ranges::any_of(rows, [](const PictureRow& row) { return std::isfinite(row.y.mean); });
}

std::string picture_id(const std::string& text) {
  std::string id;
  for (const char c : text) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) || c == '_' || (c == '.' && !id.empty());
    if (plain)
      id += c;
    else if (!id.empty() && id.back() != '-')
      id += '-';
  }
  constexpr std::size_t longest = 120;  // a file system takes 255 with an end
  if (id.size() > longest) id.resize(longest);
  while (id.ends_with('-')) id.pop_back();
  return id.empty() ? "picture" : id;
}

std::vector<std::string> Picture::panels() const {
  return distinct(rows, [](const PictureRow& row) { return row.panel; });
}

std::vector<std::string> Picture::series() const {
  return distinct(rows, [](const PictureRow& row) { return row.series; });
}

std::vector<Picture> pictures_of(const Run& run, const RunReader& reader, const std::vector<BaseFigures>& bases,
                                 const std::vector<PictureSpec>& specs, std::vector<std::string>& left_out) {
  const std::vector<StepSeries> steps = step_series(reader);
  const Builder builder(run, bases, steps);
  std::vector<Picture> all;
  std::set<std::string> shown, asked;
  for (const PictureSpec& spec : specs)
    if (auto picture = builder.picture(spec)) {
      asked.insert(picture->section);
      all.push_back(std::move(*picture));
      for (const PictureSpec::Shown& s : spec.records) shown.insert(s.pattern);
    }
  std::vector<Definition> others = run.definitions;
  others.insert(others.end(), engine_definitions().begin(), engine_definitions().end());
  for (const Definition& d : undeclared(bases, others)) others.push_back(d);
  for (const Definition& d : others) {
    if (shown.contains(d.probe + "/" + d.name)) continue;
    for (Picture& picture : builder.by_shape(d)) {
      picture.further = asked.contains(picture.section);
      if (all.size() < most_pictures)
        all.push_back(std::move(picture));
      else
        left_out.push_back(picture.title);
    }
  }
  // A section's pictures stand together, in the order in which sections first come.
  std::map<std::string, std::size_t> sections;
  for (const Picture& p : all) sections.emplace(p.section, sections.size());
  std::ranges::stable_sort(all, {}, [&](const Picture& p) { return sections.at(p.section); });
  if (auto time = builder.time()) all.push_back(std::move(*time));
  return all;
}

}  // namespace khost
