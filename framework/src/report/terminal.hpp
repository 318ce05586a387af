// Standard output and error as a terminal can take them: whatever is printed, control characters in it arrive as escapes. The one
// place for it: what prints need not know where its text came from.
#pragma once

#include <memory>
#include <streambuf>
#include <string>

namespace khost {

// Hands on to `to` what is written, as printable() has it. A character that is cut between two writes is put together.
class PrintableBuffer : public std::streambuf {
 public:
  explicit PrintableBuffer(std::streambuf& to) : to_(to) {}
  ~PrintableBuffer() override;
  PrintableBuffer(const PrintableBuffer&) = delete;
  PrintableBuffer& operator=(const PrintableBuffer&) = delete;

 protected:
  int_type overflow(int_type c) override;
  std::streamsize xsputn(const char* text, std::streamsize size) override;
  int sync() override;

 private:
  bool hand_on(std::string_view text);
  std::streambuf& to_;
  std::string begun_;  // the bytes so far of a character that is not whole
};

// While it lives, std::cout and std::cerr write through such buffers.
class PrintableStreams {
 public:
  PrintableStreams();
  ~PrintableStreams();
  PrintableStreams(const PrintableStreams&) = delete;
  PrintableStreams& operator=(const PrintableStreams&) = delete;

 private:
  struct Saved;
  std::unique_ptr<Saved> saved_;
};

}  // namespace khost
