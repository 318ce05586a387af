#include "page/series_page.hpp"

#include <fmt/format.h>

#include "artifact/file.hpp"
#include "page/claims.hpp"
#include "page/html.hpp"
#include "page/picture_data.hpp"

namespace khost {

void write_series_html(const std::string& path, const std::string& title, const std::vector<SeriesPart>& parts) {
  HtmlTable table("Its experiments", {"experiment", "question", "trials", "time", "verdicts, each claim on each base"});
  std::string sections;
  Json::List data, all;
  for (const SeriesPart& part : parts) {
    const std::string report = part.folder + "/report.html", id = picture_id(part.name);
    table.row({fmt::format("<a href=\"#{}\">{}</a>", html(id), html(part.name)),
               fmt::format("<a href=\"{}\">{}</a>", html(report), html(part.title)), html(part.trials), html(part.seconds),
               verdict_marks(part.claims)});
    for (const Json& claim : part.claims.as_list()) all.push_back(claim);
    std::vector<Picture> pictures = claim_pictures(part.claims);
    for (Picture& picture : pictures) picture.id = id + "-" + picture.id;  // papers may have claims of one name
    sections += fmt::format(
        "<section id=\"{}\" aria-labelledby=\"{}-title\"><h2 id=\"{}-title\">{}: {}</h2>\n<p><a href=\"{}\">Its report, "
        "with all pictures</a></p>\n{}</section>\n",
        html(id), html(id), html(id), html(part.name), html(part.title), html(report),
        pictures.empty() ? "<p>It makes no claims.</p>" : claims_html(part.claims, pictures, data.size(), {}, report));
    for (const Picture& picture : pictures) data.push_back(picture_json(picture));
  }
  const std::string body =
      fmt::format("<header><h1>{}</h1>\n<p>{} experiments. Verdicts, each claim on each base: {}</p></header>\n<main>{}{}</main>",
                  html(title), parts.size(), verdict_marks(Json(std::move(all))), table.text(), sections);
  write_file_atomically(path, whole_page(title, body, Json(std::move(data))));
}

}  // namespace khost
