// khost's read-only data: published figures, schemas, templates.
#pragma once

#include <string>
#include <vector>

namespace khost {

// Where `share` may be, in the order it is searched: $KHOST_SHARE alone when it is set; else <prefix>/share/khost (installed) and
// <build>/share (the build tree, where it is a link to the sources), both found from the folder of the running executable.
std::vector<std::string> share_folders();

// The path of share/<relative>, or "" when no folder has it.
std::string share_file(const std::string& relative);

}  // namespace khost
