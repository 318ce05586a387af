#include "artifact/owner.hpp"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "artifact/file.hpp"
#include "artifact/process.hpp"
#include "artifact/temporary.hpp"
#include "khost/error.hpp"
#include "khost/json.hpp"

namespace fs = std::filesystem;

namespace khost {
namespace {

constexpr std::chrono::minutes silence{5};    // of a heart that beats every ten seconds
constexpr std::chrono::seconds nameless{10};  // where a file has its name before it says who made it

enum class Flock { taken, held, refused };

Flock take_flock(int file) {
  while (::flock(file, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return Flock::held;
    if (errno != EINTR) return Flock::refused;
  }
  return Flock::taken;
}

void say_refused(const std::string& path, int cause) {
  static std::atomic<bool> said = false;
  if (said.exchange(true)) return;
  spdlog::warn(
      "the file system of {} has no locks ({}): who uses what is told by process ids and by files touched every ten "
      "seconds instead; what a killed khost of another host leaves is removed after five minutes",
      path, std::strerror(cause));
}

struct Open {
  int file;
  ~Open() { ::close(file); }
};

// Whether `path` still names the file that is open.
bool names(const std::string& path, int file) {
  struct stat of_path {
  }, of_file{};
  return ::stat(path.c_str(), &of_path) == 0 && ::fstat(file, &of_file) == 0 && of_path.st_ino == of_file.st_ino &&
         of_path.st_dev == of_file.st_dev;
}

struct Signed {
  ProcessIdentity maker;
  std::int64_t device = 0;  // the mounted file system: locks of one mount without a server's are unknown to the next
  bool locked = false;      // by its maker: a file server may be out of locks for a while
  std::string note;
};

std::int64_t device_of(int file) {
  struct stat status {};
  return ::fstat(file, &status) == 0 ? static_cast<std::int64_t>(status.st_dev) : -1;
}

std::string signed_text(int file, const std::string& note, bool locked) {
  const ProcessIdentity me = this_process();
  return Json::object({{"host", me.host},
                       {"boot", me.boot},
                       {"namespace", me.pid_namespace},
                       {"pid", me.pid},
                       {"begun", me.begun},
                       {"device", device_of(file)},
                       {"locked", locked},
                       {"note", note}})
             .text() +
         "\n";
}

std::optional<Signed> read_signed(int file) {
  char text[4096];
  const ssize_t size = ::pread(file, text, sizeof text, 0);
  if (size <= 0) return std::nullopt;
  try {
    const Json json = parse_json({text, static_cast<std::size_t>(size)}, "owner");
    return Signed{{json.at("host").as_string(), json.at("boot").as_string(), json.at("namespace").as_string(),
                   json.at("pid").as_integer(), json.at("begun").as_integer()},
                  json.at("device").as_integer(),
                  json.at("locked").as_bool(),
                  json.at("note").as_string()};
  } catch (const Error&) {
    return std::nullopt;
  }
}

bool silent_for(const std::string& path, std::chrono::seconds limit) {
  const auto age = age_of(path);
  return age && *age > limit;
}

// `lock` is what trying to take it gave.
bool is_dead(const std::string& path, int file, Flock lock) {
  if (lock == Flock::held) return false;
  struct stat status {};
  if (::fstat(file, &status) != 0) return false;
  if (status.st_size == 0) return silent_for(path, nameless);
  const auto text = read_signed(file);
  if (!text) return false;  // none of khost's
  const ProcessIdentity me = this_process();
  if (lock == Flock::taken && text->locked && text->maker.same_kernel(me) && text->device == device_of(file)) return true;
  if (text->maker.same_namespace(me)) return !process_lives(text->maker);
  return silent_for(path, silence);
}

// Takes the name away from the file that is open, and from no other.
void unlink_exactly(const std::string& path, int file, bool locked) {
  if (!names(path, file)) return;
  if (locked) {  // who else would remove it needs the lock first
    ::unlink(path.c_str());
    return;
  }
  const std::string aside = temporary_name(path);
  if (::rename(path.c_str(), aside.c_str()) != 0) return;
  if (!names(aside, file)) (void)!::link(aside.c_str(), path.c_str());  // another's, made meanwhile: put back
  ::unlink(aside.c_str());
}

// Between making a file and locking it others may look whether its maker lives, and hold it for a moment.
Flock take_own_flock(int file) {
  Flock lock = take_flock(file);
  for (int i = 0; lock == Flock::held && i < 1000; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    lock = take_flock(file);
  }
  return lock;
}

// A file in the folder of `path` that has no name until it is locked and signed: a maker that is killed before leaves nothing.
// -1 where the file system has none such (NFS).
int open_unnamed(const std::string& path) {
  const std::string folder = fs::path(path).parent_path().string();
  return ::open(folder.empty() ? "." : folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
}

// Closes it and throws when that cannot be written. `lock` is what trying to take it gave, and errno why.
void sign(int file, const std::string& path, const std::string& note, Flock lock) {
  if (lock == Flock::refused) say_refused(path, errno);
  const std::string text = signed_text(file, note, lock == Flock::taken);
  if (::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size())) return;
  const int why = errno;
  ::close(file);
  errno = why;
  throw_file_error("write", path);
}

}  // namespace

std::unique_ptr<OwnerFile> OwnerFile::make(const std::string& path, const std::string& note) {
  if (const int file = open_unnamed(path); file >= 0) {
    sign(file, path, note, take_own_flock(file));
    const std::string open_file = "/proc/self/fd/" + std::to_string(file);
    for (int attempt = 0; attempt < 100; ++attempt) {
      if (::linkat(AT_FDCWD, open_file.c_str(), AT_FDCWD, path.c_str(), AT_SYMLINK_FOLLOW) == 0) {
        keep_touched(file);
        return std::unique_ptr<OwnerFile>(new OwnerFile(path, file));
      }
      if (errno != EEXIST) break;  // no /proc here
      if (!remove_if_dead(path)) {
        ::close(file);
        return nullptr;
      }
    }
    ::close(file);
  }
  for (int attempt = 0; attempt < 100; ++attempt) {
    const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file < 0 && errno != EEXIST) throw_file_error("write", path);
    if (file < 0) {
      if (!remove_if_dead(path)) return nullptr;
      continue;
    }
    const Flock lock = take_own_flock(file);
    const int cause = errno;
    if (!names(path, file)) {  // taken for a dead one's, before it was locked
      ::close(file);
      continue;
    }
    errno = cause;
    try {
      sign(file, path, note, lock);
    } catch (const Error&) {
      ::unlink(path.c_str());
      throw;
    }
    keep_touched(file);
    return std::unique_ptr<OwnerFile>(new OwnerFile(path, file));
  }
  return nullptr;
}

namespace {

struct Held {
  std::mutex mutex;
  std::set<OwnerFile*> files;
};
Held& held() {
  static auto* all = new Held;  // other threads may run on while the process exits
  return *all;
}

}  // namespace

OwnerFile::OwnerFile(std::string path, int file) : path_(std::move(path)), file_(file), process_(process_mark()) {
  const std::lock_guard lock(held().mutex);
  held().files.insert(this);
}

OwnerFile::~OwnerFile() {
  const std::lock_guard lock(held().mutex);
  held().files.erase(this);
  if (process_ != process_mark()) return;
  leave(file_);
  if (names(path_, file_)) ::unlink(path_.c_str());
  ::close(file_);
}

void OwnerFile::remove_all() {
  const std::lock_guard lock(held().mutex);
  for (const OwnerFile* owner : held().files)
    if (owner->process_ == process_mark() && names(owner->path_, owner->file_)) ::unlink(owner->path_.c_str());
}

bool maker_lives(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return true;
  const Open open{file};
  return !is_dead(path, file, take_flock(file));
}

bool remove_if_dead(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return errno == ENOENT;
  const Open open{file};
  const Flock lock = take_flock(file);
  if (!is_dead(path, file, lock)) return false;
  unlink_exactly(path, file, lock == Flock::taken);
  return true;
}

Holder holder_of(const std::string& path) {
  Holder holder;
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return holder;
  const Open open{file};
  if (const auto text = read_signed(file)) {
    holder.who = "process " + std::to_string(text->maker.pid) + " on " + text->maker.host;
    holder.note = text->note;
  }
  return holder;
}

std::optional<std::chrono::seconds> age_of(const std::string& path) {
  struct stat of_path {
  }, now{};
  const std::string fresh = temporary_name(path);
  const int file = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) return std::nullopt;
  const bool known = ::fstat(file, &now) == 0 && ::stat(path.c_str(), &of_path) == 0;
  ::close(file);
  ::unlink(fresh.c_str());
  if (!known) return std::nullopt;
  return std::chrono::seconds(now.st_mtim.tv_sec - of_path.st_mtim.tv_sec);
}

}  // namespace khost
