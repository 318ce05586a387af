// Files of the repository that a test makes.
#pragma once

#include <doctest/doctest.h>

#include <cstdlib>
#include <string>

#include "unit/text_file.hpp"

// `made` is what the file says, or with KHOST_REGENERATE becomes it. `tests`: of -tc, those that make it.
inline void check_made(const std::string& path, const std::string& made, const std::string& tests) {
  if (std::getenv("KHOST_REGENERATE")) write_text(path, made);
  CAPTURE(path);
  const bool is_as_made = content_of(path) == made;
  CHECK_MESSAGE(is_as_made, "KHOST_REGENERATE=1 build/bin/khost_tests -tc='" << tests << "' writes it anew");
}
