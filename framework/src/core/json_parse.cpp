// JSON text to Json values with places. Boost.JSON is the grammar; it says nothing of positions, so it is fed one byte
// at a time: whatever event or error a byte brings belongs to that byte, or to the token that it ends. Comments are fed as
// blanks: Boost 1.81 does not find its way back into a comment that the text begins with.
#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/src.hpp>
#include <cctype>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <unordered_set>
#include <utility>

#include "core/shown.hpp"

#include "khost/json.hpp"
#include "khost/utf8.hpp"

namespace khost {
namespace {

namespace bj = boost::json;

constexpr std::size_t max_depth = 64;

enum class Expect { value, value_or_close, key, key_or_close, colon, comma, end };

struct Open {
  Json value;  // the list or object so far, placed at its bracket
  std::string key;
  Place key_place;
  std::unordered_set<std::size_t> hashes;  // of an object's keys, once it has many
};

constexpr std::size_t many_keys = 16;  // up to here looking at each is faster

std::size_t hash_of(std::string_view key) { return std::hash<std::string_view>()(key); }

[[noreturn]] void fail(const Place& place, const std::string& message, const std::string& hint = "") {
  Error error(ErrorKind::usage, place, message);
  if (!hint.empty()) error.hint(hint);
  throw error;
}

// Receives the parser's events and builds the value.
struct Builder {
  std::string_view text;
  std::string file;
  Place here, token;            // of the byte being fed; of the string, number or word that it is part of or ends
  std::size_t token_start = 0;  // in `text`
  Expect expect = Expect::value;
  std::vector<Open> open;
  Json root;
  std::string part;  // of a string or key

  void add(Json value, const Place& place) {
    value.place = place;
    if (open.empty()) {
      root = std::move(value);
      expect = Expect::end;
      return;
    }
    expect = Expect::comma;
    Open& parent = open.back();
    if (parent.value.is_list())
      parent.value.as_list().push_back(std::move(value));
    else
      parent.value.as_object().push_back({std::move(parent.key), std::move(value), parent.key_place});
  }

  void begin(Json value, Expect next) {
    value.place = here;
    open.push_back({std::move(value), {}, {}, {}});
    expect = next;
  }

  void end() {
    Json value = std::move(open.back().value);
    open.pop_back();
    const Place place = value.place;
    add(std::move(value), place);
  }

  void key(std::string name) {
    Open& object = open.back();
    if (const JsonMember* first = set_before(object, name))
      fail(token, "the key '" + shortened(name) + "' is already set at " + first->place.text());
    object.key = std::move(name);
    object.key_place = token;
    expect = Expect::colon;
  }

  // Files have objects of hundreds of thousands of keys (safetensors): none may be compared with all before it.
  static const JsonMember* set_before(Open& object, const std::string& name) {
    const Json::Object& members = object.value.as_object();
    if (members.size() >= many_keys) {
      if (object.hashes.empty())
        for (const JsonMember& m : members) object.hashes.insert(hash_of(m.key));
      if (object.hashes.insert(hash_of(name)).second) return nullptr;
    }
    const auto found = std::find_if(members.begin(), members.end(), [&](const JsonMember& m) { return m.key == name; });
    return found == members.end() ? nullptr : &*found;
  }

  // Read from the text: Boost's own conversion may be off in the last digit.
  void number() {
    const std::size_t end = text.find_first_not_of("0123456789+-.eE", token_start);
    const std::string_view digits = text.substr(token_start, end == std::string_view::npos ? end : end - token_start);
    const char *first = digits.data(), *last = first + digits.size();
    if (digits.find_first_of(".eE") == std::string_view::npos) {
      std::int64_t value = 0;
      if (std::from_chars(first, last, value).ec != std::errc())
        fail(token, "the integer " + shortened(digits) + " is out of range",
             "integers go from -9223372036854775808 to 9223372036854775807");
      add(Json(value), token);
    } else {
      double value = 0;
      if (std::from_chars(first, last, value).ec != std::errc())
        fail(token, "the number " + shortened(digits) + " is out of range", "numbers are double precision, up to 1.8e308");
      add(Json(value), token);
    }
  }
};

// What Boost.JSON calls. Never fails by itself: it throws.
struct Handler {
  static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);

  explicit Handler(Builder& b) : builder(b) {}
  Builder& builder;

  bool on_document_begin(bj::error_code&) { return true; }
  bool on_document_end(bj::error_code&) { return true; }
  bool on_array_begin(bj::error_code&) { return builder.begin(Json(Json::List{}), Expect::value_or_close), true; }
  bool on_array_end(std::size_t, bj::error_code&) { return builder.end(), true; }
  bool on_object_begin(bj::error_code&) { return builder.begin(Json(Json::Object{}), Expect::key_or_close), true; }
  bool on_object_end(std::size_t, bj::error_code&) { return builder.end(), true; }
  bool on_string_part(bj::string_view s, std::size_t, bj::error_code&) { return builder.part.append(s.data(), s.size()), true; }
  bool on_string(bj::string_view s, std::size_t, bj::error_code&) {
    builder.part.append(s.data(), s.size());
    builder.add(Json(std::exchange(builder.part, {})), builder.token);
    return true;
  }
  bool on_key_part(bj::string_view s, std::size_t n, bj::error_code& ec) { return on_string_part(s, n, ec); }
  bool on_key(bj::string_view s, std::size_t, bj::error_code&) {
    builder.part.append(s.data(), s.size());
    return builder.key(std::exchange(builder.part, {})), true;
  }
  bool on_number_part(bj::string_view, bj::error_code&) { return true; }
  bool on_int64(std::int64_t, bj::string_view, bj::error_code&) { return builder.number(), true; }
  bool on_uint64(std::uint64_t, bj::string_view, bj::error_code&) { return builder.number(), true; }
  bool on_double(double, bj::string_view, bj::error_code&) { return builder.number(), true; }
  bool on_bool(bool value, bj::error_code&) { return builder.add(Json(value), builder.token), true; }
  bool on_null(bj::error_code&) { return builder.add(Json(), builder.token), true; }
  bool on_comment_part(bj::string_view, bj::error_code&) { return true; }  // never called, but asked for
  bool on_comment(bj::string_view, bj::error_code&) { return true; }
};

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '+' || c == '-' || c == '.'; }

class Parse {
 public:
  Parse(std::string_view text, const std::string& file) : parser_(options(), builder_) {
    if (text.substr(0, 3) == "\xef\xbb\xbf") text.remove_prefix(3);  // the byte order mark some editors write
    builder_.text = text_ = text;
    builder_.file = file;
    builder_.here = {file, 1, 1};
  }

  Json run() {
    for (at_ = 0; at_ < text_.size(); ++at_) feed(text_[at_]);
    feed('\n');  // ends a number, a word or a line comment that the text ends with
    if (mode_ == Mode::block_comment || mode_ == Mode::block_star)
      fail(comment_, "this comment is never closed; '*/' is missing");
    bj::error_code ec;
    parser_.write_some(false, nullptr, 0, ec);
    if (ec || !parser_.done()) explain(ec, '\n');
    return std::move(builder_.root);
  }

 private:
  enum class Mode { none, string, escape, word, slash, line_comment, block_comment, block_star };  // comments last

  static bj::parse_options options() {
    bj::parse_options o;
    o.max_depth = max_depth;
    o.allow_trailing_commas = true;
    return o;
  }

  void feed(char c) {
    before_ = mode_;
    mode_ = next_mode(c);
    if (before_ == Mode::slash && mode_ == Mode::none) fail(comment_, "a lone '/'; comments start with // or /*");
    if (before_ == Mode::string && is_high(c) && at_ >= character_end_) check_character();
    const bool comment = mode_ >= Mode::slash || before_ >= Mode::slash;
    const char fed = comment ? ' ' : c;
    bj::error_code ec;
    const std::size_t taken = parser_.write_some(true, &fed, 1, ec);
    if (ec || taken != 1) explain(ec, c);
    if (mode_ == Mode::none && !comment) {
      if (c == ':') builder_.expect = Expect::value;
      if (c == ',') builder_.expect = builder_.open.back().value.is_list() ? Expect::value_or_close : Expect::key_or_close;
    }
    if (c == '\n') {
      ++builder_.here.line;
      builder_.here.column = 1;
    } else if ((static_cast<unsigned char>(c) & 0xc0) != 0x80) {  // columns count characters, not bytes
      ++builder_.here.column;
    }
  }

  Mode next_mode(char c) {
    switch (mode_) {
      case Mode::string:
        return c == '\\' ? Mode::escape : c == '"' ? Mode::none : Mode::string;
      case Mode::escape:
        return Mode::string;
      case Mode::line_comment:
        return c == '\n' ? Mode::none : mode_;
      case Mode::block_comment:
        return c == '*' ? Mode::block_star : mode_;
      case Mode::block_star:
        return c == '/' ? Mode::none : c == '*' ? mode_ : Mode::block_comment;
      case Mode::slash:
        return c == '/' ? Mode::line_comment : c == '*' ? Mode::block_comment : Mode::none;
      case Mode::none:
      case Mode::word:
        break;
    }
    if (c == '/') {
      comment_ = builder_.here;
      return Mode::slash;
    }
    const bool word = is_word(c);
    if (c == '"' || (word && mode_ != Mode::word)) {
      builder_.token = builder_.here;
      builder_.token_start = at_;
    }
    return c == '"' ? Mode::string : word ? Mode::word : Mode::none;
  }

  static bool is_high(char c) { return static_cast<unsigned char>(c) >= 0x80; }

  // Boost.JSON says that a character is none only when it has as many bytes as the first one promised, which may lie behind the
  // end of the string.
  void check_character() {
    const std::size_t bytes = first_character(text_.substr(at_)).bytes;
    if (bytes == 0) fail(builder_.here, "this string is not valid UTF-8");
    character_end_ = at_ + bytes;
  }

  std::string word_from(std::size_t start) const {
    std::size_t end = start;
    while (end < text_.size() && end < start + 40 && is_word(text_[end])) ++end;
    return std::string(text_.substr(start, end - start));
  }

  [[noreturn]] void explain(const bj::error_code& ec, char c) {
    const Place &here = builder_.here, &token = builder_.token;
    const bool at_end = at_ >= text_.size();
    if (ec == bj::error::too_deep) fail(here, "brackets are nested deeper than " + std::to_string(max_depth) + " levels");
    if (ec == bj::error::exponent_overflow) fail(token, "the number " + word_from(builder_.token_start) + " is out of range");
    if (before_ == Mode::string || before_ == Mode::escape) in_string(ec, c, at_end);
    // A word or number that turned out wrong: still running, or just ended without becoming a value.
    const bool waits = builder_.expect == Expect::value || builder_.expect == Expect::value_or_close;
    if ((before_ == Mode::word && (mode_ == Mode::word || waits)) || (waits && mode_ == Mode::word)) wrong_word();
    if (at_end) {
      if (!builder_.open.empty()) {
        const Json& last = builder_.open.back().value;
        fail(last.place,
             last.is_list() ? "this '[' is never closed; ']' is missing" : "this '{' is never closed; '}' is missing");
      }
      fail({builder_.file, 1, 1}, "there is nothing here", "a manifest is an object: { ... }");
    }
    unexpected(c);
  }

  [[noreturn]] void in_string(const bj::error_code& ec, char c, bool at_end) {
    const Place &here = builder_.here, &token = builder_.token;
    if (at_end || c == '\n' || c == '\r') fail(token, "this string is not closed on its line; '\"' is missing");
    if (ec == bj::error::expected_hex_digit) fail(here, "\\u in a string takes four hexadecimal digits");
    if (static_cast<unsigned char>(c) < 0x20) fail(here, "a control character in a string", "write a tab as \\t");
    if (before_ == Mode::escape && std::string_view("\"\\/bfnrtu").find(c) == std::string_view::npos) {
      const std::size_t bytes = std::max<std::size_t>(first_character(text_.substr(at_)).bytes, 1);
      fail(here, "'\\" + printable(text_.substr(at_, bytes)) + "' is not an escape", "a backslash itself is written \\\\");
    }
    fail(here, "half of a surrogate pair (\\ud800 to \\udfff) in a string");
  }

  [[noreturn]] void wrong_word() {
    const std::string word = word_from(builder_.token_start), number = as_json_number(word);
    std::string hint = "a text stands in double quotes";
    if (!number.empty())
      hint = "write " + number;
    else if (std::isdigit(static_cast<unsigned char>(word[0])) || word[0] == '-' || word[0] == '+' || word[0] == '.')
      hint = "a number looks like 12, -0.5 or 5e-3: no leading zeros, no plus, digits on both sides of the point";
    else if (word == "True" || word == "False" || word == "None" || word == "TRUE" || word == "FALSE" || word == "nil" ||
             word == "NULL")
      hint = "the words are true, false and null";
    else if (word == "NaN" || word == "nan" || word == "Infinity" || word == "inf")
      hint = "numbers are finite";
    fail(builder_.token, "'" + word + "' is not a JSON value", hint);
  }

  [[noreturn]] void unexpected(char c) {
    const Place& here = builder_.here;
    const std::string word = word_from(at_);
    const std::string found = !word.empty()                                      ? "'" + word + "'"
                              : static_cast<unsigned char>(c) > 0x20 && c < 0x7f ? std::string("'") + c + "'"
                                                                                 : "a stray character";
    if (c == '#') fail(here, "'#' starts no comment; write //");
    if (c == '\'') fail(here, "texts and keys take double quotes, not single ones");
    switch (builder_.expect) {
      case Expect::end:
        fail(here, found + " after the end of the document", "a manifest is one object; look for a '}' too many");
      case Expect::colon:
        fail(here, "':' is missing after the key '" + shortened(builder_.open.back().key) + "', found " + found);
      case Expect::key:
      case Expect::key_or_close:
        if (c == ']') mismatched(c);
        fail(here, "a key in double quotes or '}' is expected, found " + found);
      case Expect::comma:
        if (c == '}' || c == ']') mismatched(c);
        if (c == ':') fail(here, "a stray ':'; ',' or a closing bracket is expected");
        fail(here, "',' is missing before " + found);
      case Expect::value_or_close:
        if (c == '}') mismatched(c);
        fail(here, "a value or ']' is expected, found " + found);
      case Expect::value:
        fail(here, "a value is expected, found " + found);
    }
    fail(here, "this is not JSON: " + found);
  }

  [[noreturn]] void mismatched(char c) {
    const Json& last = builder_.open.back().value;
    fail(builder_.here, std::string("'") + c + "' found, but the " + (last.is_list() ? "'['" : "'{'") + " of " +
                            last.place.text() + " is still open");
  }

  Builder builder_;
  bj::basic_parser<Handler> parser_;
  std::string_view text_;
  std::size_t at_ = 0, character_end_ = 0;  // of the last character of several bytes in a string
  Mode mode_ = Mode::none, before_ = Mode::none;
  Place comment_;
};

}  // namespace

std::string as_json_number(std::string_view word) {
  std::string text(word);
  std::erase(text, '_');
  std::erase(text, '\'');
  const bool minus = text.starts_with('-');
  if (minus || text.starts_with('+')) text.erase(0, 1);
  if (text.starts_with("0x") || text.starts_with("0X")) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data() + 2, text.data() + text.size(), value, 16);
    if (error != std::errc() || end != text.data() + text.size() || value < 0) return "";
    return (minus ? "-" : "") + std::to_string(value);
  }
  const std::size_t point = std::min(text.find_first_not_of("0123456789"), text.size());
  std::string whole = text.substr(0, point), rest = text.substr(point), fraction;
  if (rest.starts_with('.')) {
    const std::size_t end = std::min(rest.find_first_not_of("0123456789", 1), rest.size());
    fraction = rest.substr(1, end - 1);
    rest.erase(0, end);
  }
  if (whole.empty() && fraction.empty()) return "";
  const std::size_t digits = rest.size() > 1 && (rest[1] == '+' || rest[1] == '-') ? 2 : 1;  // of an exponent
  if (!rest.empty() &&
      ((rest[0] | 32) != 'e' || digits == rest.size() || rest.find_first_not_of("0123456789", digits) != std::string::npos))
    return "";
  whole.erase(0, std::min(whole.find_first_not_of('0'), whole.size()));
  if (whole.empty()) whole = "0";
  return (minus ? "-" : "") + whole + (fraction.empty() ? "" : "." + fraction) + rest;
}

Json parse_json(std::string_view text, const std::string& file) { return Parse(text, file).run(); }

Json parse_json_file(const std::string& path) {
  std::error_code ec;
  const auto status = std::filesystem::status(path, ec);
  if (!std::filesystem::exists(status)) throw Error(ErrorKind::usage, {path, 0, 0}, "there is no such file");
  if (std::filesystem::is_directory(status)) throw Error(ErrorKind::usage, {path, 0, 0}, "this is a folder, not a file");
  std::ifstream in(path, std::ios::binary);
  if (!in) throw Error(ErrorKind::usage, {path, 0, 0}, "the file cannot be opened");
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  if (in.bad()) throw Error(ErrorKind::usage, {path, 0, 0}, "the file cannot be read");
  return parse_json(text, path);
}

}  // namespace khost
