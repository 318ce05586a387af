#include "artifact/temporary.hpp"

#include <algorithm>
#include <atomic>
#include <cctype>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <thread>

#include "artifact/file.hpp"
#include "artifact/owner.hpp"
#include "artifact/process.hpp"
#include "khost/error.hpp"

namespace fs = std::filesystem;

namespace khost {
namespace {

constexpr std::string_view mark = ".tmp-";
constexpr std::chrono::hours a_day{24};

// TOKEN of NAME.tmp-TOKEN-COUNT; "" of another name.
std::string_view token_of(std::string_view name) {
  const std::size_t at = name.rfind(mark);
  if (at == name.npos) return "";
  const std::string_view rest = name.substr(at + mark.size());
  const std::size_t dash = rest.find('-');
  if (dash == rest.npos || dash == 0 || dash + 1 == rest.size()) return "";
  const std::string_view token = rest.substr(0, dash), count = rest.substr(dash + 1);
  const bool fits = std::ranges::all_of(token, [](unsigned char c) { return std::isxdigit(c); }) &&
                    std::ranges::all_of(count, [](unsigned char c) { return std::isdigit(c); });
  return fits ? token : "";
}

struct Owned {
  std::mutex mutex;
  const void* process = nullptr;  // whose they are
  std::map<std::string, std::unique_ptr<OwnerFile>> roots;
};
Owned& owned() {
  static auto* all = new Owned;  // other threads may run on while the process exits
  return *all;
}

std::atomic<bool> ending = false;  // see remove_own_temporaries()

std::string owners_of(const std::string& root) { return root + "/owners"; }

// Each folder of the cache holds its own kind of things, that of claims has folders of its own. Others may remove them at the
// same time.
template <class F>
void visit(const std::string& root, F&& f) {
  std::error_code error;
  for (const auto& kind : fs::directory_iterator(root, error)) {
    if (!kind.is_directory(error)) continue;
    if (kind.path().filename() == "claims") {
      visit(kind.path(), f);
      visit(kind.path() / "looks", f);
    }
    for (const auto& entry : fs::directory_iterator(kind.path(), error)) f(entry.path(), entry.path().filename().string());
  }
}

void remove_all_of(const std::string& root, std::string_view token) {
  std::error_code error;
  visit(root, [&](const fs::path& path, const std::string& name) {
    if (token_of(name) == token) fs::remove_all(path, error);
  });
}

// What an older khost was making, in a process that is not known: HASH.tmp, HASH.tmp-PID-COUNT.
bool forgotten(const fs::path& path) {
  const auto age = age_of(path.string());
  return age && *age > a_day;
}

}  // namespace

std::string temporary_name(const std::string& path) {
  static std::atomic<unsigned> counter = 0;
  while (ending) std::this_thread::sleep_for(std::chrono::hours(1));
  return path + std::string(mark) + process_token() + "-" + std::to_string(counter++);
}

bool is_temporary_name(std::string_view file_name) { return !token_of(file_name).empty(); }

void own_temporaries(const std::string& root) {
  const std::lock_guard lock(owned().mutex);
  if (owned().process != process_mark()) {  // the first time, or in a child of fork()
    if (!owned().process)
      std::atexit([] {
        const std::lock_guard guard(owned().mutex);
        owned().roots.clear();
      });
    owned().roots.clear();
    owned().process = process_mark();
  }
  auto& file = owned().roots[root];
  if (file) return;
  std::error_code error;
  fs::create_directories(owners_of(root), error);
  if (error) {
    errno = error.value();
    throw_file_error("make the cache folder", owners_of(root));
  }
  file = OwnerFile::make(owners_of(root) + "/" + process_token());
  if (!file) throw Error(ErrorKind::usage, "'" + owners_of(root) + "/" + process_token() + "' is held by another process");
}

std::vector<Holder> others_at(const std::string& root) {
  std::vector<Holder> others;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(owners_of(root), error)) {
    const std::string token = entry.path().filename().string();
    if (!is_temporary_name(token) && token != process_token() && maker_lives(entry.path().string()))
      others.push_back(holder_of(entry.path().string()));
  }
  return others;
}

void remove_leftovers(const std::string& root) {
  try {
    own_temporaries(root);
  } catch (const Error&) {  // nothing can be removed where nothing can be written
    return;
  }
  std::error_code error;
  std::set<std::string> dead;
  for (const auto& entry : fs::directory_iterator(owners_of(root), error)) {
    const std::string token = entry.path().filename().string();
    if (!is_temporary_name(token) && !maker_lives(entry.path().string())) dead.insert(token);
  }
  visit(root, [&](const fs::path& path, const std::string& name) {
    if (name.ends_with(".lock")) {
      remove_if_dead(path.string());
    } else if (const std::string token(token_of(name)); !token.empty()) {
      // A maker is known before it makes anything, and as long as any of it is there.
      if (dead.contains(token) || (!fs::exists(owners_of(root) + "/" + token, error) && forgotten(path)))
        fs::remove_all(path, error);
    } else if (name.ends_with(".tmp") && forgotten(path)) {
      fs::remove_all(path, error);
    }
  });
  for (const std::string& token : dead) remove_if_dead(owners_of(root) + "/" + token);
}

void remove_own_temporaries() {
  ending = true;
  owned().mutex.lock();  // for good
  // Twice: a thread may have been about to use a name that it was given before.
  for (int i = 0; i < 2; ++i) {
    for (const auto& [root, file] : owned().roots) remove_all_of(root, process_token());
    std::this_thread::sleep_for(std::chrono::milliseconds(i == 0 ? 20 : 0));
  }
  OwnerFile::remove_all();
}

}  // namespace khost
