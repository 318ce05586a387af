#include "report/terminal.hpp"

#include <iostream>

#include "core/shown.hpp"
#include "khost/utf8.hpp"

namespace khost {
namespace {

// How many bytes at the end of `text` may be the beginning of a character whose rest is still to come.
std::size_t begun_at_end(std::string_view text) {
  for (std::size_t back = 1; back <= 3 && back <= text.size(); ++back) {
    const auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if ((byte & 0xc0) == 0x80) continue;
    const std::size_t needs = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return needs > back ? back : 0;
  }
  return 0;
}

}  // namespace

PrintableBuffer::~PrintableBuffer() {
  hand_on(begun_);
  to_.pubsync();
}

PrintableBuffer::int_type PrintableBuffer::overflow(int_type c) {
  if (traits_type::eq_int_type(c, traits_type::eof())) return traits_type::not_eof(c);
  const char byte = traits_type::to_char_type(c);
  return xsputn(&byte, 1) == 1 ? c : traits_type::eof();
}

std::streamsize PrintableBuffer::xsputn(const char* text, std::streamsize size) {
  begun_.append(text, static_cast<std::size_t>(size));
  const std::string all = std::move(begun_);
  const std::size_t rest = begun_at_end(all);
  begun_ = all.substr(all.size() - rest);
  return hand_on(std::string_view(all).substr(0, all.size() - rest)) ? size : 0;
}

bool PrintableBuffer::hand_on(std::string_view text) {
  const std::string shown = printable(text);
  const auto size = static_cast<std::streamsize>(shown.size());
  return to_.sputn(shown.data(), size) == size;
}

int PrintableBuffer::sync() { return to_.pubsync(); }

struct PrintableStreams::Saved {
  std::streambuf *out, *error;
  PrintableBuffer printable_out, printable_error;
  Saved() : out(std::cout.rdbuf()), error(std::cerr.rdbuf()), printable_out(*out), printable_error(*error) {
    std::cout.rdbuf(&printable_out);
    std::cerr.rdbuf(&printable_error);
  }
  ~Saved() {
    std::cout.rdbuf(out);
    std::cerr.rdbuf(error);
  }
};

PrintableStreams::PrintableStreams() : saved_(std::make_unique<Saved>()) {}
PrintableStreams::~PrintableStreams() = default;

}  // namespace khost
