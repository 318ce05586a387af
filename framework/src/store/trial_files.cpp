#include "store/trial_files.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <span>
#include <utility>

#include "khost/hash.hpp"

namespace fs = std::filesystem;

namespace khost {
namespace {

Json number(double value) {
  if (std::isinf(value)) return Json(value > 0 ? "inf" : "-inf");
  return Json(value);  // NaN is written as null
}

double number(const Json& json) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  if (json.is_null()) return std::numeric_limits<double>::quiet_NaN();
  if (json.is_string() && json.as_string() == "inf") return infinity;
  if (json.is_string() && json.as_string() == "-inf") return -infinity;
  return json.as_number();
}

// An artifact's name is a plain file name: nothing in a trial's folder reaches outside it.
std::int64_t artifact_size(const std::string& folder, const std::string& name) {
  if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos)
    throw Error(ErrorKind::usage, "'" + name + "' is no file name for an artifact");
  std::error_code error;
  const auto bytes = fs::file_size(fs::path(folder) / name, error);
  if (error) throw Error(ErrorKind::usage, "the artifact " + name + " is not in " + folder);
  return static_cast<std::int64_t>(bytes);
}

static_assert(std::endian::native == std::endian::little, "series.bin is little-endian");

std::span<const Point> steps_of(const RecordSeries& series) {
  return std::span(series.points).subspan(series.has_whole() ? 1 : 0);
}

std::string points_of(const TrialResult& result) {
  std::string out;
  const auto put = [&](const auto& value) { out.append(reinterpret_cast<const char*>(&value), sizeof value); };
  for (const RecordSeries& series : result.series) {
    for (const Point& p : steps_of(series)) put(p.step);
    for (const Point& p : steps_of(series)) put(p.value);
  }
  return out;
}

// The next `count` of them, from the beginning of `left`.
void take_points(RecordSeries& series, std::int64_t count, std::string_view& left) {
  constexpr std::size_t each = sizeof(std::int64_t) + sizeof(double);
  const auto n = static_cast<std::size_t>(count);
  if (count < 1 || n > left.size() / each)
    throw Error(ErrorKind::usage, std::string(points_file) + " has fewer points than trial.json says");
  const char *steps = left.data(), *values = steps + n * sizeof(std::int64_t);
  series.points.reserve(series.points.size() + n);
  for (std::size_t i = 0; i < n; ++i) {
    Point p{};
    std::memcpy(&p.step, steps + i * sizeof p.step, sizeof p.step);
    std::memcpy(&p.value, values + i * sizeof p.value, sizeof p.value);
    if (p.step < 0 || (!series.points.empty() && series.points.back().step >= p.step))
      throw Error(ErrorKind::usage, std::string(points_file) + " has steps that do not rise");
    series.points.push_back(p);
  }
  left.remove_prefix(n * each);
}

std::string content_of(const std::string& folder) {
  std::ifstream file(fs::path(folder) / points_file, std::ios::binary | std::ios::ate);
  if (!file) throw Error(ErrorKind::usage, std::string(points_file) + " is not in " + folder);
  std::string content(static_cast<std::size_t>(std::max<std::streamoff>(0, file.tellg())), '\0');
  file.seekg(0);
  if (!file.read(content.data(), static_cast<std::streamsize>(content.size())) && !content.empty())
    throw Error(ErrorKind::usage, std::string(points_file) + " in " + folder + " cannot be read");
  return content;
}

Json trial_json(const TrialResult& result, const std::string& folder, const std::string& points_sha256) {
  Json::List artifacts, records;
  for (const Artifact& each : result.artifacts) {
    Json artifact{Json::Object()};
    artifact.set("file", each.file);
    artifact.set("bytes", artifact_size(folder, each.file));
    artifact.set("sha256", each.sha256);
    artifacts.push_back(std::move(artifact));
  }
  records.reserve(result.series.size());
  for (const RecordSeries& each : result.series) {
    Json record = Json::object({{"probe", each.probe}, {"name", each.name}, {"unit", each.unit}});
    if (each.has_whole()) record.set("value", number(each.whole()));
    if (const std::size_t n = steps_of(each).size()) record.set("points", static_cast<std::int64_t>(n));
    records.push_back(std::move(record));
  }
  Json trial{Json::Object()};
  trial.set("arm", result.key.arm);
  trial.set("base", result.key.base);
  trial.set("draw", result.key.draw);
  trial.set("seed", Json(result.key.seed));
  trial.set("hash", result.hash);
  trial.set("status", result.status);
  trial.set("message", result.message);
  trial.set("seconds", number(result.seconds));
  trial.set("adapter_parameters", result.adapter_parameters);
  trial.set("trainable_parameters", result.trainable_parameters);
  trial.set("artifacts", std::move(artifacts));
  trial.set("records", std::move(records));
  trial.set("points_sha256", points_sha256);
  return trial;
}

}  // namespace

TrialFiles trial_files(const TrialResult& result, const std::string& folder) {
  TrialFiles files{{}, points_of(result)};
  Json trial = trial_json(result, folder, sha256(files.points));
  Json file{Json::Object()};
  file.set("khost_trial", trial_format);
  file.set("sha256", sha256(trial.text()));
  file.set("trial", std::move(trial));
  files.json = file.text() + "\n";
  return files;
}

TrialResult read_trial(const Json& file, const std::string& folder) { return read_trial(file, content_of(folder), folder); }

TrialResult read_trial(const Json& file, std::string_view left, const std::string& folder) {
  const Json& trial = file.at("trial");
  if (sha256(trial.text()) != file.at("sha256").as_string())
    throw Error(ErrorKind::usage, file.place, "its checksum does not match its content");

  TrialResult result;
  result.key = {trial.at("arm").as_string(), trial.at("base").as_string(), trial.at("draw").as_integer(),
                static_cast<std::uint64_t>(trial.at("seed").as_integer())};
  result.hash = trial.at("hash").as_string();
  result.status = trial.at("status").as_string();
  result.message = trial.at("message").as_string();
  result.seconds = number(trial.at("seconds"));
  result.adapter_parameters = trial.at("adapter_parameters").as_integer();
  result.trainable_parameters = trial.at("trainable_parameters").as_integer();
  for (const Json& artifact : trial.at("artifacts").as_list()) {
    const std::string& name = artifact.at("file").as_string();
    const std::int64_t expected = artifact.at("bytes").as_integer(), found = artifact_size(folder, name);
    if (found != expected)
      throw Error(ErrorKind::usage,
                  "the artifact " + name + " has " + std::to_string(found) + " bytes, expected " + std::to_string(expected));
    const std::string& checksum = artifact.at("sha256").as_string();
    if (sha256_file(fs::path(folder) / name) != checksum)
      throw Error(ErrorKind::usage, "the artifact " + name + " does not have the checksum that it was written with");
    result.artifacts.push_back({name, checksum});
  }
  if (sha256(left) != trial.at("points_sha256").as_string())
    throw Error(ErrorKind::usage, std::string(points_file) + " does not have the checksum that it was written with");
  for (const Json& record : trial.at("records").as_list()) {
    RecordSeries& series = result.series.emplace_back();
    series.probe = record.at("probe").as_string(), series.name = record.at("name").as_string();
    series.unit = record.at("unit").as_string();
    if (const Json* value = record.find("value")) series.points.push_back({-1, number(*value)});
    if (const Json* count = record.find("points")) take_points(series, count->as_integer(), left);
  }
  if (!left.empty()) throw Error(ErrorKind::usage, std::string(points_file) + " has more points than trial.json says");
  return result;
}

}  // namespace khost
