// khost's cache folder: $KHOST_CACHE, else $XDG_CACHE_HOME/khost, else ~/.cache/khost.
//
//   corpora/<name>.txt, <name>.txt.sha256   a document per line, written by ./bootstrap
//   <kind>/<hash>                           an artifact, with <hash>.json beside it: recipe, checksum, size, khost version;
//                                           <hash>.lock stands there while it is built (see lock.hpp), as <hash>.tmp-...
//                                           (the time of the latter says when it was used last)
//   trials/<hash>/                          a finished trial (see store/); the time of its trial.json likewise
//   checkpoints/<hash>                      what is being trained (see engine/checkpoint.hpp)
//   owners/<token>                          a process that makes something here (see temporary.hpp)
#pragma once

#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "khost/data.hpp"

namespace khost {

// May be used from several threads, and by several processes on one folder.
class Cache : public ArtifactStore {
 public:
  // "building tokenizer of 15007 pieces"; called from whichever thread builds.
  using Announce = std::function<void(std::string_view what)>;
  explicit Cache(std::string root, Announce announce = {});
  static std::string default_root();  // throws a usage Error when the environment names none

  const std::string& root() const { return root_; }
  bool has(std::string_view kind, const Json& recipe) const;
  std::string path(std::string_view kind, const Json& recipe) const;  // where it is or would be
  // As ArtifactStore::get. A corrupt artifact (checksum differs) is said, removed and built again. Throws a usage Error when the
  // cache cannot be written; what build() throws goes through, and leaves nothing behind.
  std::string get(std::string_view kind, const Json& recipe, std::string_view what,
                  const std::function<void(const std::string& temporary)>& build) override;
  std::string corpus_file(std::string_view name) override;
  void note(std::string_view text) override;
  static std::vector<std::string> known_corpora();  // those that ./bootstrap extracts

 private:
  bool is_verified(const std::string& path);
  void set_verified(const std::string& path);
  void say(const std::string& text) const;
  std::string corpora_here() const;

  std::string root_;
  Announce announce_;
  std::mutex mutex_;
  std::set<std::string> verified_;  // paths whose checksum has been looked at by this object
  std::set<std::string> noted_;
};

}  // namespace khost
