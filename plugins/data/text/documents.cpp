#include "documents.hpp"

#include <sys/stat.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <tuple>
#include <utility>

#include "characters.hpp"
#include "khost/error.hpp"
#include "khost/hash.hpp"
#include "khost/utf8.hpp"

namespace khost {
namespace fs = std::filesystem;
namespace {

Error source_error(const Source& source, const std::string& why) {
  return Error(ErrorKind::usage, "text file '" + source.path + "': " + why);
}

// ---- bytes ----

std::string bytes_of(const Source& source) {
  std::ifstream file(source.path, std::ios::binary);
  if (!file) throw source_error(source, std::string("cannot be opened: ") + std::strerror(errno));
  std::string bytes;
  std::vector<char> buffer(1 << 20);
  while (file.read(buffer.data(), static_cast<std::streamsize>(buffer.size())) || file.gcount() > 0)
    bytes.append(buffer.data(), static_cast<std::size_t>(file.gcount()));
  if (file.bad()) throw source_error(source, std::string("cannot be read: ") + std::strerror(errno));
  return bytes;
}

// Many data sources of an experiment name one file, for its tokens and for the tokenizer. They get one reading of it, unless the
// file system says that it is another file by now.
std::shared_ptr<const Content> content_of(const Source& source) {
  using Key = std::tuple<std::string, ino_t, off_t, time_t, long>;
  static std::mutex mutex;
  static std::map<Key, std::weak_ptr<const Content>>& held = *new std::map<Key, std::weak_ptr<const Content>>;  // never destroyed
  struct stat status {};
  if (::stat(source.path.c_str(), &status) != 0) throw source_error(source, std::strerror(errno));
  const Key key{source.path, status.st_ino, status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec};
  const std::lock_guard lock(mutex);
  if (const auto found = held.find(key); found != held.end())
    if (auto content = found->second.lock()) return content;
  auto content = std::make_shared<Content>();
  content->bytes = bytes_of(source);
  content->checksum = sha256(content->bytes);
  held[key] = content;
  return content;
}

bool is_gzip(std::string_view bytes) { return bytes.starts_with("\x1f\x8b"); }

// All members of a gzip file; zeros behind them are padding.
std::string unpacked(const Source& source) {
  std::string_view rest = source.content->bytes;
  if (!is_gzip(rest)) return std::string(rest);
  std::string text;
  std::vector<char> buffer(1 << 18);
  while (is_gzip(rest)) {
    z_stream stream{};
    if (inflateInit2(&stream, 15 + 16) != Z_OK) throw source_error(source, "cannot be unpacked: zlib does not start");
    const std::unique_ptr<z_stream, decltype(&inflateEnd)> ended(&stream, &inflateEnd);
    int code = Z_OK;
    while (code != Z_STREAM_END) {
      if (stream.avail_in == 0) {  // zlib counts in 32 bits
        if (rest.empty()) throw source_error(source, "is not whole: its gzip data ends too early");
        const std::size_t given = std::min<std::size_t>(rest.size(), 1 << 30);
        stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(rest.data()));
        stream.avail_in = static_cast<uInt>(given);
        rest.remove_prefix(given);
      }
      stream.next_out = reinterpret_cast<Bytef*>(buffer.data());
      stream.avail_out = static_cast<uInt>(buffer.size());
      code = inflate(&stream, Z_NO_FLUSH);
      text.append(buffer.data(), buffer.size() - stream.avail_out);
      if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR)
        throw source_error(source, std::string("is not whole: ") + (stream.msg ? stream.msg : "its gzip data is damaged"));
    }
    rest = {rest.data() - stream.avail_in, rest.size() + stream.avail_in};
  }
  if (rest.find_first_not_of('\0') != rest.npos) throw source_error(source, "is not whole: something else follows its gzip data");
  return text;
}

// ---- text ----

std::string counted(std::size_t count, const std::string& one, const std::string& many) {
  return std::to_string(count) + " " + (count == 1 ? one : many);
}

std::string name_of(char32_t code) {
  std::string digits;
  for (int i = code > 0xffff ? 20 : 12; i >= 0; i -= 4) digits += "0123456789ABCDEF"[code >> i & 15];
  digits.erase(0, code > 0xffff ? digits.find_first_not_of('0') : 0);
  return "U+" + digits;
}

// Lines, in which something is wrong, as they are met.
struct Lines {
  std::size_t first = 0, count = 0, last = 0;
  void add(std::size_t line) {
    if (line == last) return;
    if (count++ == 0) first = line;
    last = line;
  }
  // "line 3 is", "line 3 and 4 more are"
  std::string text(const char* one, const char* many) const {
    return "line " + std::to_string(first) + (count == 1 ? "" : " and " + std::to_string(count - 1) + " more") + " " +
           (count == 1 ? one : many);
  }
};

// What of a file is not taken as it stands.
struct Findings {
  bool byte_order_mark = false;
  std::size_t returns = 0, lone_returns = 0, cut_runs = 0, left_out = 0;
  Lines reserved;
  std::map<char32_t, std::size_t> lost;

  std::string text() const {
    std::vector<std::string> parts;
    if (byte_order_mark) parts.push_back("a byte order mark is passed over");
    if (returns) parts.push_back(counted(returns, "line ends", "lines end") + " in CR LF, read as LF");
    if (lone_returns) parts.push_back(counted(lone_returns, "CR without LF is", "CRs without LF are") + " read as blanks");
    if (reserved.count)
      parts.push_back(counted(reserved.count, "line holds ", "lines hold ") + name_of(reserved_character) +
                      ", which SentencePiece keeps for itself: it becomes <unk>");
    if (!lost.empty()) {
      std::size_t all = 0;
      std::string names;
      for (const auto& [code, count] : lost) {
        all += count;
        names += (names.empty() ? "" : ", ") + name_of(code) + " " + std::to_string(count);
      }
      parts.push_back(counted(all, "character is", "characters are") + " read as a blank or not at all (" + names + ")");
    }
    if (cut_runs)
      parts.push_back(counted(cut_runs, "run", "runs") + " of more than " + std::to_string(longest_sentence) +
                      " bytes without a blank " + (cut_runs == 1 ? "is" : "are") + " cut, for the tokenizer's training alone");
    if (left_out) parts.push_back(counted(left_out, "document", "documents") + " of only invisible characters left out");
    std::string joined;
    for (const std::string& part : parts) joined += (joined.empty() ? "" : "; ") + part;
    return joined;
  }
};

void look_through(const Source& source, std::string_view text, Findings& found) {
  if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff"))
    throw source_error(source, "is UTF-16, not UTF-8").hint("convert it first: iconv -f utf-16 -t utf-8");
  Lines wrong, zero;
  std::size_t line = 1;
  for (std::size_t i = 0; i < text.size();) {
    const Character c = first_character(text.substr(i));
    if (c.bytes == 0)
      wrong.add(line);
    else if (c.code == 0)
      zero.add(line);
    else if (c.code == reserved_character)
      found.reserved.add(line);
    else if (c.code == '\n')
      ++line;
    else if (c.code == '\r')
      ++(i + 1 < text.size() && text[i + 1] == '\n' ? found.returns : found.lone_returns);
    else if (is_lost(c.code))
      ++found.lost[c.code];
    i += std::max<std::size_t>(c.bytes, 1);
  }
  if (wrong.count)
    throw source_error(source, wrong.text("is", "are") + " not UTF-8").hint("convert it first: iconv -f latin1 -t utf-8");
  if (zero.count)
    throw source_error(source, zero.text("holds a NUL byte", "hold NUL bytes") + ": it is not text")
        .hint("without them it may be: tr -d '\\000'");
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view blank = " \t\r\v\f";
  const std::size_t first = text.find_first_not_of(blank);
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(blank) - first + 1);
}

bool is_visible(std::string_view text) {
  while (!text.empty()) {
    const Character c = first_character(text);
    if (!is_invisible(c.code)) return true;
    text.remove_prefix(c.bytes);
  }
  return false;
}

std::size_t runs_to_cut(std::string_view document) {
  std::size_t runs = 0;
  while (document.size() > longest_sentence) {
    const std::size_t end = std::min(document.find(' '), document.size());
    runs += end > longest_sentence;
    document.remove_prefix(std::min(end + 1, document.size()));
  }
  return runs;
}

}  // namespace

Source corpus_source(const std::string& corpus, ArtifactStore& artifacts) {
  Source source{"corpus '" + corpus + "'", artifacts.corpus_file(corpus), Form::lines, nullptr};
  source.content = content_of(source);
  return source;
}

Source file_source(const std::string& file, const std::string& folder) {
  Source source{"'" + file + "'", (fs::path(folder) / file).lexically_normal().string(), Form::blocks, nullptr};
  if (!fs::is_regular_file(source.path)) {
    throw source_error(source, fs::exists(source.path) ? "is not a file" : "there is no such file")
        .hint("paths are relative to the manifest");
  }
  source.content = content_of(source);
  return source;
}

Json identity_of(const std::vector<Source>& sources) {
  std::vector<std::string> parts;
  for (const Source& s : sources) parts.push_back((s.form == Form::lines ? "lines " : "blocks ") + s.content->checksum);
  std::sort(parts.begin(), parts.end());
  parts.erase(std::unique(parts.begin(), parts.end()), parts.end());
  return Json::List(parts.begin(), parts.end());
}

Documents read_documents(const Source& source) {
  const std::string text = unpacked(source);
  std::string_view rest = text;
  Findings found;
  found.byte_order_mark = rest.starts_with("\xef\xbb\xbf");
  if (found.byte_order_mark) rest.remove_prefix(3);
  look_through(source, rest, found);
  Documents documents;
  std::string block;
  const auto end_document = [&] {
    if (block.empty()) return;
    found.cut_runs += runs_to_cut(block);
    if (is_visible(block))
      documents.texts.push_back(std::move(block));
    else
      ++found.left_out;
    block.clear();
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
  if (documents.texts.empty())
    throw source_error(source, found.left_out ? "holds no text, only invisible characters" : "holds no text");
  documents.note = found.text();
  return documents;
}

}  // namespace khost
