// Which files compute when a library is called: its own, and those that it needs.
#pragma once

#include <string>
#include <vector>

namespace khost::cblas {

struct File {
  std::string path;                             // links resolved
  bool openmp = false, starts_threads = false;  // it names GOMP_parallel, pthread_create
  bool helps = false;                           // a compiler's or the C library's: it multiplies nothing
};

struct Files {
  std::vector<File> all;  // the one with `function` first
  std::string hash;       // of their contents: "0123456789abcdef"
};

// The file that has `function`, which `library` (of dlopen) gave, and all that the two need, as the loader resolved them: a stub,
// or a link of Debian's alternatives, keeps its name when the library behind it changes. Without what this process needs anyway
// (the C and C++ libraries, libgomp). Throws std::runtime_error where one cannot be read.
Files files_behind(void* library, const void* function);

}  // namespace khost::cblas
