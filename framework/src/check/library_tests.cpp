// What holds for plugins of every kind: what they do to the process, and whether instances come and go.
#include <dlfcn.h>
#include <fmt/format.h>
#include <malloc.h>

#include <filesystem>

#include "check/exercise.hpp"
#include "check/process_state.hpp"
#include "check/test.hpp"
#include "check/with_context.hpp"

namespace khost::check {

namespace {

namespace fs = std::filesystem;

// The plugin's own functions, called as they are: the host's way of calling them puts some of this back.
std::string process_test(const Subject& of) {
  const khost_descriptor& d = *of.plugin.descriptor;
  const ProcessState before(of.plugin.kind());
  const auto after = [&](const std::string& call) { before.expect_unchanged_by(call); };
  if (d.compute) {
    if (d.compute->score) d.compute->score();
    after("score()");
    void* context = nullptr;
    char message[1024] = {};
    const std::string options = of.given.canonical();
    if (d.compute->create(options.c_str(), 1, &context, message, sizeof message) != 0) throw Skipped(message);
    after("create()");
    const float ones[] = {1, 1, 1, 1};
    float product[4];
    const khost_gemm g{0, 0, 2, 2, 2, 1, ones, 2, ones, 2, 0, product, 2};
    d.compute->gemm(context, &g);
    after("gemm()");
    d.compute->destroy(context);
    after("destroy()");
    return "";
  }
  const Json config = of.config();
  Description description;
  khost_message message{};
  d.describe(nullptr, &description, &message);
  after(of.plugin.kind() == Kind::probe ? "declare()" : "fields()");
  with_context(of, [&](void* context) {
    void* made = nullptr;
    if (d.create(&config, context, &made, &message) != 0) throw Failure(message.text, "see its constructor");
    after("its constructor");
    exercise(of, made, after);
    d.destroy(made);
    after("its destructor");
  });
  return "";
}

std::size_t entries_of(const char* folder) {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator(folder)) ++count;
  return count;
}

struct Held {
  std::size_t memory = ::mallinfo2().uordblks, files = entries_of("/proc/self/fd"), threads = entries_of("/proc/self/task");
};

std::string lifecycle_test(const Subject& of) {
  constexpr int warm = 20, count = 100;
  Held before;
  const auto counted = [&](const std::function<void()>& once) {
    for (int i = 0; i < warm; ++i) once();
    before = Held();
    for (int i = 0; i < count; ++i) once();
  };
  if (const khost_compute* table = of.plugin.descriptor->compute) {
    const std::string options = of.given.canonical();
    counted([&] {
      void* context = nullptr;
      char message[1024] = {};
      if (table->create(options.c_str(), 1, &context, message, sizeof message) != 0) throw Skipped(message);
      table->destroy(context);
    });
  } else {
    with_context(of, [&](void* context) {
      const Json config = of.config();
      counted([&] { destroy_instance(of.plugin, create_instance(of.plugin, of.plugin.kind(), config, context)); });
    });
  }
  const Held after;
  if (after.files > before.files)
    throw Failure(fmt::format("{} instances that were made and destroyed left {} files open", count, after.files - before.files),
                  "close in the destructor what the constructor opens");
  if (after.threads > before.threads)
    throw Failure(fmt::format("{} instances that were made and destroyed left {} threads", count, after.threads - before.threads),
                  "join in the destructor the threads that the constructor starts");
  // malloc's smallest piece has 32 bytes: what is less than half of one an instance is not an instance's.
  if (after.memory > before.memory + 16 * count)
    throw Failure(
        fmt::format("{} instances that were made and destroyed left {} bytes behind", count, after.memory - before.memory),
        "free in the destructor what the constructor takes; a base class needs a virtual destructor");
  return fmt::format("{} instances", count);
}

}  // namespace

void load_alone(const std::string& file) {
  judge_plugin_file(file);  // what may not be loaded is not
  const ProcessState before(Kind::compute);
  ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  before.expect_unchanged_by("its loading");
}

std::vector<Test> library_tests() {
  return {{"process", "does it leave alone what all plugins of a process share?", {}, &process_test},
          {"lifecycle", "does nothing stay of instances that are made and destroyed?", {}, &lifecycle_test}};
}

}  // namespace khost::check
