// Real text in SentencePiece tokens, in three parts that share no document.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "documents.hpp"
#include "khost/data.hpp"
#include "khost/error.hpp"
#include "khost/safetensors.hpp"

namespace khost {

// Every document ends with the piece </s>; a part is its documents one after the other. Which part a document is in is decided by
// the hash of its text alone: it is in that part wherever it occurs, in this source or another, and so is an exact copy.
class Text : public Data {
 public:
  struct Config {
    std::optional<std::string> corpus;
    std::vector<std::string> files;
    std::int64_t vocab = 0;
    std::vector<std::string> tokenizer;
    double held_out = 0.05;
    double calibration = 0.05;

    static void fields(auto& f) {
      f("corpus", &Config::corpus)
          .by_content()
          .doc("a corpus that ./bootstrap corpora extracted, a document per line; this or \"files\"");
      f("files", &Config::files)
          .by_content()
          .doc("UTF-8 text files, plain or gzip, relative to the manifest; blank lines separate documents; this or \"corpus\"");
      f("vocab", &Config::vocab).required().range(1, 1 << 24).doc("pieces of the SentencePiece BPE tokenizer, exactly");
      f("tokenizer", &Config::tokenizer)
          .by_content()
          .doc(
              "corpora and files that the tokenizer is trained on (a name with '.' or '/' is a file); "
              "empty: the text of all data of this experiment");
      f("held_out", &Config::held_out).range(0, 1).doc("fraction of the documents that is never trained on");
      f("calibration", &Config::calibration).range(0, 1).doc("fraction of the documents on which bases look for their target");
    }
  };

  Text(const Config& config, DataContext& context);

  std::int64_t vocabulary() const override { return vocabulary_; }
  std::string identity() const override { return identity_; }
  std::int64_t tokens(Part part) const override;
  void windows(Part part, std::int64_t count, std::int64_t length, Random& random, std::span<std::int32_t> out) const override;

 private:
  std::int64_t vocabulary_;
  std::string name_;  // of the source, for messages
  std::string identity_;
  // Tokens are made when they are first asked for: a plan needs only their identity. Until then the text is held.
  const SafetensorsFile& file() const;
  mutable std::function<std::unique_ptr<SafetensorsFile>()> make_file_;
  mutable std::mutex mutex_;  // of the three
  mutable std::optional<Error> failed_;
  mutable std::unique_ptr<SafetensorsFile> file_;
};

}  // namespace khost
