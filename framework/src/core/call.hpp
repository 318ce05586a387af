// Calls into plugins: the one place through which the host makes them, so that whatever goes wrong in one says where.
#pragma once

#include <cxxabi.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "khost/error.hpp"

namespace khost {

// Where a call happens: "probe 'snr' in observe at step 3". Its texts are the caller's and outlive the call; they are put
// together only when something goes wrong, so that a call costs no allocation.
class CallPlace {
 public:
  CallPlace(std::string_view kind, std::string_view name, std::string_view function, std::int64_t step = -1)
      : kind_(kind), name_(name), function_(function), step_(step) {}
  CallPlace(std::string_view text) : name_(text) {}
  CallPlace(const std::string& text) : name_(text) {}
  CallPlace(const char* text) : name_(text) {}
  std::string text() const;

 private:
  std::string_view kind_, name_, function_;
  std::int64_t step_ = -1;
};

// When one of a plugin ends, so does what the plugin did to the thread's floating-point control and to the locale.
//
// While one lives, its thread is within that place: a trial, or a call into a plugin; so are the threads that parallel_for lends
// it. When the process is ended from there (exit(), std::terminate()), this is what can still be said.
class Within {
 public:
  enum class What { trial, plugin };
  Within(What what, const CallPlace& place) noexcept;
  ~Within();
  Within(const Within&) = delete;
  Within& operator=(const Within&) = delete;

  // Of the calling thread, innermost first: "probe 'snr' in observe at step 3, arm K64, base trained, seed 0"; "" when it is
  // within nothing.
  static std::string text();
  static bool any(What what);  // is the calling thread within one of that sort?

  // For who lends a thread to another's work: what the other is within. Gives what this thread was within before.
  static const Within* here() noexcept;
  static const Within* move_to(const Within* place) noexcept;

 private:
  What what_;
  CallPlace place_;
  const Within* outer_;
};

namespace detail {
// In a catch block: the exception as an Error with the place added.
[[noreturn]] void rethrow_from_plugin(const CallPlace& place);
}  // namespace detail

// Runs f, a call into a plugin; whatever it throws is rethrown as a khost Error with the place added. An exception that is not
// khost's becomes an ErrorKind::plugin. The forced unwinding of a thread that is cancelled is none and goes through; it is caught
// by a reference to nothing, as there is no object: UBSan is not asked about that (it would be within whoever inlined this).
template <class F>
__attribute__((noinline, no_sanitize("null"))) decltype(auto) call_plugin(const CallPlace& place, F&& f) {
  const Within within(Within::What::plugin, place);
  try {
    return std::forward<F>(f)();
  } catch (abi::__forced_unwind&) {
    throw;
  } catch (...) {
    detail::rethrow_from_plugin(place);
  }
}

}  // namespace khost
