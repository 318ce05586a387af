#include "manifest/series.hpp"

#include <algorithm>
#include <filesystem>

#include "khost/schema.hpp"
#include "manifest/overlay.hpp"
#include "manifest/parts.hpp"

namespace khost {
namespace {

bool is_series(const Json& manifest) { return manifest.is_object() && manifest.find("series"); }

std::string member_of(const Json& written, const Series& before) {
  const std::string path = path_from(written);
  std::error_code ec;
  if (!std::filesystem::is_regular_file(path, ec))
    throw Error(ErrorKind::usage, written.place, "there is no file '" + path + "' for the series")
        .hint("paths in a manifest start at the folder of the file they are written in");
  for (std::size_t i = 0; i < before.manifests.size(); ++i)
    if (key_of_file(before.manifests[i]) == key_of_file(path))
      throw Error(ErrorKind::usage, written.place,
                  "the series has '" + written.as_string() + "' twice, the other at " + before.places[i].text());
  if (is_series(parse_json_file(path)))
    throw Error(ErrorKind::usage, written.place,
                "'" + written.as_string() + "' is a series itself; a series holds experiments only")
        .hint("write its manifests into this one");
  return path;
}

}  // namespace

std::optional<Series> read_series(const std::string& path) {
  const Json manifest = parse_json_file(path);
  if (!is_series(manifest)) return std::nullopt;
  const Json resolved = resolve(schema_of<SeriesKeys>(), manifest, "the series");
  check_format(manifest.at("khost"));
  check_experiment_name(manifest.at("experiment"));
  Series series{read_config<SeriesKeys>(resolved), path, {}, {}};
  const Json& files = resolved.at("series");
  if (files.as_list().empty())
    throw Error(ErrorKind::usage, files.place, "the series is empty").hint("\"series\": [\"paper81.manifest\"]");
  for (const Json& file : files.as_list()) {
    series.manifests.push_back(member_of(file, series));
    series.places.push_back(file.place);
  }
  return series;
}

}  // namespace khost
