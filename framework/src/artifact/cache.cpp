#include "artifact/cache.hpp"

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "artifact/file.hpp"
#include "artifact/lock.hpp"
#include "artifact/temporary.hpp"
#include "core/interrupt.hpp"
#include "khost/error.hpp"
#include "khost/hash.hpp"

namespace khost {
namespace fs = std::filesystem;
namespace {

std::string sidecar_of(const std::string& path) { return path + ".json"; }

bool is_file(const std::string& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

void remove_file(const std::string& path) {
  std::error_code ignored;
  fs::remove(path, ignored);
}

// Why the artifact at `path` cannot be used, or "" when its content is what was built.
std::string damage(const std::string& path) {
  try {
    const Json sidecar = parse_json_file(sidecar_of(path));
    const auto bytes = static_cast<std::int64_t>(fs::file_size(path));
    if (sidecar.at("bytes").as_integer() != bytes) {
      return "it has " + std::to_string(bytes) + " bytes, but was built with " + sidecar.at("bytes").text();
    }
    if (sidecar.at("sha256").as_string() != sha256_file(path)) return "its checksum differs from the one it was built with";
    return "";
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::interrupted) throw;  // nothing is known of it then
    return error.what();
  } catch (const std::exception& error) {
    return error.what();
  }
}

void write_sidecar(const std::string& path, std::string_view kind, std::string_view what, const Json& recipe,
                   const std::string& checksum) {
  Json sidecar{Json::Object{}};
  sidecar.set("kind", kind);
  sidecar.set("what", what);
  sidecar.set("khost", KHOST_VERSION);
  sidecar.set("bytes", static_cast<std::int64_t>(fs::file_size(path)));
  sidecar.set("sha256", checksum);
  sidecar.set("recipe", recipe);
  const std::string text = sidecar.pretty() + "\n";
  NewFile file(sidecar_of(path));
  file.write(text.data(), text.size());
  file.keep();
}

void make_folder(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (!error) return;
  errno = error.value();
  throw_file_error("make the cache folder", path);
}

}  // namespace

Cache::Cache(std::string root, Announce announce) : root_(std::move(root)), announce_(std::move(announce)) {}

std::string Cache::default_root() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value ? value : "");
  };
  if (const std::string root = variable("KHOST_CACHE"); !root.empty()) return fs::absolute(root).string();
  // The XDG specification: a relative path there is to be ignored.
  if (const std::string xdg = variable("XDG_CACHE_HOME"); xdg.starts_with('/')) return xdg + "/khost";
  if (const std::string home = variable("HOME"); !home.empty()) return home + "/.cache/khost";
  throw Error(ErrorKind::usage, "no place for the cache: neither KHOST_CACHE nor XDG_CACHE_HOME nor HOME is set")
      .hint("set KHOST_CACHE to a folder");
}

std::string Cache::path(std::string_view kind, const Json& recipe) const {
  return root_ + "/" + std::string(kind) + "/" + sha256(recipe.canonical());
}

bool Cache::has(std::string_view kind, const Json& recipe) const {
  const std::string file = path(kind, recipe);
  return is_file(file) && is_file(sidecar_of(file));
}

bool Cache::is_verified(const std::string& path) {
  const std::lock_guard guard(mutex_);
  return verified_.contains(path);
}

void Cache::set_verified(const std::string& path) {
  const std::lock_guard guard(mutex_);
  verified_.insert(path);
}

void Cache::say(const std::string& text) const {
  if (announce_) announce_(text);
}

void Cache::note(std::string_view text) {
  {
    const std::lock_guard guard(mutex_);
    if (!noted_.emplace(text).second) return;
  }
  say("note: " + std::string(text));
}

std::string Cache::get(std::string_view kind, const Json& recipe, std::string_view what,
                       const std::function<void(const std::string& temporary)>& build) {
  const std::string file = path(kind, recipe);
  // A complete pair of files needs no lock, so that a cache that cannot be written still serves what it has.
  if (has(kind, recipe) && (is_verified(file) || damage(file).empty())) {
    if (!is_verified(file)) mark_used(sidecar_of(file));
    set_verified(file);
    return file;
  }

  make_folder(root_ + "/" + std::string(kind));
  own_temporaries(root_);
  FileLock lock(file + ".lock");
  lock.take([&](const Holder& holder) { say("waiting for " + holder.who + ", which is building " + std::string(what)); });
  if (has(kind, recipe)) {
    const std::string why = damage(file);
    if (why.empty()) {
      set_verified(file);
      return file;
    }
    say("the cached " + std::string(what) + " is damaged (" + why + "): building it again");
  }
  remove_file(sidecar_of(file));
  remove_file(file);

  const std::string temporary = temporary_name(file);
  struct Remove {
    const std::string& path;
    ~Remove() { remove_file(path); }
  } remove{temporary};
  const Activity now("building " + std::string(what));
  say("building " + std::string(what));
  build(temporary);
  if (!is_file(temporary)) throw Error(ErrorKind::plugin, "the builder of " + std::string(what) + " made no file");
  flush_to_disk(temporary);
  const std::string checksum = sha256_file(temporary);
  std::error_code error;
  fs::rename(temporary, file, error);
  if (error) {
    errno = error.value();
    throw_file_error("write", file);
  }
  // The sidecar comes last: an artifact without one is not whole, and is built again.
  write_sidecar(file, kind, what, recipe, checksum);
  flush_to_disk(root_ + "/" + std::string(kind));
  set_verified(file);
  return file;
}

}  // namespace khost
