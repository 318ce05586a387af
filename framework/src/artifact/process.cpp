#include "artifact/process.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <random>
#include <sstream>
#include <thread>
#include <vector>

namespace khost {
namespace {

constexpr std::chrono::seconds heartbeat{10};

// Never destroyed: its thread runs until the process ends.
struct Process {
  std::mutex mutex;
  std::vector<int> files;
  std::string token;
  bool beats = false;

  Process() {
    std::random_device random;
    for (int i = 0; i < 16; ++i) token += "0123456789abcdef"[random() & 15];
  }
};

Process*& current() {
  static Process* process = [] {
    // A child of fork() has no such thread, and the descriptors that it shares with its parent would keep the parent's locks.
    ::pthread_atfork(nullptr, nullptr, [] {
      for (const int file : current()->files) ::close(file);
      current() = new Process;
    });
    return new Process;
  }();
  return process;
}

void beat(Process* process) {
  for (;;) {
    std::this_thread::sleep_for(heartbeat);
    const std::lock_guard lock(process->mutex);
    for (const int file : process->files) ::futimens(file, nullptr);  // by the file system's own clock
  }
}

std::string first_word_of(const char* path) {
  std::ifstream file(path);
  std::string word;
  file >> word;
  return word;
}

std::string target_of(const char* path) {
  std::error_code error;
  return std::filesystem::read_symlink(path, error).string();
}

struct Stat {
  char state = '?';        // the third word of /proc/PID/stat
  std::int64_t begun = 0;  // the 22nd, in clock ticks since the boot; 0 when it cannot be read
};

// The second word, the name, may hold anything.
Stat stat_of(const std::string& pid) {
  std::ifstream file("/proc/" + pid + "/stat");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const std::size_t name_end = text.rfind(')');
  if (name_end == text.npos) return {};
  std::istringstream words(text.substr(name_end + 1));
  Stat stat;
  std::string word;
  words >> stat.state;
  for (int i = 4; i < 22; ++i) words >> word;
  words >> stat.begun;
  return stat;
}

}  // namespace

ProcessIdentity this_process() {
  char host[256] = "";
  ::gethostname(host, sizeof host - 1);
  return {host, first_word_of("/proc/sys/kernel/random/boot_id"), target_of("/proc/self/ns/pid"), ::getpid(),
          stat_of("self").begun};
}

bool process_lives(const ProcessIdentity& process) {
  if (::kill(static_cast<pid_t>(process.pid), 0) != 0 && errno == ESRCH) return false;
  // A container may see another namespace's /proc.
  if (target_of("/proc/self") != std::to_string(::getpid())) return true;
  const Stat now = stat_of(std::to_string(process.pid));
  if (now.state == 'Z' || now.state == 'X') return false;  // nobody has asked how it ended yet
  return now.begun == 0 || process.begun == 0 || now.begun == process.begun;
}

const void* process_mark() { return current(); }
const std::string& process_token() { return current()->token; }

void keep_touched(int file) {
  Process* process = current();
  const std::lock_guard lock(process->mutex);
  process->files.push_back(file);
  if (process->beats) return;
  process->beats = true;
  // Signals are for the threads that know what to do with them.
  sigset_t all, before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread(beat, process).detach();
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void leave(int file) {
  Process* process = current();
  const std::lock_guard lock(process->mutex);
  std::erase(process->files, file);
}

}  // namespace khost
