// What the programs that time a training step take:
//   [--batch B] [--rank K] [--sequence T] [--vocabulary V] [--model JSON] [--train WHAT] [--forward] [--backend NAME]
//   [--options JSON] [--threads N] [--seconds S] [--json]
// WHAT is trained: an adapter's core (diagonal), "lora", or "weights": StepSize. --forward: the forward pass alone, without
// gradients, as an evaluation has it.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

#include "bench/training_step.hpp"

namespace khost::bench {

struct StepOptions {
  test::StepSize size;
  int threads = 2;
  double seconds = 5;
  std::string backend = "onednn", options = "{}";
  bool forward = false, json = false;
};

inline std::int64_t count_of(const std::string& key, const std::string& text, std::int64_t least) {
  std::size_t read = 0;
  const long long value = std::stoll(text, &read);
  if (read != text.size() || value < least) throw std::invalid_argument(key + " takes no '" + text + "'");
  return value;
}

// Throws std::invalid_argument.
inline StepOptions step_options(int argc, char** argv) {
  StepOptions o;
  for (int i = 1; i < argc; ++i) {
    const std::string key = argv[i];
    if (key == "--forward" || key == "--json") {
      (key == "--json" ? o.json : o.forward) = true;
      continue;
    }
    if (++i == argc) throw std::invalid_argument("unknown option, or one without its value: " + key);
    const char* value = argv[i];
    if (key == "--batch")
      o.size.batch = count_of(key, value, 1);
    else if (key == "--rank")
      o.size.rank = count_of(key, value, 0);
    else if (key == "--sequence")
      o.size.sequence = count_of(key, value, 1);
    else if (key == "--vocabulary")
      o.size.vocabulary = count_of(key, value, 1);
    else if (key == "--model")
      o.size.model = parse_json(value, "--model");
    else if (key == "--train")
      o.size.train = value;
    else if (key == "--threads")
      o.threads = static_cast<int>(count_of(key, value, 1));
    else if (key == "--seconds")
      o.seconds = std::stod(value);
    else if (key == "--backend")
      o.backend = value;
    else if (key == "--options")
      o.options = value;
    else
      throw std::invalid_argument("unknown option " + key);
  }
  return o;
}

}  // namespace khost::bench
