// A lock that one thread of all processes holds, also across containers and hosts that share a folder.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "artifact/owner.hpp"

namespace khost {

// The file `path` stands there while the lock is held: see OwnerFile for what happens when its holder is killed, and where the
// file system refuses locks. Its folder must exist.
class FileLock {
 public:
  explicit FileLock(std::string path, std::string note = "") : path_(std::move(path)), note_(std::move(note)) {}

  // Both throw a usage Error when the folder cannot be written.
  bool try_take();
  // Waits. `waits` is called when another holds it, and again when yet another does: say so, or throw. Throws an interrupted
  // Error.
  void take(const std::function<void(const Holder&)>& waits = {});
  void release() { held_.reset(); }  // as the destructor does

 private:
  std::string path_, note_;
  std::unique_ptr<OwnerFile> held_;
};

}  // namespace khost
