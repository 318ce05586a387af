#include "artifact/file.hpp"
#include "report/figures.hpp"
#include "report/text.hpp"

namespace khost {
namespace {

std::string field(const std::string& text) {
  if (text.find_first_of("\",\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

}  // namespace

void write_records_csv(const std::string& path, const Run& run) {
  std::string out = "base,arm,draw,seed,probe,name,step,value,unit\r\n";
  for (const BaseFigures& base : figures_of(run, {}))
    for (const ArmFigures& arm : base.arms)
      for (const TrialResult* trial : arm.trials) {
        if (trial->status != "done") continue;
        const std::string key = field(base.base) + "," + field(arm.arm) + "," + std::to_string(trial->key.draw) + "," +
                                std::to_string(trial->key.seed) + ",";
        for (const Record& r : trial->records) {
          const std::string step = r.step < 0 ? "" : std::to_string(r.step);
          out += key + field(r.probe) + "," + field(r.name) + "," + step + "," + shortest(r.value) + "," + field(r.unit) + "\r\n";
        }
      }
  write_file_atomically(path, out);
}

}  // namespace khost
