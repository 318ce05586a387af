#include "page/html.hpp"

#include <fmt/format.h>

#include <cctype>
#include <map>

#include "artifact/share.hpp"
#include "artifact/whole_file.hpp"
#include "core/shown.hpp"
#include "khost/error.hpp"

namespace khost {
namespace {

std::string part(const std::string& name) {
  const std::string path = share_file("report/" + name);
  if (path.empty())
    throw Error(ErrorKind::usage, "khost's share folder has no report/" + name)
        .hint("it is part of khost: build or install it again, or set KHOST_SHARE to its share folder");
  return std::string(read_whole_file(path, "part of a report").text());
}

// share/report/page.html with its {{marks}} filled; what is filled in is not looked at again.
std::string filled(const std::string& page, const std::map<std::string, std::string, std::less<>>& marks) {
  std::string out;
  for (std::size_t at = 0;;) {
    const std::size_t open = page.find("{{", at), close = open == std::string::npos ? open : page.find("}}", open);
    out += page.substr(at, open - at);
    if (close == std::string::npos) return out;
    const std::string mark = page.substr(open + 2, close - open - 2);
    const auto found = marks.find(mark);
    if (found == marks.end())
      throw Error(ErrorKind::usage, "share/report/page.html has a mark {{" + mark + "}}, which nothing fills");
    out += found->second;
    at = close + 2;
  }
}

// Without the address of its source map, which a browser would ask for beside the report.
std::string library(const std::string& name) {
  const std::string text = part(name);
  return text.substr(0, text.rfind("\n//# sourceMappingURL="));
}

}  // namespace

Json picture_templates() {
  Json all{Json::Object()};
  for (const char* form : {"lines", "points", "steps", "dots", "heat", "bars", "claim"})
    all.set(form, parse_json(part(std::string(form) + ".vl.json"), std::string(form) + ".vl.json"));
  return all;
}

std::string html(std::string_view text) {
  std::string out;
  for (const char c : printable(text)) {
    switch (c) {
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '&':
        out += "&amp;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string url_path(std::string_view path) {
  std::string out;
  for (const char c : path)
    out += std::isalnum(static_cast<unsigned char>(c)) || std::string_view("-_.~/").find(c) != std::string_view::npos
               ? std::string(1, c)
               : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  return out;
}

std::string script_json(const Json& json) {
  std::string out;
  for (const char c : json.text()) out += c == '<' ? "\\u003c" : std::string(1, c);
  return out;
}

std::string figure_html(std::string_view text, std::string_view tip) {
  return fmt::format("<span class=figure tabindex=0 data-tip=\"{}\">{}</span>", html(tip), html(text));
}

HtmlTable::HtmlTable(std::string_view caption, const std::vector<std::string>& heads, std::size_t numbers) : numbers_(numbers) {
  text_ = fmt::format("<div class=scroll tabindex=0 role=region aria-label=\"{}\"><table><caption>{}</caption><thead><tr>",
                      html(caption), html(caption));
  for (std::size_t i = 0; i < heads.size(); ++i)
    text_ += fmt::format("<th scope=\"col\"{}>{}</th>", i >= numbers ? " class=number" : "", html(heads[i]));
  text_ += "</tr></thead><tbody>\n";
}

void HtmlTable::row(const std::vector<std::string>& cells) {
  text_ += "<tr>";
  for (std::size_t i = 0; i < cells.size(); ++i)
    text_ += i == 0 ? "<th scope=\"row\">" + cells[i] + "</th>"
                    : fmt::format("<td{}>{}</td>", i >= numbers_ ? " class=number" : "", cells[i]);
  text_ += "</tr>\n";
}

std::string whole_page(std::string_view title, const std::string& body, const Json& data) {
  std::string scripts;
  if (!data.is_null())
    for (const std::string& script :
         {std::string("<noscript><p class=warning>Charts need JavaScript. Each has its table, which does not.</p></noscript>"),
          "<script>" + library("vega/vega.min.js") + "</script>", "<script>" + library("vega/vega-lite.min.js") + "</script>",
          "<script id=khost-templates type=\"application/json\">" + script_json(picture_templates()) + "</script>",
          "<script id=khost-pictures type=\"application/json\">" + script_json(data) + "</script>",
          "<script>" + part("charts.js") + "</script>", "<script>" + part("page.js") + "</script>"})
      scripts += script + "\n";
  return filled(part("page.html"), {{"style", part("page.css")},
                                    {"title", html(title)},
                                    {"notice", data.is_null() ? "" : "\n" + part("vega/NOTICE")},
                                    {"body", body},
                                    {"scripts", scripts}});
}

}  // namespace khost
