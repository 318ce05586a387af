#include "store/trial_json.hpp"

#include <cmath>
#include <filesystem>
#include <limits>
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

Json trial_json(const TrialResult& result, const std::string& folder) {
  Json::List artifacts, records;
  for (const Artifact& each : result.artifacts) {
    Json artifact{Json::Object()};
    artifact.set("file", each.file);
    artifact.set("bytes", artifact_size(folder, each.file));
    artifact.set("sha256", each.sha256);
    artifacts.push_back(std::move(artifact));
  }
  records.reserve(result.records.size());
  for (const Record& r : result.records) {
    Json record{Json::Object()};
    record.set("probe", r.probe);
    record.set("name", r.name);
    record.set("step", r.step);
    record.set("value", number(r.value));
    record.set("unit", r.unit);
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
  return trial;
}

}  // namespace

std::string trial_text(const TrialResult& result, const std::string& folder) {
  Json trial = trial_json(result, folder);
  Json file{Json::Object()};
  file.set("khost_trial", trial_format);
  file.set("sha256", sha256(trial.text()));
  file.set("trial", std::move(trial));
  return file.text() + "\n";
}

TrialResult read_trial(const Json& file, const std::string& folder) {
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
  const Json::List& records = trial.at("records").as_list();
  result.records.reserve(records.size());
  for (const Json& record : records)
    result.records.push_back({record.at("probe").as_string(), record.at("name").as_string(), record.at("step").as_integer(),
                              number(record.at("value")), record.at("unit").as_string()});
  return result;
}

}  // namespace khost
