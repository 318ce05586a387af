// khost's cache folder: $KHOST_CACHE, else $XDG_CACHE_HOME/khost, else ~/.cache/khost.
//
//   corpora/<name>.txt, .sha256    a document per line, written by ./bootstrap
//   <kind>/<hash>                  a file, with <hash>.json beside it: recipe, checksum, khost version
//   trials/<hash>/                 a finished trial (see store/)
#pragma once

#include <functional>
#include <mutex>
#include <set>
#include <string>

#include "khost/data.hpp"

namespace khost {

class Cache : public ArtifactStore {
 public:
  using Announce = std::function<void(std::string_view what)>;  // "building tokenizer of 15007 pieces"
  explicit Cache(std::string root, Announce announce = {});
  static std::string default_root();

  const std::string& root() const { return root_; }
  bool has(std::string_view kind, const Json& recipe) const;
  std::string path(std::string_view kind, const Json& recipe) const;  // where it is or would be
  // As ArtifactStore::get. A corrupt artifact (checksum differs) is said, removed and built again.
  std::string get(std::string_view kind, const Json& recipe, std::string_view what,
                  const std::function<void(const std::string& temporary)>& build) override;
  std::string corpus_file(std::string_view name) override;

 private:
  std::string root_;
  Announce announce_;
  std::mutex mutex_;
  std::set<std::string> verified_;
};

}  // namespace khost
