// The one place through which the host calls a plugin's virtual functions.
#pragma once

#include <exception>
#include <string>
#include <string_view>
#include <utility>

#include "khost/error.hpp"

namespace khost {

// Runs f; whatever it throws is rethrown as a khost Error with `frame` ("probe 'snr' in observe") added. An exception that is
// not khost's becomes an ErrorKind::plugin.
template <class F>
decltype(auto) call_plugin(std::string_view frame, F&& f) {
  try {
    return std::forward<F>(f)();
  } catch (Error& e) {
    e.within(frame);
    throw;
  } catch (const std::exception& e) {
    throw Error(ErrorKind::plugin, std::string("the plugin threw: ") + e.what()).within(frame);
  } catch (...) {
    throw Error(ErrorKind::plugin, "the plugin threw something that is not a std::exception").within(frame);
  }
}

}  // namespace khost
