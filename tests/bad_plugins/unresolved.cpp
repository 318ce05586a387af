// Uses a function that no library has; linked without -z defs.
#include "khost/plugin.hpp"

int a_function_that_nobody_wrote();

namespace {

struct Unresolved : khost::Probe {
  struct Config {};
  explicit Unresolved(const Config&) { a_function_that_nobody_wrote(); }
  static void declare(khost::Signals&, const Config&) {}
};

}  // namespace

KHOST_PLUGIN(khost::probe<Unresolved>("unresolved", "", 1))
