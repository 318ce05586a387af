#include <algorithm>
#include <cmath>
#include <filesystem>

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

// {"record": "K32/snr/drift/0", "value": 5.879, "printed": "5.879", "where": "phase-a", "note": "drift"}: where and note are keys
// of the file's "sources" and "notes".
PublishedFigure read_figure(const Json& json, const Json& sources, const Json& notes) {
  for (const JsonMember& member : json.as_object()) {
    static constexpr std::string_view known[] = {"record", "value", "printed", "where", "note"};
    if (std::find(std::begin(known), std::end(known), member.key) == std::end(known))
      throw Error(ErrorKind::usage, member.place, "a published figure has no key '" + member.key + "'")
          .hint(did_you_mean(member.key, known));
  }
  const auto text_of_key = [&](const char* key, const Json& texts, const char* list) {
    const std::string name = text_at(json, key);
    if (name.empty()) return name;
    const Json* text = texts.find(name);
    if (!text) throw Error(ErrorKind::usage, json.find(key)->place, std::string("'") + name + "' is not in \"" + list + "\"");
    return text->as_string();
  };
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
  figure.where = text_of_key("where", sources, "sources");
  figure.note = text_of_key("note", notes, "notes");
  return figure;
}

}  // namespace

std::vector<PublishedFigure> read_published(const std::string& name) {
  if (name.empty()) return {};
  const std::string path = name.find('/') == std::string::npos ? share_file("published/" + name + ".json") : "";
  if (path.empty()) not_there(name);

  const Json file = parse_json_file(path);
  if (const std::int64_t format = file.at("khost_published").as_integer(); format != 1)
    throw Error(ErrorKind::usage, file.at("khost_published").place, "expected format 1, found " + std::to_string(format));
  std::vector<PublishedFigure> figures;
  for (const Json& json : file.at("figures").as_list()) {
    figures.push_back(read_figure(json, file.at("sources"), file.at("notes")));
    for (std::size_t i = 0; i + 1 < figures.size(); ++i)
      if (figures[i].record == figures.back().record)
        throw Error(ErrorKind::usage, json.place, "the record '" + figures[i].record + "' has a published figure already");
  }
  return figures;
}

}  // namespace khost
