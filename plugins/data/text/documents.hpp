// Where documents come from: a corpus that bootstrap extracted, or the user's files.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "khost/data.hpp"

namespace khost {

// Corpora hold a document per line. In files a document is a block of lines between blank lines; its lines are joined by spaces.
enum class Form { lines, blocks };

// A file's bytes, read once: what is hashed is what is tokenized, whatever becomes of the file meanwhile.
struct Content {
  std::string bytes;
  std::string checksum;  // sha256 of them
};

struct Source {
  std::string name;  // as the manifest has it, for messages
  std::string path;
  Form form = Form::lines;
  std::shared_ptr<const Content> content;  // shared by all sources of one file that live at a time
};

// Both throw a usage Error when it is not there.
Source corpus_source(const std::string& corpus, ArtifactStore& artifacts);
Source file_source(const std::string& file, const std::string& folder);

// What decides the documents of some sources, whatever their names: checksum and form of each, sorted and without repeats.
Json identity_of(const std::vector<Source>& sources);

struct Documents {
  std::vector<std::string> texts;  // in the file's order; those without a visible character are left out
  std::string note;                // what of the file is not taken as it stands, with counts, in a line; "" when all of it is
};

// Plain or gzip. Throws a usage Error for a file that is not UTF-8 text, is a damaged gzip file or holds no document.
Documents read_documents(const Source& source);

// SentencePiece drops training sentences that are longer than it is told, so that documents are handed to it in pieces of at most
// this many bytes, cut at blanks where there are any.
constexpr std::size_t longest_sentence = 4000;

}  // namespace khost
