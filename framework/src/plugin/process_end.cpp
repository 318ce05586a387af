#include "plugin/process_end.hpp"

#include <dlfcn.h>
#include <execinfo.h>
#include <pthread.h>
#include <unistd.h>
#include <unwind.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <string>

#include "core/call.hpp"
#include "core/shown.hpp"

namespace khost {
namespace {

// Threads that may call exit() at one time: glibc gives each of them the next function of its list, and what comes after these is
// the destruction of what the other threads use.
constexpr int threads_at_once = 64;

constexpr int exit_code = 3;  // a plugin's fault, as for ErrorKind::plugin

enum class State { off, watching, ending };
std::atomic<State> state = State::off;
std::terminate_handler previous = nullptr;
std::atomic<ProcessWatch::Told> told = nullptr;

const void* object_of(const void* address) {
  Dl_info where{};
  return dladdr(address, &where) ? where.dli_fbase : nullptr;
}

// The library whose code called what ended the process, seen from here: neither khost's nor the language's. "" when all are.
std::string caller() {
  // A sanitizer puts itself in the place of most of these: pthread_create tells which library it is.
  const std::array<const void*, 5> own = {
      object_of(reinterpret_cast<const void*>(&caller)), object_of(reinterpret_cast<const void*>(&std::exit)),
      object_of(reinterpret_cast<const void*>(&std::terminate)), object_of(reinterpret_cast<const void*>(&_Unwind_Resume)),
      object_of(reinterpret_cast<const void*>(&::pthread_create))};
  std::array<void*, 64> frames{};
  const int count = ::backtrace(frames.data(), static_cast<int>(frames.size()));
  for (int i = 0; i < count; ++i) {
    Dl_info where{};
    if (!dladdr(frames[static_cast<std::size_t>(i)], &where) || !where.dli_fname) continue;
    bool known = false;
    for (const void* object : own) known = known || object == where.dli_fbase;
    const std::string file = where.dli_fname;
    if (!known && file.find(".so") != std::string::npos && file.find("/ld-linux") == std::string::npos)
      return std::filesystem::path(file).lexically_normal();  // a run path may lead up and down again
  }
  return "";
}

void say(const std::string& what, const std::string& hint) {
  const std::string place = Within::text(), file = caller();
  if (const auto other = told.load()) return other(printable(what), place, file);
  std::string text = ::isatty(STDERR_FILENO) ? "\n" : "";  // a progress line may be on the screen
  text += "khost: " + printable(what);                     // an exception's words may be anything
  if (!place.empty()) text += "\n  in " + place;
  if (!file.empty()) text += "\n  by code of " + file;
  text += "\n  " + hint + "\n";
  if (Within::any(Within::What::trial))
    text += "  finished trials are kept: without the plugin, or with it mended, the same command goes on from there\n";
  // Not by stdio: another thread may hold its lock.
  for (std::string_view rest = text; !rest.empty();) {
    const ssize_t written = ::write(STDERR_FILENO, rest.data(), rest.size());
    if (written <= 0) break;
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
}

// Whether this thread is the one to say it; does not return where another thread does.
bool first_to_end() {
  State before = State::watching;
  if (state.compare_exchange_strong(before, State::ending)) return true;
  while (before == State::ending) ::pause();
  return false;
}

void on_exit() {
  if (!first_to_end()) return;
  say(Within::any(Within::What::plugin) ? "a plugin ended the process: it called exit()"
                                        : "the process was ended by exit() before khost was done",
      "a plugin that cannot go on throws khost::Error: then only its trial fails");
  ::_exit(exit_code);  // without the destructors of what other threads are using
}

std::string what_is_in_flight() {
  const std::exception_ptr thrown = std::current_exception();
  if (!thrown) return "it called std::terminate()";
  try {
    std::rethrow_exception(thrown);
  } catch (const std::exception& e) {
    return std::string("an exception that nobody could catch: ") + e.what();
  } catch (...) {
    return "an exception that nobody could catch";
  }
}

[[noreturn]] void on_terminate() {
  if ((Within::any(Within::What::plugin) || !caller().empty()) && first_to_end()) {
    say("a plugin ended the process by " + what_is_in_flight(),
        "nothing may throw out of a static initialiser, a destructor, a noexcept function, or a thread or parallel region of the "
        "plugin's own");
    ::_exit(exit_code);
  }
  if (previous) previous();
  std::abort();
}

// A thread of khost's that ends leaves others waiting for it, and the first thread's end would be the process's, with exit code
// 0.
void end_with_thread(const std::string& what) {
  if (state == State::off || !first_to_end()) return;
  say(what, "a plugin that cannot go on throws khost::Error: then only its trial fails");
  ::_exit(exit_code);
}

}  // namespace

ProcessWatch::ProcessWatch() {
  state = State::watching;
  previous = std::set_terminate(on_terminate);
  renew();
  for (int i = 0; i < threads_at_once; ++i) std::at_quick_exit(on_exit);
}

ProcessWatch::~ProcessWatch() {
  state = State::off;
  std::set_terminate(previous);
}

void ProcessWatch::tell(Told other) { told = other; }

void ProcessWatch::renew() {
  for (int i = 0; i < threads_at_once && state == State::watching; ++i) std::atexit(on_exit);
}

void ProcessWatch::thread_ends(const std::string& place) {
  end_with_thread("a plugin ended a thread of khost's" + (place.empty() ? place : ", in " + place));
}

}  // namespace khost

// What plugins call by that name: libkhost comes before the C library in the search. A thread of the plugin's own may end so.
extern "C" void pthread_exit(void* result) {
  if (khost::Within::any(khost::Within::What::plugin))
    khost::end_with_thread("a plugin ended a thread of khost's: it called pthread_exit()");
  // Known not to return, so that a sanitizer forgets this thread's frames before it ends.
  typedef void (*Function)(void*) __attribute__((noreturn));
  reinterpret_cast<Function>(::dlsym(RTLD_NEXT, "pthread_exit"))(result);
}
