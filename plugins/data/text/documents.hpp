// Where documents come from: a corpus that bootstrap extracted, or the user's files.
#pragma once

#include <string>
#include <vector>

#include "khost/data.hpp"

namespace khost {

// Corpora hold a document per line. In files a document is a block of lines between blank lines; its lines are joined by spaces.
enum class Form { lines, blocks };

struct Source {
  std::string name;  // as the manifest has it, for messages
  std::string path;
  Form form = Form::lines;
  std::string checksum;  // sha256 of the file
};

// Both throw a usage Error when it is not there.
Source corpus_source(const std::string& corpus, ArtifactStore& artifacts);
Source file_source(const std::string& file, const std::string& folder);

// What decides the documents of some sources, whatever their names: checksum and form of each, sorted and without repeats.
Json identity_of(const std::vector<Source>& sources);

// In the file's order; empty ones are left out. Plain or gzip. Throws a usage Error for a file that is not UTF-8 text, is a
// damaged gzip file or holds no document.
std::vector<std::string> read_documents(const Source& source);

}  // namespace khost
