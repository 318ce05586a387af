// What the process says when a plugin ends it: exit() in a plugin must not look like khost's own success, nor an exception that
// nobody can catch like khost's own crash.
#pragma once

#include <string>

namespace khost {

// Made first in main, gone when main returns: while it lives, an exit() from anywhere prints what was in progress and ends the
// process with 3, as do a std::terminate() out of a plugin and a pthread_exit() in a call into one. One per process. What a
// plugin does by _exit() or a signal cannot be seen from within the process.
class ProcessWatch {
 public:
  ProcessWatch();
  ~ProcessWatch();
  ProcessWatch(const ProcessWatch&) = delete;
  ProcessWatch& operator=(const ProcessWatch&) = delete;

  // Handlers of an exit run last in, first out: after a library was loaded, this one is put before what the library registered.
  static void renew();

  // Who is told of such an end in place of the user: what it is, the call in progress, and whose code it was ("" where that is
  // not known).
  using Told = void (*)(const std::string& what, const std::string& place, const std::string& file);
  static void tell(Told told);

  // For who sees that the calling thread of khost's is being ended: ends the process as for exit(). Returns where none is
  // watched.
  static void thread_ends(const std::string& place);
};

}  // namespace khost
