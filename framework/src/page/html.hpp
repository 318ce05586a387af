// HTML from text that may be anything: names and texts of manifests and plugins never become markup.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "khost/json.hpp"

namespace khost {

// As an element's text and as an attribute's value between double quotes; characters that act on a screen are escapes.
std::string html(std::string_view text);

// A file's path as an address leads to it: "a b#c" is "a%20b%23c".
std::string url_path(std::string_view path);

// As the content of a script element: no "</script" and no "<!--" in it.
std::string script_json(const Json& json);

// A figure that says more on hover and on focus: `tip` in lines.
std::string figure_html(std::string_view text, std::string_view tip);

class HtmlTable {
 public:
  // `caption` and heads are text. The first column of each row is its head, those from `numbers` on stand to the right.
  HtmlTable(std::string_view caption, const std::vector<std::string>& heads, std::size_t numbers = 99);
  void row(const std::vector<std::string>& cells);  // HTML
  std::string text() const { return text_ + "</tbody></table></div>\n"; }

 private:
  std::string text_;
  std::size_t numbers_;
};

// The forms of pictures: share/report/NAME.vl.json by NAME.
Json picture_templates();

// A page that needs nothing beside it, by share/report/page.html. `data` is what its charts are drawn from, null of a page
// without any, which then has no script at all. Throws a usage Error when khost's share folder lacks a part.
std::string whole_page(std::string_view title, const std::string& body, const Json& data);

}  // namespace khost
