#include "page/picture_data.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "page/html.hpp"
#include "report/csv.hpp"

namespace khost {
namespace {

constexpr std::size_t most_values = 20;  // by seed, in a tip

std::string values_by_seed(const Figure& figure, const ArmFigures* arm, const NumberStyle& style) {
  std::string out;
  for (std::size_t i = 0; i < figure.values.size() && i < most_values; ++i) {
    const TrialKey* key = arm && i < arm->trials.size() ? &arm->trials[i]->key : nullptr;
    const std::string name = !key        ? ""
                             : key->draw ? fmt::format("{}.{}: ", key->draw, key->seed)
                                         : fmt::format("{}: ", key->seed);
    out += (i ? ", " : "") + name + number_text(figure.values[i], style);
  }
  return out + (figure.values.size() > most_values ? ", ..." : "");
}

std::string unit_of(const Picture& p) {
  const std::size_t open = p.y_title.rfind('['), close = p.y_title.rfind(']');
  return open == std::string::npos || close < open ? "1" : p.y_title.substr(open + 1, close - open - 1);
}

void set_number(Json& json, const char* key, double value) {
  if (std::isfinite(value)) json.set(key, value);
}

// What the marks are.
std::string key_of(const Picture& p) {
  std::string key = p.form == "steps"  ? "lines: means over trials; bands: 95 % t intervals"
                    : p.form == "heat" ? "means over trials"
                    : p.form == "bars" ? "sums over trials"
                                       : "points: means over trials, with 95 % t intervals";
  const bool with_noise = p.form == "lines" || p.form == "dots", with_published = with_noise || p.form == "points";
  if (with_noise && std::ranges::any_of(p.rows, [](const PictureRow& r) { return r.noise.has_value(); }))
    key += "; grey: what noise alone gives, 95 % of single trials and their mean";
  if (with_published && std::ranges::any_of(p.rows, [](const PictureRow& r) { return r.published != nullptr; }))
    key += "; diamonds: published";
  return "<p class=key>" + key + "</p>";
}

Json list_of(const std::vector<std::string>& texts) { return Json::List(texts.begin(), texts.end()); }

}  // namespace

std::string band_text(const std::optional<Band>& noise, const NumberStyle& style) {
  return noise ? number_text(noise->low, style) + " .. " + number_text(noise->high, style) : "";
}

std::string tip_of(const Figure& f, const std::string& record, const ArmFigures* arm) {
  const NumberStyle style = style_of(f.unit, f.interval.mean);
  const std::string interval = interval_text(f.interval, style);
  std::string tip = record + (f.unit == "1" ? "" : " [" + f.unit + "]") + "\nmean " + number_text(f.interval.mean, style) +
                    (interval.empty() ? "" : ", 95 % t interval " + interval) +
                    fmt::format(", {} of {} trials", f.interval.n, f.values.size());
  if (f.null)
    tip += "\nnoise alone, 95 % of single trials: " + band_text(f.null, style) + ", mean " + number_text(f.null->mean, style);
  else
    tip += "\nno null";
  if (f.published) tip += "\npublished " + f.published->printed + ", " + f.published->where;
  return tip + "\nby seed " + values_by_seed(f, arm, style);
}

Json picture_json(const Picture& p) {
  Json::List rows, references;
  for (const PictureRow& r : p.rows) {
    Json row = Json::object({{"panel", r.panel}, {"series", r.series}, {"at", r.at}, {"n", r.y.n}});
    set_number(row, "x", r.x), set_number(row, "y", r.y.mean);
    set_number(row, "low", r.y.low), set_number(row, "high", r.y.high);
    if (r.also) set_number(row, "also_low", r.also->low), set_number(row, "also_high", r.also->high);
    if (r.noise) {
      set_number(row, "noise", r.noise->mean);
      set_number(row, "noise_low", r.noise->low), set_number(row, "noise_high", r.noise->high);
    }
    if (r.published) set_number(row, "published", r.published->value);
    rows.push_back(std::move(row));
  }
  for (const Reference& line : p.references)
    for (const auto& [x, y] : line.points) references.push_back(Json::object({{"label", line.label}, {"x", x}, {"y", y}}));
  Json json = Json::object({{"id", p.id},
                            {"form", p.form},
                            {"title", p.title},
                            {"x_title", p.x_title},
                            {"y_title", p.y_title},
                            {"x_numeric", p.x_numeric},
                            {"x_log", p.x_log},
                            {"y_log", p.y_log},
                            {"panels", list_of(p.panels())},
                            {"series", list_of(p.series())},
                            {"references", std::move(references)}});
  if (p.region) {
    Json::List region{Json::Object()};
    set_number(region[0], "low", p.region->first), set_number(region[0], "high", p.region->second);
    json.set("region", std::move(region));
  }
  if (std::isfinite(p.said)) json.set("said", Json::List{Json::object({{"said", p.said}})});
  json.set("rows", std::move(rows));
  return json;
}

std::string picture_html(const Picture& p, std::size_t i) {
  std::string out = fmt::format("<figure id=\"{}\"><figcaption><h3>{}</h3>", html(p.id), html(p.title));
  for (const std::string& text : p.definitions) out += "<p class=definition>" + html(text) + "</p>";
  out += "</figcaption>";
  if (p.has_marks())
    out += fmt::format("<div class=chart data-picture={}></div>{}", i, key_of(p));
  else
    out += "<p class=key>None of its figures is finite: there is nothing to draw.</p>";
  if (!p.notes.empty()) {
    out += "<aside aria-label=\"Notes\"><ul>";
    for (const std::string& note : p.notes) out += "<li>" + html(note) + "</li>";
    out += "</ul></aside>";
  }
  const bool noise = std::ranges::any_of(p.rows, [](const PictureRow& r) { return r.noise.has_value(); });
  const bool published = std::ranges::any_of(p.rows, [](const PictureRow& r) { return r.published != nullptr; });
  std::vector<std::string> heads{"base", "series", p.x_title, p.y_title, "95 % interval", "n"};
  if (noise) heads.emplace_back("noise gives");
  if (published) heads.emplace_back("published");
  HtmlTable table(p.title, heads);
  const std::string unit = unit_of(p);
  for (const PictureRow& r : p.rows) {
    const NumberStyle style = style_of(unit, r.y.mean);
    const std::string value = number_text(r.y.mean, style);
    std::vector<std::string> cells{html(r.panel),
                                   html(r.series),
                                   html(r.at),
                                   r.figure ? figure_html(value, tip_of(*r.figure, r.record)) : html(value),
                                   html(interval_text(r.y, style)),
                                   std::to_string(r.y.n)};
    if (noise) cells.push_back(html(band_text(r.noise, style)));
    if (published) cells.push_back(r.published ? html(r.published->printed) : "");
    table.row(cells);
  }
  return out + fmt::format("<details><summary>Table of {} rows: {}</summary>", p.rows.size(), html(p.title)) + table.text() +
         "</details></figure>\n";
}

std::string picture_csv(const Picture& p) {
  std::string out = "panel,series,at,mean,low,high,level,n,noise,noise_low,noise_high,published,record\r\n";
  const auto band = [](const std::optional<Band>& b) {
    return b ? shortest(b->mean) + "," + shortest(b->low) + "," + shortest(b->high) : std::string(",,");
  };
  for (const PictureRow& r : p.rows)
    out += csv_field(r.panel) + "," + csv_field(r.series) + "," + csv_field(r.at) + "," + shortest(r.y.mean) + "," +
           shortest(r.y.low) + "," + shortest(r.y.high) + "," + shortest(r.level) + "," + std::to_string(r.y.n) + "," +
           band(r.noise) + "," + (r.published ? shortest(r.published->value) : "") + "," + csv_field(r.record) + "\r\n";
  return out;
}

}  // namespace khost
