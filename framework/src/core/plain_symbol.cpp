#include "core/plain_symbol.hpp"

#include <cxxabi.h>

#include <cstdlib>
#include <memory>

namespace khost {

std::string plain_symbol(const std::string& symbol) { return symbol.starts_with("_Z") ? plain_type(symbol.c_str()) : symbol; }

std::string plain_type(const char* name) {
  const std::unique_ptr<char, void (*)(void*)> plain(abi::__cxa_demangle(name, nullptr, nullptr, nullptr), std::free);
  return plain ? plain.get() : name;
}

}  // namespace khost
