// What a shared library computes, as a hash of its file.
#pragma once

#include <string>
#include <string_view>

namespace khost {

// SHA-256 of what the loader would map: of each section that is part of memory, its place and its bytes. What else is in the
// file (symbols for debuggers, comments) and the build-id, which depends on it, do not count: two builds that differ in nothing
// that can run are one. A file whose sections cannot be read is hashed whole.
std::string library_content(std::string_view bytes);
std::string library_content_of_file(const std::string& path);  // throws a plugin Error when it cannot be read

// Of a library that is loaded: its own content and what it is linked with, by name or by path, and what that is linked with; but
// for libkhost, whose code has a hash of its own (plan/code_identity.hpp), and the language's and OpenMP's runtimes. A linked
// library is told by the build-id that its linker gave it, else by its content. `own` is library_content_of_file(path). Throws a
// plugin Error when one cannot be told.
std::string with_linked_libraries(const std::string& path, const std::string& own);

}  // namespace khost
