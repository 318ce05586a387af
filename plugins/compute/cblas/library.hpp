// A CBLAS that is known by its path alone.
#pragma once

#include <cstdint>
#include <string>

#include "khost/compute.hpp"

namespace khost::cblas {

using Sgemm = void(int order, int transpose_a, int transpose_b, int m, int n, int k, float alpha, const float* a, int lda,
                   const float* b, int ldb, float beta, float* c, int ldc);

struct Library {
  std::string path;  // as it was asked for
  Sgemm* sgemm = nullptr;
  void (*set_threads)(int) = nullptr;  // the one it has, if it is known here
  void (*set_threads_wide)(std::int64_t) = nullptr;
  std::string name, version, kernel;
};

// Opens it once per process and never closes it. Throws std::runtime_error with what is wrong and what to do.
const Library& open_library(const std::string& path);

// The string under `key` of a flat JSON object, "" when it is absent or null. `json` is well formed: the host wrote it.
std::string string_of(const char* json, const char* key);

}  // namespace khost::cblas
