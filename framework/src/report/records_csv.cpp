#include "artifact/file.hpp"
#include "report/csv.hpp"
#include "report/figures.hpp"
#include "report/text.hpp"

namespace khost {
namespace {

constexpr std::size_t chunk = 1 << 20;  // bytes

}  // namespace

std::string csv_field(const std::string& text) {
  if (text.find_first_of("\",\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

std::string csv_trial(const TrialKey& key) {
  return csv_field(key.base) + "," + csv_field(key.arm) + "," + std::to_string(key.draw) + "," + std::to_string(key.seed) + ",";
}

std::string csv_line(const std::string& trial, const Record& r) {
  const std::string step = r.step < 0 ? "" : std::to_string(r.step);
  return trial + csv_field(r.probe) + "," + csv_field(r.name) + "," + step + "," + shortest(r.value) + "," + csv_field(r.unit);
}

void write_records_csv(const std::string& path, const std::vector<BaseFigures>& bases, const RunReader& reader) {
  NewFile file(path);
  std::string out = records_csv_head + std::string("\r\n");
  const auto flush = [&] {
    file.write(out.data(), out.size());
    out.clear();
  };
  for (const BaseFigures& base : bases)
    for (const ArmFigures& arm : base.arms)
      for (const TrialResult* trial : arm.trials) {
        const std::string key = csv_trial(trial->key);
        reader.each_record(trial->key, [&](const Record& r) {
          out += csv_line(key, r) + "\r\n";
          if (out.size() > chunk) flush();
        });
      }
  flush();
  file.keep();
}

}  // namespace khost
