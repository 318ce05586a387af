// One character at a time out of text that may be anything. From any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace khost {

struct Character {
  char32_t code = 0;
  std::size_t bytes = 0;  // 0: what the text begins with is no UTF-8 (RFC 3629: no overlong forms, no surrogates), or it is empty
};
Character first_character(std::string_view text);

void append_utf8(std::string& out, char32_t code);

}  // namespace khost
