// SHA-256, as lower-case hex. From any thread.
#pragma once

#include <string>
#include <string_view>

namespace khost {

std::string sha256(std::string_view text);
std::string sha256_file(const std::string& path);  // throws a usage Error when the file cannot be read
std::string short_hash(std::string_view text);     // the first 16 hex digits of sha256: names folders

}  // namespace khost
