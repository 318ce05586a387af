// khost check: is a plugin fit? Each test runs in a process of its own, so that a plugin that crashes, hangs or eats memory fails
// that test and no other. The process that asks loads nothing of the plugin and starts no thread before it is done.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "khost/json.hpp"

namespace khost {

struct CheckOptions {
  std::string plugin;  // a name, or a file
  Json config{Json::Object{}};
  std::uint64_t seed = 0;   // of whatever is drawn: the same seed, the same check
  int seconds = 60;         // for each test
  std::string only = {};    // the one test to run; "": all
  bool in_process = false;  // for a debugger: nothing is started, and a crash is a crash
};

struct Checked {
  enum class Outcome { passed, failed, skipped };
  std::string component;  // "probe 'snr'"; of the file itself: its path
  std::string test;       // "gradients"
  std::string asks;       // what it asks, in a line
  Outcome outcome = Outcome::passed;
  std::string said;  // a figure of what passed; what is wrong, and what to do; why it was skipped
  double seconds = 0;
};

// In order; `tell` hears of each when it is known. Throws a usage Error for a test that is none, a plugin Error for a plugin that
// cannot be found.
std::vector<Checked> check_plugin(const CheckOptions& options, const std::function<void(const Checked&)>& tell);

// Each test's name, what it asks, and of which kinds of plugin.
struct TestSummary {
  std::string name, asks, kinds;
};
std::vector<TestSummary> check_tests();

}  // namespace khost
