#include "page/series_page.hpp"

#include <fmt/format.h>

#include <filesystem>

#include "artifact/file.hpp"
#include "page/claims.hpp"
#include "page/html.hpp"
#include "page/picture_data.hpp"
#include "report/figures.hpp"

namespace fs = std::filesystem;

namespace khost {
namespace {

constexpr const char* series_file = "/series.json";

SeriesPart part_of(const std::string& name, const std::string& folder, const std::string& from) {
  SeriesPart part{.name = name, .folder = folder};
  const RunReader reader(fs::path(folder).is_absolute() ? folder : from + "/" + folder);
  const Run run = reader.run();
  double seconds = 0;
  for (const TrialResult& t : run.trials) seconds += t.seconds;
  part.title = run.title, part.claims = run.claims, part.seconds = duration_text(seconds);
  part.trials = text_of(count_trials(run)) + (run.finished.empty() ? "; it has not come to its end" : "");
  return part;
}

}  // namespace

void write_series_html(const std::string& path, const std::string& title, const std::vector<SeriesPart>& parts) {
  HtmlTable table("Its experiments", {"experiment", "question", "trials", "time in trials", "verdicts, each claim on each base"});
  std::string sections;
  Json::List data, all;
  for (const SeriesPart& part : parts) {
    const std::string report = url_path(part.folder + "/report.html"), id = picture_id("of-" + part.name);
    table.row({fmt::format("<a href=\"#{}\">{}</a>", html(id), html(part.name)),
               part.folder.empty() ? html(part.title) : fmt::format("<a href=\"{}\">{}</a>", html(report), html(part.title)),
               html(part.trials), html(part.seconds), verdict_marks(part.claims)});
    for (const Json& claim : part.claims.as_list()) all.push_back(claim);
    std::vector<Picture> pictures = claim_pictures(part.claims);
    for (Picture& picture : pictures) picture.id = id + "-" + picture.id;  // papers may have claims of one name
    std::string content =
        part.folder.empty() ? "" : fmt::format("<p><a href=\"{}\">Its report, with all pictures</a></p>\n", html(report));
    if (!pictures.empty()) content += claims_html(part.claims, pictures, data.size(), {}, report);
    sections += fmt::format("<section id=\"{}\" aria-labelledby=\"{}-title\"><h2 id=\"{}-title\">{}{}</h2>\n{}</section>\n",
                            html(id), html(id), html(id), html(part.name), part.title.empty() ? "" : ": " + html(part.title),
                            content.empty() ? "<p>" + html(part.trials) + "</p>" : content);
    for (const Picture& picture : pictures) data.push_back(picture_json(picture));
  }
  const std::string body =
      fmt::format("<header><h1>{}</h1>\n<p>{} experiments. Verdicts, each claim on each base: {}</p></header>\n<main>{}{}</main>",
                  html(title), parts.size(), verdict_marks(Json(std::move(all))), table.text(), sections);
  write_file_atomically(path, whole_page(title, body, Json(std::move(data))));
}

void write_series_file(const std::string& folder, const std::string& title,
                       const std::vector<std::pair<std::string, std::string>>& runs) {
  Json::List parts;
  for (const auto& [name, run] : runs) parts.push_back(Json::object({{"name", name}, {"run", run}}));
  std::error_code made;
  fs::create_directories(folder, made);  // if not, the file says so
  write_file_atomically(folder + series_file,
                        Json::object({{"khost_series", 1}, {"title", title}, {"runs", std::move(parts)}}).pretty() + "\n");
}

bool is_series_folder(const std::string& folder) {
  std::error_code none;
  return fs::is_regular_file(folder + series_file, none);
}

std::vector<std::string> write_series_reports(const std::string& folder) {
  const Json json = parse_json_file(folder + series_file);
  const std::string& title = json.at("title").as_string();
  std::vector<SeriesPart> parts;
  std::vector<std::pair<std::string, Json>> claims;
  std::vector<std::string> absent;
  for (const Json& run : json.at("runs").as_list()) {
    const std::string &name = run.at("name").as_string(), &where = run.at("run").as_string();
    try {
      parts.push_back(part_of(name, where, folder));
      claims.emplace_back(name, parts.back().claims);
    } catch (const Error& e) {
      parts.push_back({.name = name, .trials = std::string("nothing can be shown: ") + e.what()});
      absent.push_back(name + ": " + e.what());
    }
  }
  write_series_html(folder + "/claims.html", title, parts);
  write_file_atomically(folder + "/claims.md", "# " + markdown(title) + "\n\n" + claim_markdown(claims));
  return absent;
}

}  // namespace khost
