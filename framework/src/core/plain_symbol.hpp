// Names as the compiler writes them, as a person reads them.
#pragma once

#include <string>

namespace khost {

// Of a function or object: "f()" of "_Z1fv"; a name that is not C++'s as it is.
std::string plain_symbol(const std::string& symbol);
// Of std::type_info::name(): "int" of "i".
std::string plain_type(const char* name);

}  // namespace khost
