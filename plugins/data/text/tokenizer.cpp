#include "tokenizer.hpp"

#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <iterator>
#include <unordered_map>

#include "characters.hpp"
#include "khost/error.hpp"
#include "khost/utf8.hpp"

namespace khost {
namespace {

// What decides the pieces besides text and vocabulary; the recipe has it all. The second special piece ends a document.
const std::unordered_map<std::string, std::string>& options() {
  static const std::unordered_map<std::string, std::string> fixed{{"model_type", "bpe"},
                                                                  {"character_coverage", "1.0"},
                                                                  {"byte_fallback", "false"},
                                                                  {"normalization_rule_name", "nmt_nfkc"},
                                                                  {"max_sentence_length", std::to_string(longest_sentence + 192)},
                                                                  {"input_sentence_size", "0"},
                                                                  {"num_threads", "1"},
                                                                  {"unk_id", "0"},
                                                                  {"eos_id", "1"},
                                                                  {"bos_id", "-1"},
                                                                  {"pad_id", "-1"}};
  return fixed;
}

// All documents of all sources, cut at blanks into pieces that the trainer takes. Pieces never cross a blank anyway, so that a
// cut there changes no count; a run of text without a blank is cut between characters. The reserved character, with which the
// trainer would drop the whole sentence, becomes a blank.
class Sentences : public sentencepiece::SentenceIterator {
 public:
  explicit Sentences(const std::vector<Source>& sources) {
    for (const Source& source : sources) {
      for (std::string& document : read_documents(source).texts) documents_.push_back(without_reserved(std::move(document)));
    }
    Next();
  }
  bool done() const override { return finished_; }
  const std::string& value() const override { return piece_; }
  sentencepiece::util::Status status() const override { return {}; }

  void Next() override {
    if (document_ == documents_.size()) {
      finished_ = true;
      return;
    }
    const std::string& document = documents_[document_];
    std::size_t end = document.size();
    if (end - at_ > longest_sentence) {
      end = document.rfind(' ', at_ + longest_sentence);
      if (end == document.npos || end <= at_) {
        end = at_ + longest_sentence;
        while ((static_cast<unsigned char>(document[end]) & 0xc0) == 0x80) --end;  // not within a character
      }
    }
    piece_ = document.substr(at_, end - at_);
    at_ = end;
    if (at_ == document.size()) {
      ++document_;
      at_ = 0;
    }
  }

 private:
  static std::string without_reserved(std::string document) {
    static const std::string reserved = [] {
      std::string text;
      append_utf8(text, reserved_character);
      return text;
    }();
    for (std::size_t at = document.find(reserved); at != document.npos; at = document.find(reserved, at))
      document.replace(at, reserved.size(), " ");
    return document;
  }

  std::vector<std::string> documents_;
  std::string piece_;
  std::size_t document_ = 0, at_ = 0;
  bool finished_ = false;
};

// The first number after `words` in the trainer's message; -1 when it has none.
std::int64_t number_after(const std::string& message, std::string_view words) {
  const std::size_t found = message.find(words);
  if (found == message.npos) return -1;
  const auto digit = [](unsigned char c) { return std::isdigit(c) != 0; };
  const auto first = std::find_if(message.begin() + static_cast<std::ptrdiff_t>(found + words.size()), message.end(), digit);
  const auto last = std::find_if_not(first, message.end(), digit);
  return first == last || last - first > 18 ? -1 : std::stoll(std::string(first, last));
}

[[noreturn]] void refuse(const std::string& message, std::int64_t vocabulary) {
  const std::string asked = "a vocabulary of " + std::to_string(vocabulary);
  if (const std::int64_t most = number_after(message, "value <="); most >= 0) {
    throw Error(ErrorKind::usage, asked + " is larger than the text supports: it gives " + std::to_string(most) + " pieces")
        .hint("set \"vocab\" to at most " + std::to_string(most) + ", or use more text");
  }
  if (const std::int64_t least = number_after(message, "smaller than required_chars."); least >= 0) {
    const std::int64_t needed = number_after(message, "vs ");
    throw Error(ErrorKind::usage, asked + " is smaller than the number of different characters in the text" +
                                      (needed >= 0 ? ", which with the special pieces is " + std::to_string(needed) : ""))
        .hint("set \"vocab\" to more than that");
  }
  throw Error(ErrorKind::usage, "SentencePiece cannot train " + asked + " pieces: " + message);
}

void train(const std::vector<Source>& sources, std::int64_t vocabulary, const std::string& path) {
  Sentences sentences(sources);
  auto arguments = options();
  arguments["vocab_size"] = std::to_string(vocabulary);
  arguments.emplace("minloglevel", "3");
  sentencepiece::SetRandomGeneratorSeed(1);
  std::string model;
  const auto status = sentencepiece::SentencePieceTrainer::Train(arguments, &sentences, &model);
  if (!status.ok()) refuse(status.ToString(), vocabulary);
  std::ofstream file(path, std::ios::binary);
  file.write(model.data(), static_cast<std::streamsize>(model.size()));
  file.close();
  if (!file) throw Error(ErrorKind::usage, "cannot write the tokenizer to '" + path + "'").hint("is the disk of the cache full?");
}

}  // namespace

Json tokenizer_recipe(const std::vector<Source>& sources, std::int64_t vocabulary) {
  Json settings{Json::Object{}};
  for (const auto& [key, value] : options()) settings.set(key, value);
  Json recipe{Json::Object{}};
  recipe.set("sentencepiece", SENTENCEPIECE_VERSION);
  recipe.set("documents", 2);  // how read_documents() and Sentences cut text
  recipe.set("options", std::move(settings));
  recipe.set("vocab", vocabulary);
  recipe.set("text", identity_of(sources));
  return recipe;
}

struct Tokenizer::Impl {
  sentencepiece::SentencePieceProcessor processor;
};

Tokenizer::Tokenizer(const std::vector<Source>& sources, std::int64_t vocabulary, ArtifactStore& artifacts)
    : impl_(std::make_unique<Impl>()) {
  const std::string path =
      artifacts.get("tokenizer", tokenizer_recipe(sources, vocabulary), "tokenizer of " + std::to_string(vocabulary) + " pieces",
                    [&](const std::string& temporary) { train(sources, vocabulary, temporary); });
  const auto status = impl_->processor.Load(path);
  if (!status.ok()) throw Error(ErrorKind::trial, "SentencePiece cannot read '" + path + "': " + status.ToString());
  if (impl_->processor.GetPieceSize() != vocabulary) {
    throw Error(ErrorKind::trial, "the tokenizer '" + path + "' has " + std::to_string(impl_->processor.GetPieceSize()) +
                                      " pieces, not the " + std::to_string(vocabulary) + " asked for");
  }
}

Tokenizer::~Tokenizer() = default;

std::int32_t Tokenizer::end_of_document() const { return impl_->processor.eos_id(); }

std::vector<std::string> Tokenizer::unknown_parts(std::string_view document) const {
  std::vector<std::string> pieces, unknown;
  if (!impl_->processor.Encode(document, &pieces).ok()) return unknown;
  for (std::string& piece : pieces)
    if (impl_->processor.IsUnknown(impl_->processor.PieceToId(piece))) unknown.push_back(std::move(piece));
  return unknown;
}

std::int32_t Tokenizer::unknown() const { return impl_->processor.unk_id(); }

std::vector<std::int32_t> Tokenizer::encode(std::string_view document) const {
  std::vector<int> ids;
  const auto status = impl_->processor.Encode(document, &ids);
  if (!status.ok()) throw Error(ErrorKind::trial, "SentencePiece cannot encode a document: " + status.ToString());
  return ids;
}

}  // namespace khost
