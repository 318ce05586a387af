// SentencePiece BPE: trained once for what shares a model, kept as an artifact.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "documents.hpp"

namespace khost {

// What decides a tokenizer.
Json tokenizer_recipe(const std::vector<Source>& sources, std::int64_t vocabulary);

class Tokenizer {
 public:
  // From the cache, else trained on all documents of all sources. Throws a usage Error when their text does not give exactly
  // `vocabulary` pieces, with the bound that it missed.
  Tokenizer(const std::vector<Source>& sources, std::int64_t vocabulary, ArtifactStore& artifacts);
  ~Tokenizer();
  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;

  std::int32_t end_of_document() const;
  std::int32_t unknown() const;                                             // the token of what the pieces cannot spell
  std::vector<std::int32_t> encode(std::string_view document) const;        // from any thread
  std::vector<std::string> unknown_parts(std::string_view document) const;  // what of it becomes <unk>

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace khost
