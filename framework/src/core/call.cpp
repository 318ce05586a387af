#include "core/call.hpp"

#include <exception>
#include <new>
#include <typeinfo>

#include "core/foreign_code.hpp"
#include "core/plain_symbol.hpp"

namespace khost {

namespace {

thread_local const Within* innermost = nullptr;

// Of the exception in flight: "int", or "" when it comes from another language.
std::string type_in_flight() {
  const std::type_info* type = abi::__cxa_current_exception_type();
  if (!type) return "";
  return plain_type(type->name());
}

}  // namespace

std::string CallPlace::text() const {
  if (kind_.empty()) return std::string(name_);
  std::string text = std::string(kind_) + " '" + std::string(name_) + "' in " + std::string(function_);
  if (step_ >= 0) text += " at step " + std::to_string(step_);
  return text;
}

Within::Within(What what, const CallPlace& place) noexcept : what_(what), place_(place), outer_(innermost) { innermost = this; }
Within::~Within() {
  innermost = outer_;
  if (what_ == What::plugin) undo_foreign_settings();
}

std::string Within::text() {
  std::string text;
  for (const Within* at = innermost; at; at = at->outer_) text += (text.empty() ? "" : ", ") + at->place_.text();
  return text;
}

bool Within::any(What what) {
  for (const Within* at = innermost; at; at = at->outer_)
    if (at->what_ == what) return true;
  return false;
}

const Within* Within::here() noexcept { return innermost; }
const Within* Within::move_to(const Within* place) noexcept { return std::exchange(innermost, place); }

void detail::rethrow_from_plugin(const CallPlace& place) {
  try {
    throw;
  } catch (Error& e) {
    e.within(place.text());
    throw;
  } catch (const std::bad_alloc&) {
    throw Error(ErrorKind::plugin, "the plugin ran out of memory (std::bad_alloc)").within(place.text());
  } catch (const std::exception& e) {
    throw Error(ErrorKind::plugin, std::string("the plugin threw: ") + e.what()).within(place.text());
  } catch (...) {
    const std::string type = type_in_flight();
    throw Error(ErrorKind::plugin,
                "the plugin threw something that is not a std::exception" + (type.empty() ? type : ": " + type))
        .hint("a plugin throws khost::Error, whose message a person reads")
        .within(place.text());
  }
}

}  // namespace khost
