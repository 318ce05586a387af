// The program as tests start it: each with a cache and a working folder of its own.
#pragma once

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "unit/scratch.hpp"

namespace khost::test {

inline std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

inline void write(const std::string& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

struct Finished {
  int code = -1;
  std::string out, err;
};

// Each test has a cache and a working folder of its own.
class Khost {
 public:
  // Starts the host; `interrupt` sends it Ctrl-C as soon as its messages hold that text.
  Finished operator()(std::vector<std::string> arguments, const std::string& interrupt = "") const {
    const std::string out = scratch / "out", err = scratch / "err";
    write(out, "");
    write(err, "");
    std::fflush(nullptr);  // else the child writes it too
    const pid_t child = ::fork();
    if (child == 0) {
      ::setenv("KHOST_CACHE", (scratch / "cache").c_str(), 1);
      plugin_path.empty() ? ::unsetenv("KHOST_PLUGIN_PATH") : ::setenv("KHOST_PLUGIN_PATH", plugin_path.c_str(), 1);
      if (::chdir(scratch.folder().c_str()) != 0 || !std::freopen(out.c_str(), "w", stdout) ||
          !std::freopen(err.c_str(), "w", stderr))
        ::_exit(99);
      arguments.insert(arguments.begin(), KHOST_BINARY_DIR "/bin/khost");
      std::vector<char*> argv;
      for (std::string& a : arguments) argv.push_back(a.data());
      argv.push_back(nullptr);
      ::execv(argv[0], argv.data());
      ::_exit(98);
    }
    int status = 0;
    if (!interrupt.empty()) {
      while (read(err).find(interrupt) == std::string::npos && ::waitpid(child, &status, WNOHANG) == 0)
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
      ::kill(child, SIGINT);
    }
    ::waitpid(child, &status, 0);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), read(out), read(err)};
  }
  // A small experiment; `more` is put at the end of the manifest's object.
  std::string manifest(const std::string& more = "", const std::string& name = "small.manifest") const {
    const std::string path = scratch / name;
    write(path, R"({
  "khost": 1, "experiment": "small", "seeds": 2, "steps": 5,
  "data": {"plugin": "synthetic", "vocab": 101, "sequence": 15, "batch": 2},
  "model": {"plugin": "gpt", "d_model": 24, "n_layer": 2, "n_head": 3},
  "optimizer": {"plugin": "adam", "lr": 5e-3},
  "adapter": {"rank": 5},
  "bases": {"plain": {"steps": 0}},
  "arms": {"A": {}, "B": {"adapter": {"rank": 7}}},
)" + more + "\n}\n");
    return path;
  }
  std::string plugin_path;  // KHOST_PLUGIN_PATH
  Scratch scratch;
};

inline bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// A khost that runs while the test looks on.
class Started {
 public:
  // `prefix`: what starts it, as {"unshare", "--pid", ...}.
  Started(const Khost& khost, std::vector<std::string> arguments, std::vector<std::string> prefix = {},
          std::map<std::string, std::string> environment = {})
      : err_(khost.scratch / ("err-" + std::to_string(count++))) {
    arguments.insert(arguments.begin(), KHOST_BINARY_DIR "/bin/khost");
    arguments.insert(arguments.begin(), prefix.begin(), prefix.end());
    environment["KHOST_CACHE"] = khost.scratch / "cache";
    write(err_, "");
    pid_ = ::fork();
    if (pid_ != 0) return;
    for (const auto& [name, value] : environment) ::setenv(name.c_str(), value.c_str(), 1);
    if (::chdir(khost.scratch.folder().c_str()) != 0 || !std::freopen("/dev/null", "w", stdout) ||
        !std::freopen(err_.c_str(), "w", stderr))
      ::_exit(99);
    std::vector<char*> argv;
    for (std::string& a : arguments) argv.push_back(a.data());
    argv.push_back(nullptr);
    ::execvp(argv[0], argv.data());
    ::_exit(98);
  }
  ~Started() {
    if (pid_ > 0) signal(SIGKILL), wait();
  }
  Started(const Started&) = delete;

  void signal(int number) const { ::kill(pid_, number); }
  int wait() {
    int status = 0;
    ::waitpid(std::exchange(pid_, 0), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  // Until it has said that; false when it ended without.
  bool until(const std::string& text) {
    while (!has(err(), text)) {
      siginfo_t ended{};
      if (::waitid(P_PID, static_cast<id_t>(pid_), &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid == pid_)
        return has(err(), text);
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return true;
  }
  std::string err() const { return read(err_); }
  pid_t pid() const { return pid_; }

 private:
  static inline int count = 0;
  std::string err_;
  pid_t pid_ = 0;
};

// Every record but wall times: what must be the same twice.
inline std::string records(const Khost& khost, const std::string& folder) {
  return read(khost.scratch / (folder + "/records.csv"));
}

// What probes wrote, by name.
inline std::map<std::string, std::string> artifact_files(const Khost& khost, const std::string& folder) {
  std::map<std::string, std::string> all;
  for (const auto& entry : std::filesystem::directory_iterator(khost.scratch / (folder + "/artifacts")))
    all[entry.path().filename().string()] = read(entry.path());
  return all;
}

}  // namespace khost::test
