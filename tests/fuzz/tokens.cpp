// Any bytes as a text, plain or gzip, into documents and tokens. The first byte: a document a line or blocks of lines.
#include <filesystem>

#include "artifact/cache.hpp"
#include "characters.hpp"
#include "documents.hpp"
#include "fuzz.hpp"
#include "khost/hash.hpp"
#include "khost/utf8.hpp"
#include "tokenizer.hpp"
#include "unit/scratch.hpp"

using namespace khost;
using namespace khost::fuzz;

namespace {

constexpr std::int64_t vocabulary = 150;

const Tokenizer& tokenizer() {
  static const Scratch scratch;
  static Cache cache(scratch.folder());
  static const Tokenizer one({file_source("village.txt", KHOST_SOURCE_DIR "/tests/data")}, vocabulary, cache);
  return one;
}

void hold_document(const std::string& document) {
  hold(!document.empty() && document.find('\n') == document.npos && document.find('\0') == document.npos,
       "a document is one line", document);
  hold(document.front() != ' ' && document.back() != ' ', "a document has no blanks around it", document);
  bool visible = false;
  for (std::string_view rest = document; !rest.empty();) {
    const Character c = first_character(rest);
    hold(c.bytes > 0, "a document is UTF-8", document);
    visible = visible || !is_invisible(c.code);
    rest.remove_prefix(c.bytes);
  }
  hold(visible, "a document has a visible character", document);
  const std::vector<std::int32_t> ids = tokenizer().encode(document);
  hold(!ids.empty(), "a document has tokens", document);
  bool unknown = false;
  for (const std::int32_t id : ids) {
    hold(id >= 0 && id < vocabulary && id != tokenizer().end_of_document(), "a token is in the vocabulary, and no end", document);
    unknown = unknown || id == tokenizer().unknown();
  }
  hold(tokenizer().unknown_parts(document).empty() != unknown, "what is unknown can be named", document);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  auto content = std::make_shared<Content>();
  content->bytes = text_of(data + 1, size - 1);
  content->checksum = sha256(content->bytes);
  const Source source{"'t'", "t", data[0] % 2 ? Form::lines : Form::blocks, content};
  try {
    const Documents documents = read_documents(source);
    hold(!documents.texts.empty(), "a text that is read has a document");
    hold_printable(documents.note);
    for (const std::string& document : documents.texts) hold_document(document);
  } catch (const Error& e) {
    hold_message(e, false);
    hold(e.kind() == ErrorKind::usage && e.message().starts_with("text file 't': "), "a wrong text is a usage error", e.what());
  }
  return 0;
}
