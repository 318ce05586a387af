// Claims as pictures and as HTML.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "khost/json.hpp"
#include "page/picture.hpp"

namespace khost {

// Of a list as Run::claims: one of each claim, its estimates by base.
std::vector<Picture> claim_pictures(const Json& claims);

// "12 confirmed", "3 falsified", ... as marks.
std::string verdict_marks(const Json& claims);

// The table of verdicts: what is claimed, the paper, the interval drawn, and on each base estimate, interval, noise and verdict;
// each with its whole reasoning. `first`: the place on the page of the first of their pictures; `links`: a record without its
// base to the id of a picture that shows it; `path`: what leads there, "" on the same page.
std::string claims_html(const Json& claims, const std::vector<Picture>& pictures, std::size_t first,
                        const std::map<std::string, std::string>& links, const std::string& path = "");

}  // namespace khost
