// Who owns what in a folder that processes, containers and hosts share.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <thread>

#include "artifact/file.hpp"
#include "artifact/lock.hpp"
#include "artifact/process.hpp"
#include "artifact/temporary.hpp"
#include "core/interrupt.hpp"
#include "khost/error.hpp"
#include "khost/json.hpp"
#include "unit/scratch.hpp"
#include "unit/text_file.hpp"

namespace fs = std::filesystem;
using namespace khost;

namespace {

// A process that does something, says so, and then waits to be killed.
class Other {
 public:
  explicit Other(const std::function<void()>& work, bool own_namespace = false) {
    int ready[2];
    REQUIRE(::pipe(ready) == 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::close(ready[0]);
      if (own_namespace) {
        // The child is process 1 of a namespace of its own; when this one is killed, so is that.
        if (::unshare(CLONE_NEWPID) != 0) ::_exit(77);
        const pid_t first = ::fork();
        if (first != 0) {
          inner_ = first;
          (void)!::write(ready[1], &first, sizeof first);
          ::close(ready[1]);
          for (;;) ::pause();
        }
      }
      try {
        work();
      } catch (...) {
        ::_exit(1);
      }
      const pid_t self = ::getpid();
      (void)!::write(ready[1], &self, sizeof self);
      for (;;) ::pause();
    }
    ::close(ready[1]);
    pid_t said[2] = {0, 0};
    for (int i = 0; i < (own_namespace ? 2 : 1); ++i)
      if (::read(ready[0], &said[i], sizeof(pid_t)) != sizeof(pid_t)) permitted_ = false;
    // In either order: what is process 1 in there has another number here.
    if (own_namespace) inner_ = said[0] == 1 ? said[1] : said[0];
    ::close(ready[0]);
  }
  ~Other() { kill(); }
  bool permitted() const { return permitted_; }
  void kill() {
    if (inner_ > 0) {
      // Over when its files are closed and its locks given back: it is no child of this process, which cannot wait for it.
      const int process = static_cast<int>(::syscall(SYS_pidfd_open, inner_, 0));
      ::kill(inner_, SIGKILL);
      pollfd over{process, POLLIN, 0};
      CHECK(::poll(&over, 1, 60000) == 1);
      ::close(process);
    }
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
    inner_ = pid_ = 0;
  }

 private:
  pid_t pid_ = 0, inner_ = 0;
  bool permitted_ = true;
};

// What a maker that is none of this kernel's wrote, so many seconds ago.
void write_foreign(const std::string& path, int seconds_ago, bool locked = true) {
  write_text(path, Json::object({{"host", "elsewhere"},
                                 {"boot", "another boot"},
                                 {"namespace", "pid:[1]"},
                                 {"pid", 1},
                                 {"begun", 1},
                                 {"device", 1},
                                 {"locked", locked},
                                 {"note", "run 1"}})
                       .text());
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const timespec then{std::chrono::duration_cast<std::chrono::seconds>(now).count() - seconds_ago, 0};
  const timespec both[2] = {then, then};
  REQUIRE(::utimensat(AT_FDCWD, path.c_str(), both, 0) == 0);
}

int temporaries(const std::string& root) {
  int count = 0;
  for (const auto& entry : fs::recursive_directory_iterator(root)) count += is_temporary_name(entry.path().filename().string());
  return count;
}

}  // namespace

TEST_SUITE_BEGIN("processes");  // tests/CMakeLists.txt runs them apart

TEST_CASE("owner file: its maker lives, others do not get it, and it goes with it") {
  const Scratch scratch;
  const std::string path = scratch / "owner";
  auto mine = OwnerFile::make(path, "run 7");
  REQUIRE(mine);
  CHECK(maker_lives(path));
  CHECK_FALSE(remove_if_dead(path));
  CHECK_FALSE(OwnerFile::make(path));
  CHECK(holder_of(path).note == "run 7");
  CHECK(holder_of(path).who.starts_with("process " + std::to_string(::getpid()) + " on "));
  mine.reset();
  CHECK_FALSE(fs::exists(path));
  CHECK(remove_if_dead(path));
  CHECK_THROWS_WITH_AS(OwnerFile::make(scratch / "none/owner"), doctest::Contains("none/owner': No such file"), Error);
}

TEST_CASE("owner file: a killed maker is dead at once, whether or not its process id is taken") {
  const Scratch scratch;
  const std::string path = scratch / "owner";
  std::unique_ptr<OwnerFile> held;
  for (const bool own_namespace : {false, true}) {
    CAPTURE(own_namespace);
    Other other([&] { held = OwnerFile::make(path); }, own_namespace);
    if (!other.permitted()) {
      MESSAGE("a pid namespace of its own is not permitted here: left out");
      continue;
    }
    // In a namespace of its own it is process 1, which here is another and always lives.
    CHECK(parse_json_file(path).at("pid").as_integer() == (own_namespace ? 1 : parse_json_file(path).at("pid").as_integer()));
    CHECK((parse_json_file(path).at("namespace").as_string() == this_process().pid_namespace) == !own_namespace);
    CHECK(maker_lives(path));
    CHECK_FALSE(OwnerFile::make(path));
    other.kill();
    CHECK_FALSE(maker_lives(path));
    const auto next = OwnerFile::make(path);
    CHECK(next);
    CHECK(maker_lives(path));
  }
}

TEST_CASE("a process that has ended is dead, though nobody has asked how it ended") {
  const pid_t child = ::fork();
  if (child == 0) ::pause(), ::_exit(0);
  ProcessIdentity identity = this_process();
  identity.pid = child, identity.begun = 0;
  CHECK(process_lives(identity));
  ::kill(child, SIGKILL);
  siginfo_t ended{};
  REQUIRE(::waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOWAIT) == 0);
  CHECK_FALSE(process_lives(identity));
  ::waitpid(child, nullptr, 0);
}

TEST_CASE("owner file: it has no name before it says who made it, so a maker that is killed while it makes one is dead at once") {
  const Scratch scratch;
  if (const int unnamed = ::open(scratch.folder().c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0666); unnamed >= 0) {
    ::close(unnamed);
  } else {
    MESSAGE("the file system has no unnamed files: left out");
    return;
  }
  for (int i = 0; i < 100; ++i) {
    const pid_t maker = ::fork();
    if (maker == 0)
      for (int count = 0;; ++count) (void)OwnerFile::make(scratch / ("owner" + std::to_string(count))).release();
    std::this_thread::sleep_for(std::chrono::microseconds(1000 + 37 * i));
    ::kill(maker, SIGKILL);
    ::waitpid(maker, nullptr, 0);
    for (const auto& entry : fs::directory_iterator(scratch.folder())) {
      CHECK(fs::file_size(entry) > 0);
      CHECK(remove_if_dead(entry.path().string()));
    }
  }
}

TEST_CASE("owner file: a maker on another host is dead when it was not heard of for five minutes, whatever the lock says") {
  const Scratch scratch;
  const std::string path = scratch / "owner";
  for (const bool locked : {true, false}) {
    write_foreign(path, 200, locked);
    CHECK(maker_lives(path));
    CHECK_FALSE(OwnerFile::make(path));
    write_foreign(path, 400, locked);
    CHECK_FALSE(maker_lives(path));
    CHECK(OwnerFile::make(path));
  }
  // A lock that is held proves life, as when a host was suspended.
  write_foreign(path, 400);
  const int file = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  REQUIRE(::flock(file, LOCK_EX) == 0);
  CHECK(maker_lives(path));
  ::close(file);
}

TEST_CASE("owner file: where locks were refused, a process is known by its number and when it began") {
  const Scratch scratch;
  const std::string path = scratch / "owner";
  const ProcessIdentity me = this_process();
  const auto write = [&](std::int64_t pid, std::int64_t begun) {
    write_text(path, Json::object({{"host", me.host},
                                   {"boot", me.boot},
                                   {"namespace", me.pid_namespace},
                                   {"pid", pid},
                                   {"begun", begun},
                                   {"device", 1},
                                   {"locked", false},
                                   {"note", ""}})
                         .text());
  };
  write(me.pid, me.begun);
  CHECK(maker_lives(path));
  write(me.pid, me.begun - 1);  // the number was given to another process since
  CHECK_FALSE(maker_lives(path));
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  ::waitpid(child, nullptr, 0);
  write(child, me.begun);
  CHECK_FALSE(maker_lives(path));
  // Nobody signed it: it may just have been made.
  write_text(path, "");
  CHECK(maker_lives(path));
  fs::last_write_time(path, fs::file_time_type::clock::now() - std::chrono::minutes(1));
  CHECK_FALSE(maker_lives(path));
  write_text(path, "somebody's notes");
  fs::last_write_time(path, fs::file_time_type::clock::now() - std::chrono::hours(100));
  CHECK(maker_lives(path));
}

TEST_CASE("lock: threads and processes take it in turn") {
  const Scratch scratch;
  const std::string path = scratch / "lock", log = scratch / "log";
  write_text(log, "0");
  const auto add = [&] {  // what is lost where two read before either writes
    for (int i = 0; i < 20; ++i) {
      FileLock lock(path);
      lock.take();
      const int value = std::stoi(content_of(log));
      std::this_thread::yield();
      write_text(log, std::to_string(value + 1));
    }
  };
  std::vector<pid_t> children;
  for (int i = 0; i < 3; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      try {
        add();
      } catch (...) {
        ::_exit(1);
      }
      ::_exit(0);
    }
    children.push_back(child);
  }
  std::thread a(add), b(add);
  a.join();
  b.join();
  for (const pid_t child : children) {
    int status = -1;
    ::waitpid(child, &status, 0);
    CHECK(status == 0);
  }
  CHECK(content_of(log) == "100");
  CHECK_FALSE(fs::exists(path));
}

TEST_CASE("lock: who waits hears who holds it, and answers an interrupt") {
  const Scratch scratch;
  FileLock held(scratch / "lock", "run 7");
  REQUIRE(held.try_take());
  std::string said;
  std::thread waiter([&] {
    FileLock lock(scratch / "lock");
    try {
      lock.take([&](const Holder& holder) {
        said = holder.who + ", " + holder.note;
        request_interrupt();
      });
      said += " taken";
    } catch (const Error& e) {
      said += e.kind() == ErrorKind::interrupted ? ", interrupted" : e.what();
    }
  });
  waiter.join();
  clear_interrupt();
  CHECK(said == holder_of(scratch / "lock").who + ", run 7, interrupted");
}

TEST_CASE("activities: the newest is told, before it what must be finished") {
  CHECK_FALSE(Activity::current());
  const Activity outer("building a");
  {
    const Activity first("writing r", Activity::Kind::finished);
    const Activity inner("copying b");
    CHECK(Activity::current()->what == "writing r");
    CHECK(Activity::current()->kind == Activity::Kind::finished);
  }
  CHECK(Activity::current()->what == "building a");
  CHECK(Activity::current()->kind == Activity::Kind::dropped);
}

TEST_CASE("what must be finished first hears of no interrupt until it is") {
  request_interrupt();
  {
    const Activity writing("writing r", Activity::Kind::finished);
    const Activity inner("copying b");
    CHECK_NOTHROW(check_interrupt());
    CHECK(interrupted());
  }
  const Activity dropped("building a");
  CHECK_THROWS_AS(check_interrupt(), Error);
  clear_interrupt();
  CHECK_NOTHROW(check_interrupt());
}

TEST_CASE("leftovers: of killed processes they go, of living ones they stay, in whatever namespace those run") {
  const Scratch scratch;
  const std::string cache = scratch / "cache";
  for (const char* kind : {"base", "trials"}) fs::create_directories(cache + "/" + kind);
  const auto work = [&] {
    own_temporaries(cache);
    const std::string base = temporary_name(cache + "/base/HASH");
    write_text(base, "half");
    write_text(temporary_name(base), "half of a half");  // written by way of a NewFile
    write_text(temporary_name(cache + "/base/HASH.json"), "{");
    const std::string trial = temporary_name(cache + "/trials/HASH");
    fs::create_directories(trial + "/deep");
    (new FileLock(cache + "/base/HASH.lock"))->take();
  };
  for (const bool own_namespace : {false, true}) {
    CAPTURE(own_namespace);
    Other other(work, own_namespace);
    if (!other.permitted()) {
      MESSAGE("a pid namespace of its own is not permitted here: left out");
      continue;
    }
    remove_leftovers(cache);
    CHECK(temporaries(cache) == 4);
    CHECK(fs::exists(cache + "/base/HASH.lock"));
    other.kill();
    write_text(temporary_name(cache + "/trials/mine"), "");
    write_text(cache + "/trials/HASH.tmp-notes", "");
    remove_leftovers(cache);
    CHECK(temporaries(cache) == 1);
    CHECK_FALSE(fs::exists(cache + "/base/HASH.lock"));
    CHECK(fs::exists(cache + "/trials/HASH.tmp-notes"));
    fs::remove_all(cache + "/trials");
    fs::create_directories(cache + "/trials");
    CHECK(std::distance(fs::directory_iterator(cache + "/owners"), {}) == 1);  // this process
  }
}

TEST_CASE("leftovers: what no owner file tells of stays a day") {
  const Scratch scratch;
  const auto make = [&](const std::string& name, int hours_ago) {
    const std::string path = scratch / "cache/base/" + name;
    fs::create_directories(fs::path(path).parent_path());
    write_text(path, "");
    fs::last_write_time(path, fs::file_time_type::clock::now() - std::chrono::hours(hours_ago));
    return path;
  };
  const std::string young = make("HASH.tmp-4711-0", 1), old = make("HASH.tmp.tmp-4711-0", 30), older = make("HASH.tmp", 30);
  remove_leftovers(scratch / "cache");
  CHECK(fs::exists(young));
  CHECK_FALSE(fs::exists(old));
  CHECK_FALSE(fs::exists(older));
}

TEST_CASE("a forked child has names of its own, and leaves its parent's files alone") {
  const Scratch scratch;
  const auto mine = OwnerFile::make(scratch / "owner");
  own_temporaries(scratch / "cache");
  const std::string token = process_token();
  const pid_t child = ::fork();
  if (child == 0) {
    bool right = process_token() != token && !OwnerFile::make(scratch / "owner");
    own_temporaries(scratch / "cache");
    right = right && fs::exists(scratch / "cache/owners/" + process_token());
    const_cast<std::unique_ptr<OwnerFile>&>(mine).reset();
    ::_exit(right ? 0 : 1);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  CHECK(status == 0);
  CHECK(fs::exists(scratch / "owner"));
  CHECK(maker_lives(scratch / "owner"));
  CHECK(fs::exists(scratch / "cache/owners/" + token));
}

TEST_SUITE_END();
