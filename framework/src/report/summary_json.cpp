#include "artifact/file.hpp"
#include "khost/json.hpp"
#include "report/distance.hpp"
#include "report/figures.hpp"
#include "report/not_finite.hpp"

namespace khost {
namespace {

Json artifacts_json(const Environment& e) {
  return Json::object(
      {{"backend", e.backend}, {"library", e.library}, {"version", e.library_version}, {"kernel", e.kernel}, {"parts", e.parts}});
}

Json base_json(const BaseMade& b) {
  Json json = Json::object({{"base", b.name}, {"draw", b.draw}, {"hash", b.hash}, {"how", b.how}});
  if (!b.file_hash.empty()) json.set("file_sha256", b.file_hash);
  return json;
}

Json environment_json(const Environment& e) {
  return Json::object({{"backend", e.backend},
                       {"library", e.library},
                       {"version", e.library_version},
                       {"kernel", e.kernel},
                       {"threads", e.threads},
                       {"jobs", e.jobs},
                       {"library_threads", e.library_threads ? Json(e.library_threads) : Json()},
                       {"cpu", e.cpu},
                       {"notes", Json::List(e.notes.begin(), e.notes.end())}});
}

Json trial_json(const TrialResult& t) {
  Json json = Json::object({{"arm", t.key.arm},
                            {"base", t.key.base},
                            {"draw", t.key.draw},
                            {"seed", t.key.seed},
                            {"hash", t.hash},
                            {"status", t.status},
                            {"seconds", t.seconds},
                            {"adapter_parameters", t.adapter_parameters},
                            {"trainable_parameters", t.trainable_parameters}});
  Json::List artifacts;
  for (const Artifact& a : t.artifacts) artifacts.push_back(Json::object({{"file", a.file}, {"sha256", a.sha256}}));
  json.set("artifacts", std::move(artifacts));
  if (t.status != "done") json.set("message", t.message);
  return json;
}

Json figure_json(const Figure& f) {
  Json json{Json::Object()};
  json.set("n", f.interval.n);
  json.set("mean", number_json(f.interval.mean));
  json.set("low", number_json(f.interval.low));
  json.set("high", number_json(f.interval.high));
  Json::List values;
  for (const double value : f.values) values.push_back(number_json(value));
  json.set("values", std::move(values));
  json.set("unit", f.unit);
  json.set("null", band_json(f.null));
  json.set("published", f.published ? Json(f.published->value) : Json());
  return json;
}

}  // namespace

Json band_json(const std::optional<Band>& band) {
  if (!band) return {};
  return Json::object({{"mean", number_json(band->mean)}, {"low", number_json(band->low)}, {"high", number_json(band->high)}});
}

void write_summary(const std::string& path, const Run& run, const std::vector<BaseFigures>& bases, const Published& published) {
  Json::List trials, made;
  Json::Object records;
  for (const BaseMade& base : run.bases) made.push_back(base_json(base));
  for (const TrialResult& trial : run.trials) trials.push_back(trial_json(trial));
  for (const BaseFigures& base : bases)
    for (const ArmFigures& arm : base.arms)
      for (const Figure& figure : arm.figures) {
        JsonMember& member = records.emplace_back();
        member.key = base.base + "/" + arm.arm + "/" + figure.label();
        member.value = figure_json(figure);
      }
  Json summary{Json::Object()};
  summary.set("experiment", run.experiment);
  summary.set("run", run.hash);
  summary.set("khost", run.environment.khost);
  summary.set("environment", environment_json(run.environment));
  summary.set("artifacts", artifacts_json(run.artifacts));
  summary.set("bases", std::move(made));
  summary.set("trials", std::move(trials));
  summary.set("records", std::move(records));
  Json::Object odd;
  for (const NotFinite& record : not_finite(bases)) {
    auto& member = odd.emplace_back();
    member.key = record.record() + (record.infinite ? " inf" : " nan");
    member.value = json_of(record);
  }
  summary.set("not_finite", std::move(odd));
  Json::Object distances;
  const auto interval_json = [](const Interval& i) { return band_json(Band{i.mean, i.low, i.high}); };
  for (const Distance& d : distances_of(bases, published.figures)) {
    auto& member = distances.emplace_back();
    member.key = d.base;
    member.value = Json::object({{"figures", d.figures},
                                 {"seeds", d.whole.n},
                                 {"all", interval_json(d.whole)},
                                 {"odd", interval_json(d.odd)},
                                 {"even", interval_json(d.even)},
                                 {"apart", number_json(d.apart)}});
  }
  if (!distances.empty()) summary.set("distances", std::move(distances));
  summary.set("claims", run.claims);
  write_file_atomically(path, summary.pretty() + "\n");
}

}  // namespace khost
