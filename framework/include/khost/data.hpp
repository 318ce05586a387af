// A data source: token documents split into parts, from which batches of windows are drawn.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "khost/json.hpp"
#include "khost/part.hpp"
#include "khost/random.hpp"

namespace khost {

// The host's cache, as a plugin sees it: files named by the hash of everything that made them. Valid while the Data that it was
// given to is made and as long as that lives. From any thread; two that want the same file wait for each other.
class ArtifactStore {
 public:
  // The path of artifact `kind`/hash(recipe); built once by build(temporary path) and renamed into place, with a lock
  // against a second process. Verified against its checksum when it is opened for the first time in a run. `what` says in
  // progress lines what is being made: "tokenizer of 15007 pieces".
  virtual std::string get(std::string_view kind, const Json& recipe, std::string_view what,
                          const std::function<void(const std::string& temporary)>& build) = 0;
  // The file of a corpus that `./bootstrap corpora` extracted: UTF-8, a document per line. Compared with its checksum once a run.
  // Throws a usage Error that names the package and the command when it is not there or differs, and the corpora there are for an
  // unknown name.
  virtual std::string corpus_file(std::string_view name) = 0;
  // A line for whoever watches: what of the data is not taken as it stands. Each is shown once a run.
  virtual void note(std::string_view text) { static_cast<void>(text); }

 protected:
  ~ArtifactStore() = default;
};

// Valid while the Data is made: what is to last is copied.
struct DataContext {
  ArtifactStore& artifacts;
  // Resolved configurations of every data source of this plugin in the experiment, this one included, sorted and without
  // repeats: what shares a model must share a vocabulary.
  std::vector<Json> siblings;
  std::string manifest_folder;  // relative paths start here
  int threads = 1;
};

// One instance serves all trials and bases that read this source, at once: but for its constructor all is called from several
// threads at a time, and gives the same each time.
class Data {
 public:
  virtual ~Data();
  virtual std::int64_t vocabulary() const = 0;
  // Names everything that decides the tokens (sources' checksums, tokenizer, split), as a short text or hash.
  virtual std::string identity() const = 0;
  virtual std::int64_t tokens(Part part) const = 0;  // how many tokens the part has
  // `count` windows of `length` consecutive tokens of a part, one after the other in `out` [count, length]; where each starts is
  // drawn from `random`, which is the caller's own. Throws a usage Error when the part is shorter than one window.
  virtual void windows(Part part, std::int64_t count, std::int64_t length, Random& random, std::span<std::int32_t> out) const = 0;
};

}  // namespace khost
