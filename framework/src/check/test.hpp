// One test of khost check, and what it is given.
#pragma once

#include <cstdint>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include "khost/json.hpp"
#include "plugin/loader.hpp"

namespace khost::check {

struct Subject {
  const Plugin& plugin;
  Json given;           // its parameters, before defaults are filled in
  std::uint64_t seed;   // of what a test draws
  std::string scratch;  // a folder for this check's own files, shared by its tests

  Json config() const { return resolve_config(plugin, given); }
  std::string title() const { return title_of(plugin); }
  template <class T>
  std::shared_ptr<T> make(void* context = nullptr) const {
    return create<T>(plugin, config(), context);
  }
};

// What a test throws where it does not pass: what is wrong, and what to do about it. Whatever else comes out of it is a failure,
// too.
struct Failure : std::exception {
  Failure(std::string what, std::string mend) : text(std::move(what) + "\n" + std::move(mend)) {}
  const char* what() const noexcept override { return text.c_str(); }
  std::string text;
};
struct Skipped : std::exception {
  explicit Skipped(std::string why) : text(std::move(why)) {}
  const char* what() const noexcept override { return text.c_str(); }
  std::string text;
};

struct Test {
  std::string_view name;
  std::string_view asks;
  std::vector<Kind> kinds;                // none: of every kind
  std::string (*run)(const Subject& of);  // gives a figure for the line, or ""
  std::string_view after = {};            // is not asked where that one did not pass
};

// Loads the file as nobody who guards against it does. Throws a Failure when that changes what all plugins share.
void load_alone(const std::string& file);

std::vector<Test> library_tests();
std::vector<Test> schema_tests();
std::vector<Test> probe_tests();
std::vector<Test> graph_tests();
std::vector<Test> optimizer_tests();
std::vector<Test> data_tests();
std::vector<Test> compute_tests();

}  // namespace khost::check
