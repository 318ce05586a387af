// What holds for plugins of every kind: what they do to the process, their schema, and whether instances come and go.
#include <dlfcn.h>
#include <fmt/format.h>
#include <malloc.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __x86_64__
#include <xmmintrin.h>
#endif

#include <algorithm>
#include <cfenv>
#include <clocale>
#include <csignal>
#include <filesystem>

#include "check/test.hpp"
#include "check/with_context.hpp"
#include "compute/backend.hpp"

extern char** environ;  // NOLINT: POSIX's

namespace khost::check {

namespace {

namespace fs = std::filesystem;

// What a plugin shares with everybody in the process, and leaves as it is. In words, one line each, so that two can be compared.
// A backend's library may read the environment, which its plugin then has to set.
std::vector<std::string> process_state(Kind kind) {
  std::vector<std::string> all;
#ifdef __x86_64__
  const unsigned control = _mm_getcsr();
  all.push_back(fmt::format("floating point: denormals are {}", control & 0x8040u ? "flushed to zero" : "kept"));
#endif
  all.push_back(fmt::format("floating point: rounding mode {}", std::fegetround() == FE_TONEAREST ? "to nearest" : "another"));
  all.push_back(fmt::format("locale: {}", std::setlocale(LC_ALL, nullptr)));
  for (const int number : {SIGINT, SIGTERM, SIGSEGV, SIGFPE, SIGABRT, SIGCHLD, SIGPIPE}) {
    struct sigaction now {};
    ::sigaction(number, nullptr, &now);
    all.push_back(fmt::format("handler of {}: {}", ::strsignal(number),
                              now.sa_handler == SIG_DFL   ? "default"
                              : now.sa_handler == SIG_IGN ? "ignored"
                                                          : fmt::format("{}", reinterpret_cast<void*>(now.sa_handler))));
  }
  std::error_code ignored;
  all.push_back("current folder: " + fs::current_path(ignored).string());
  const mode_t mask = ::umask(0);
  ::umask(mask);
  all.push_back(fmt::format("umask: {:o}", mask));
  for (char** each = environ; *each && kind != Kind::compute; ++each) all.push_back(std::string("environment: ") + *each);
  return all;
}

void compare(const std::vector<std::string>& before, const std::string& during, Kind kind) {
  const std::vector<std::string> after = process_state(kind);
  for (const std::string& now : after)
    if (std::find(before.begin(), before.end(), now) == before.end())
      throw Failure(
          fmt::format("it changes the process in {}: now {}", during, now),
          "all plugins share one process: leave what is not the plugin's own as it is, or put it back before returning. "
          "Flush-to-zero comes with a library that is linked with -ffast-math");
  for (const std::string& was : before)
    if (std::find(after.begin(), after.end(), was) == after.end())
      throw Failure(fmt::format("it changes the process in {}: no longer {}", during, was), "put it back before returning");
}

// The plugin's own functions, called as they are: the host's way of calling them puts some of this back.
std::string process_test(const Subject& of) {
  const khost_descriptor& d = *of.plugin.descriptor;
  const Kind kind = of.plugin.kind();
  const std::vector<std::string> before = process_state(kind);
  if (d.compute) {
    void* context = nullptr;
    char message[1024] = {};
    const std::string options = of.given.canonical();
    if (d.compute->score) d.compute->score();
    compare(before, "score", kind);
    if (d.compute->create(options.c_str(), 1, &context, message, sizeof message) != 0) throw Skipped(message);
    compare(before, "create", kind);
    d.compute->destroy(context);
    compare(before, "destroy", kind);
    return "";
  }
  const Json config = of.config();
  Description description;
  khost_message message{};
  d.describe(nullptr, &description, &message);
  compare(before, "describe", kind);
  with_context(of, [&](void* context) {
    void* made = nullptr;
    if (d.create(&config, context, &made, &message) != 0) throw Failure(message.text, "see its constructor");
    compare(before, "create", kind);
    d.destroy(made);
    compare(before, "destroy", kind);
  });
  return "";
}

void check_field(const Field& f, const std::string& within) {
  const std::string name = within + f.name;
  if (f.doc.empty())
    throw Failure("parameter '" + name + "' has no doc", "say what it is, and its unit: f(...).doc(\"step size\")");
  for (const Field& member : f.members) check_field(member, name + ".");
}

std::string schema_test(const Subject& of) {
  const Description description = describe(of.plugin, nullptr);
  if (of.plugin.kind() == Kind::compute) return "";
  for (const Field& f : description.schema.fields) check_field(f, "");
  for (const Signals::Emit& emit : description.signals.emits)
    if (emit.doc.empty())
      throw Failure("record '" + emit.name + "' has no definition",
                    "say in s.emit(name, unit, doc) how it is computed, as a formula where it has one");
  return fmt::format("{} parameters, {} records", description.schema.fields.size(), description.signals.emits.size());
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
  const std::vector<std::string> before = process_state(Kind::compute);
  ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  compare(before, "its loading", Kind::compute);
}

std::vector<Test> library_tests() {
  return {{"process", "does it leave alone what all plugins of a process share?", {}, &process_test},
          {"schema", "are its parameters and records documented?", {}, &schema_test},
          {"lifecycle", "does nothing stay of instances that are made and destroyed?", {}, &lifecycle_test}};
}

}  // namespace khost::check
