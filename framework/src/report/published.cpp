#include <algorithm>
#include <cmath>
#include <filesystem>
#include <span>

#include "artifact/share.hpp"
#include "khost/json.hpp"
#include "report/report.hpp"
#include "report/text.hpp"

namespace fs = std::filesystem;

namespace khost {
namespace {

[[noreturn]] void not_there(const std::string& name) {
  std::string searched;
  std::vector<std::string> names;
  for (const std::string& folder : share_folders()) {
    searched += (searched.empty() ? "" : ", ") + (fs::path(folder) / "published").string();
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(fs::path(folder) / "published", error))
      if (entry.path().extension() == ".json") names.push_back(entry.path().stem());
  }
  std::sort(names.begin(), names.end());
  Error error(ErrorKind::usage, "no published figures '" + name + "': there is no " + name + ".json in " + searched);
  if (const std::string near = did_you_mean(name, names); !near.empty()) error.hint(near);
  std::string known;
  for (const std::string& n : names) known += (known.empty() ? "there are: " : ", ") + n;
  throw error.hint(known.empty() ? "set KHOST_SHARE to khost's share folder" : known);
}

std::string text_at(const Json& figure, std::string_view key) {
  const Json* found = figure.find(key);
  return found ? found->as_string() : "";
}

void check_keys(const Json& json, std::span<const std::string_view> known, const std::string& what) {
  for (const JsonMember& member : json.as_object())
    if (std::find(known.begin(), known.end(), member.key) == known.end())
      throw Error(ErrorKind::usage, member.place, what + " has no key '" + member.key + "'")
          .hint(did_you_mean(member.key, known));
}

// What the key's name stands for in the file's "sources" or "notes".
std::string text_of_key(const Json& json, const char* key, const Json& file, const char* list) {
  const std::string name = text_at(json, key);
  if (name.empty()) return name;
  const Json* text = file.at(list).find(name);
  if (!text) throw Error(ErrorKind::usage, json.find(key)->place, "'" + name + "' is not in \"" + list + "\"");
  return text->as_string();
}

// {"record": "K32/snr/drift/0", "value": 5.879, "printed": "5.879", "where": "phase-a", "note": "drift"}: where and note are keys
// of the file's "sources" and "notes".
PublishedFigure read_figure(const Json& json, const Json& file) {
  static constexpr std::string_view known[] = {"record", "value", "printed", "where", "note", "below"};
  check_keys(json, known, "a published figure");
  PublishedFigure figure;
  figure.record = json.at("record").as_string();
  if (std::count(figure.record.begin(), figure.record.end(), '/') < 2)
    throw Error(ErrorKind::usage, json.at("record").place, "expected a record as ARM/PROBE/NAME, found '" + figure.record + "'");
  figure.value = json.at("value").as_number();
  figure.printed = text_at(json, "printed");
  if (figure.printed.empty()) {
    figure.printed = shortest(figure.value);
    if (figure.value == std::round(figure.value)) figure.printed = grouped(figure.printed);
  }
  figure.where = text_of_key(json, "where", file, "sources");
  figure.note = text_of_key(json, "note", file, "notes");
  figure.below = text_at(json, "below");
  return figure;
}

FigureWithoutRecord read_without_record(const Json& json, const Json& file) {
  static constexpr std::string_view known[] = {"figure", "where", "why"};
  check_keys(json, known, "a published figure without a record");
  return {json.at("figure").as_string(), text_of_key(json, "where", file, "sources"), json.at("why").as_string()};
}

// What losses are said to fall from has a figure too, and a greater one.
void check_falls(const std::vector<PublishedFigure>& figures, const Json& file) {
  for (std::size_t i = 0; i < figures.size(); ++i) {
    const PublishedFigure& f = figures[i];
    if (f.below.empty()) continue;
    const auto from = std::ranges::find(figures, f.below, &PublishedFigure::record);
    if (from == figures.end() || from->value <= f.value)
      throw Error(ErrorKind::usage, file.at("figures").as_list()[i].at("below").place,
                  "'" + f.record + "' is said to lie below '" + f.below + "', which has no greater figure here");
  }
}

Published read_one(const std::string& name) {
  const std::string path = name.find('/') == std::string::npos ? share_file("published/" + name + ".json") : "";
  if (path.empty()) not_there(name);

  const Json file = parse_json_file(path);
  static constexpr std::string_view known[] = {"khost_published", "title", "sources", "notes", "figures", "without_record"};
  check_keys(file, known, "a file of published figures");
  if (const std::int64_t format = file.at("khost_published").as_integer(); format != 1)
    throw Error(ErrorKind::usage, file.at("khost_published").place, "expected format 1, found " + std::to_string(format));
  Published published;
  for (const Json& json : file.at("figures").as_list()) {
    std::vector<PublishedFigure>& figures = published.figures;
    figures.push_back(read_figure(json, file));
    for (std::size_t i = 0; i + 1 < figures.size(); ++i)
      if (figures[i].record == figures.back().record)
        throw Error(ErrorKind::usage, json.place, "the record '" + figures[i].record + "' has a published figure already");
  }
  if (const Json* list = file.find("without_record"))
    for (const Json& json : list->as_list()) published.without_record.push_back(read_without_record(json, file));
  check_falls(published.figures, file);
  return published;
}

}  // namespace

Published read_published(const std::string& names) {
  Published all;
  for (std::size_t begin = 0; begin < names.size();) {
    const std::size_t end = std::min(names.find(", ", begin), names.size());
    Published one = read_one(names.substr(begin, end - begin));
    for (PublishedFigure& f : one.figures)
      if (std::ranges::find(all.figures, f.record, &PublishedFigure::record) == all.figures.end())
        all.figures.push_back(std::move(f));
    all.without_record.insert(all.without_record.end(), one.without_record.begin(), one.without_record.end());
    begin = end + (end < names.size() ? 2 : 0);
  }
  return all;
}

}  // namespace khost
