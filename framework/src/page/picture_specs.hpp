// What pictures a run's records have: khost's own are in share/report/pictures.json, a plugin's in NAME.pictures.json beside its
// NAME.so (of a run whose plugins are gone, beside this khost's). A record that none of them shows gets a picture by its shape
// (pictures.hpp).
//
//   [{"id": "share", "title": "What is lost with the last dims", "records": ["share<k>"], "form": "lines", "x": "k",
//     "x_title": "dims that stay", "x_log": true, "y_title": "share of the loss", "y_log": false, "where": {"s": "last"},
//     "references": [{"label": "Gaussian noise", "points": [[8, 6.2], [64, 48.4]]}], "note": "..."}]
//
// "records" are names as the plugin declares them, each with its own label where they are an object: {"leading dims": "keep<k>"}.
// "x" is one of their placeholders, "rank" (the arm's K), "step", "arm", or a record's path from its probe on.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "khost/json.hpp"
#include "page/picture.hpp"
#include "store/run.hpp"

namespace khost {

struct PictureSpec {
  struct Shown {
    std::string label;    // "" where it is the only one
    std::string pattern;  // PROBE/NAME, with placeholders: "ablation/keep<k>"
  };
  std::string id, section, title, form = "lines", x = "arm", x_title, y_title, note;
  bool x_log = false, y_log = false;
  std::vector<Shown> records;
  std::map<std::string, std::string> where;  // placeholder: the one value that is shown, or "last", the greatest that there is
  std::vector<Reference> references;
};

// What the placeholders of "keep<k>/<matrix>" stand for in a name; nothing when it has not that form.
using Placeholders = std::vector<std::pair<std::string, std::string>>;
std::optional<Placeholders> placeholders_in(std::string_view pattern, std::string_view name);

// Throws a usage Error with the place of what is wrong. `instance` and `plugin`: whose they are; "" of khost's own.
std::vector<PictureSpec> read_picture_specs(const Json& json, const std::string& instance, const std::string& plugin);

// Of all probes of a run, khost's own first. What cannot be read is left out and named in `faults`.
std::vector<PictureSpec> picture_specs(const Run& run, std::vector<std::string>& faults);

}  // namespace khost
