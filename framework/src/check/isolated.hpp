// A piece of work in a process of its own.
#pragma once

#include <functional>
#include <string>

namespace khost::check {

struct Isolated {
  bool whole = false;   // it came to its end; else `ended` tells how it did not
  std::string result;   // what the work gave
  std::string ended;    // "was ended by signal 11 (Segmentation fault)", "did not end within 60 s", "called exit()"
  std::string printed;  // what it wrote to standard output and error meanwhile: its last lines
};

// Forks: the calling process has one thread. `work` may do there what it likes, with at most `bytes` of memory and `seconds` of
// time; `scratch` is a folder for what it prints.
Isolated isolated(const std::function<std::string()>& work, int seconds, std::size_t bytes, const std::string& scratch);

}  // namespace khost::check
