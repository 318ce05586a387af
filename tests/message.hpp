// What a call complains of.
#pragma once

#include <string>

#include "khost/error.hpp"

// The text of the khost Error that f throws, or "" when it throws none.
template <class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const khost::Error& e) {
    return e.what();
  }
  return "";
}
