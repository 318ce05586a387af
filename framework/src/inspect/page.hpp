// The part of a plugin's page that is made from what the plugin declares, and the pages that are made whole.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "inspect/about.hpp"

namespace khost {

// | key | type | default | what | of each field.
std::string keys_table(const std::vector<Field>& fields);

// Markdown between a page's marks.
std::string made_part(const About& about);

// Tables of the signals, and of what policies can change.
std::string signals_part();

// One line for each plugin, by kind.
std::string index_part(std::span<const Plugin* const> plugins);

// `page` with `part` between the lines "<!-- made: WHAT -->" and "<!-- end -->", in place of what stands there. Throws a usage
// Error when the page has no such lines.
std::string with_part(const std::string& page, std::string_view what, const std::string& part);

}  // namespace khost
