// What code that is not khost's may leave behind in a process that computes: the calling thread's floating-point control (a
// library linked with -ffast-math sets flush-to-zero when it is loaded), and the locale of thread and process (a decimal comma).
#pragma once

namespace khost {

// Round to nearest, denormals kept, no traps, in the x87 unit too: what every figure is computed with. The control registers are
// a thread's own, and new threads inherit them. Cheap where nothing has changed.
void default_floats();

// The C locale of C and of C++, where it is another, and no locale of the calling thread's own.
void default_locale();

// Both: after each call into a plugin, and after a library is loaded, whose initialisers run (Within of core/call.hpp).
inline void undo_foreign_settings() {
  default_floats();
  default_locale();
}

}  // namespace khost
