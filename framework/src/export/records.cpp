#include "export/records.hpp"

#include "report/csv.hpp"
#include "report/not_finite.hpp"
#include "report/text.hpp"

namespace khost {
namespace {

constexpr std::size_t piece = 1 << 20;  // bytes

std::string json_line(const TrialKey& key, const Record& r) {
  return Json::object({{"base", key.base},
                       {"arm", key.arm},
                       {"draw", key.draw},
                       {"seed", Json(key.seed)},
                       {"probe", r.probe},
                       {"name", r.name},
                       {"step", r.step < 0 ? Json() : Json(r.step)},
                       {"value", number_json(r.value)},
                       {"unit", r.unit}})
      .text();
}

}  // namespace

std::string record_head(RecordForm form) { return form == RecordForm::csv ? records_csv_head : ""; }

std::string record_line(RecordForm form, const TrialKey& trial, const Record& record) {
  return form == RecordForm::csv ? csv_line(csv_trial(trial), record) : json_line(trial, record);
}

void each_piece(const RunReader& reader, const Run& run, const RecordChoice& choice, RecordForm form, std::string_view end,
                const std::function<void(std::string_view)>& take) {
  std::string out = record_head(form);
  if (!out.empty()) out += end;
  each_chosen(reader, run, choice, [&](const TrialResult& trial, const Record& record) {
    out += record_line(form, trial.key, record);
    out += end;
    if (out.size() < piece) return;
    take(out);
    out.clear();
  });
  take(out);
}

std::vector<std::string> unfinished(const Run& run, const RecordChoice& choice) {
  std::vector<std::string> out;
  for (const TrialResult& t : run.trials)
    if (t.status != "done" && choice.takes(t.key))
      out.push_back(t.key.text() + ": " + t.status + (t.message.empty() ? "" : ": " + one_line(t.message)));
  return out;
}

}  // namespace khost
