// Files that are written once and never again: whoever is first decides what they hold, with any number of processes at it.
#pragma once

#include <string>
#include <string_view>

namespace khost {

// Makes `path`, whole and flushed to disk, and its folder where there is none; false, and nothing changes, when it is there.
// Throws a usage Error when it cannot be written.
bool write_once(const std::string& path, std::string_view content);

}  // namespace khost
