#include "documents.hpp"

#include <zlib.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <utility>

#include "khost/error.hpp"
#include "khost/hash.hpp"

namespace khost {
namespace fs = std::filesystem;
namespace {

Error source_error(const Source& source, const std::string& why) {
  return Error(ErrorKind::usage, "text file '" + source.path + "': " + why);
}

// zlib reads plain files as they are.
std::string read_all(const Source& source) {
  const std::unique_ptr<gzFile_s, decltype(&gzclose_r)> file(gzopen(source.path.c_str(), "rb"), &gzclose_r);
  if (!file) throw source_error(source, "cannot be opened");
  gzbuffer(file.get(), 1 << 18);
  std::string text;
  std::vector<char> buffer(1 << 20);
  for (;;) {
    const int got = gzread(file.get(), buffer.data(), static_cast<unsigned>(buffer.size()));
    if (got > 0) text.append(buffer.data(), static_cast<std::size_t>(got));
    int code = Z_OK;
    const char* message = gzerror(file.get(), &code);
    if (got < 0 || code == Z_BUF_ERROR) throw source_error(source, "is not whole: " + std::string(message));
    if (got == 0) return text;
  }
}

// The length of the UTF-8 sequence that begins `text`; 0 when it is none (RFC 3629: no overlong forms, no surrogates).
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const auto between = [&](std::size_t i, unsigned low, unsigned high) { return byte(i) >= low && byte(i) <= high; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return between(1, 0x80, 0xbf) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    return between(1, first == 0xe0 ? 0xa0 : 0x80, first == 0xed ? 0x9f : 0xbf) && between(2, 0x80, 0xbf) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    return between(1, first == 0xf0 ? 0x90 : 0x80, first == 0xf4 ? 0x8f : 0xbf) && between(2, 0x80, 0xbf) &&
                   between(3, 0x80, 0xbf)
               ? 4
               : 0;
  }
  return 0;
}

void check_text(const Source& source, std::string_view text) {
  std::size_t line = 1;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = utf8_length(text.substr(i));
    if (length == 0 || text[i] == '\0') {
      throw source_error(source,
                         "line " + std::to_string(line) + (length ? " holds a NUL byte: it is not text" : " is not UTF-8"))
          .hint("convert it first: iconv -f latin1 -t utf-8");
    }
    if (text[i] == '\n') ++line;
    i += length;
  }
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view blank = " \t\r\v\f";
  const std::size_t first = text.find_first_not_of(blank);
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(blank) - first + 1);
}

}  // namespace

Source corpus_source(const std::string& corpus, ArtifactStore& artifacts) {
  Source source{"corpus '" + corpus + "'", artifacts.corpus_file(corpus), Form::lines, ""};
  source.checksum = sha256_file(source.path);
  return source;
}

Source file_source(const std::string& file, const std::string& folder) {
  Source source{"'" + file + "'", (fs::path(folder) / file).lexically_normal().string(), Form::blocks, ""};
  if (!fs::is_regular_file(source.path)) {
    throw source_error(source, fs::exists(source.path) ? "is not a file" : "there is no such file")
        .hint("paths are relative to the manifest");
  }
  source.checksum = sha256_file(source.path);
  return source;
}

Json identity_of(const std::vector<Source>& sources) {
  std::vector<std::string> parts;
  for (const Source& s : sources) parts.push_back((s.form == Form::lines ? "lines " : "blocks ") + s.checksum);
  std::sort(parts.begin(), parts.end());
  parts.erase(std::unique(parts.begin(), parts.end()), parts.end());
  return Json::List(parts.begin(), parts.end());
}

std::vector<std::string> read_documents(const Source& source) {
  const std::string text = read_all(source);
  check_text(source, text);
  std::string_view rest = text;
  if (rest.starts_with("\xef\xbb\xbf")) rest.remove_prefix(3);  // a byte order mark
  std::vector<std::string> documents;
  std::string block;
  const auto end_document = [&] {
    if (!block.empty()) documents.push_back(std::exchange(block, {}));
  };
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = trim(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.empty() || source.form == Form::lines) end_document();
    if (line.empty()) continue;
    if (!block.empty()) block += ' ';
    block += line;
  }
  end_document();
  if (documents.empty()) throw source_error(source, "holds no text");
  return documents;
}

}  // namespace khost
