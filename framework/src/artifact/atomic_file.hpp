// A whole text as a file, in one call.
#pragma once

#include <string>
#include <string_view>

namespace khost {

// Writes to a temporary name beside `path`, flushes it to the disk and renames it, so that the file is wholly there or not at
// all. Throws a usage Error that names the file and the system's reason; nothing is left behind then.
void write_file_atomically(const std::string& path, std::string_view content);

}  // namespace khost
