#include "khost/json.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "core/shown.hpp"
#include "khost/utf8.hpp"

namespace khost {

namespace {

// Doubles up to here hold every whole number, so that 1e3 means 1000 and nothing near it.
bool is_whole(double value) { return std::fabs(value) <= 0x1p53 && value == std::trunc(value); }

}  // namespace

Json::Json() : value_(nullptr) {}
Json::~Json() = default;
Json::Json(const Json&) = default;
Json::Json(Json&&) noexcept = default;
Json& Json::operator=(const Json&) = default;
Json& Json::operator=(Json&&) noexcept = default;

Json::Json(bool value) : value_(value) {}
Json::Json(int value) : value_(std::int64_t{value}) {}
Json::Json(std::int64_t value) : value_(value) {}
Json::Json(std::uint64_t value) {
  if (!std::in_range<std::int64_t>(value))
    throw Error(ErrorKind::usage, std::to_string(value) + " is too large for an integer here");
  value_ = static_cast<std::int64_t>(value);
}
Json::Json(double value) : value_(value) {}
Json::Json(const char* value) : value_(std::string(value)) {}
Json::Json(std::string value) : value_(std::move(value)) {}
Json::Json(std::string_view value) : value_(std::string(value)) {}
Json::Json(List value) : value_(std::move(value)) {}
Json::Json(Object value) : value_(std::move(value)) {}

Json Json::object(std::initializer_list<std::pair<const char*, Json>> members) {
  Json json{Object{}};
  for (const auto& [key, value] : members) json.set(key, value);
  return json;
}

bool Json::is_null() const { return std::holds_alternative<std::nullptr_t>(value_); }
bool Json::is_bool() const { return std::holds_alternative<bool>(value_); }
bool Json::is_integer() const {
  const double* value = std::get_if<double>(&value_);
  return std::holds_alternative<std::int64_t>(value_) || (value && is_whole(*value));
}
bool Json::is_number() const { return std::holds_alternative<std::int64_t>(value_) || std::holds_alternative<double>(value_); }
bool Json::written_whole() const { return std::holds_alternative<std::int64_t>(value_); }
bool Json::is_string() const { return std::holds_alternative<std::string>(value_); }
bool Json::is_list() const { return std::holds_alternative<List>(value_); }
bool Json::is_object() const { return std::holds_alternative<Object>(value_); }

const char* Json::type_name() const {
  static constexpr const char* names[] = {"null", "boolean", "integer", "number", "string", "list", "object"};
  return names[value_.index()];
}

namespace {

[[noreturn]] void wrong_type(const Json& json, const char* expected) {
  throw Error(ErrorKind::usage, json.place,
              std::string("expected ") + expected + ", found the " + json.type_name() + " " + shortened(json.text()));
}

template <class T, class V>
auto& held(const Json& json, V& value, const char* expected) {
  auto* found = std::get_if<T>(&value);
  if (!found) wrong_type(json, expected);
  return *found;
}

void write_escape(std::string& out, char32_t code) {
  if (code >= 0x10000) {  // a surrogate pair
    write_escape(out, 0xd800 + ((code - 0x10000) >> 10));
    return write_escape(out, 0xdc00 + ((code - 0x10000) & 0x3ff));
  }
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out += "0123456789abcdef"[code >> shift & 15];
}

// Files and output are JSON whatever the text came from: bytes that are no UTF-8 become U+FFFD. Characters that act on a terminal
// are escaped, so that a file can be looked at.
void write_string(std::string& out, std::string_view text) {
  out += '"';
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    const char* const short_form = c == '"'    ? "\\\""
                                   : c == '\\' ? "\\\\"
                                   : c == '\n' ? "\\n"
                                   : c == '\t' ? "\\t"
                                   : c == '\r' ? "\\r"
                                   : c == '\b' ? "\\b"
                                   : c == '\f' ? "\\f"
                                               : nullptr;
    if (short_form) {
      out += short_form;
      ++i;
      continue;
    }
    const Character character = first_character(text.substr(i));
    if (character.bytes == 0)
      write_escape(out, 0xfffd);
    else if (acts_on_a_screen(character.code))
      write_escape(out, character.code);
    else
      out.append(text, i, character.bytes);
    i += std::max<std::size_t>(character.bytes, 1);
  }
  out += '"';
}

// The shortest text that reads back to the same double, and always reads back as a double rather than an integer.
// JSON has no NaN and no infinity: both become null.
void write_number(std::string& out, double value) {
  if (!std::isfinite(value)) {
    out += "null";
    return;
  }
  char buffer[40];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  const std::string_view text(buffer, static_cast<std::size_t>(end - buffer));
  out += text;
  if (text.find_first_of(".e") == std::string_view::npos) out += ".0";
}

struct Style {
  int indent = -1;  // -1: compact
  bool sorted = false;
};

void new_line(std::string& out, const Style& style, int depth) {
  if (style.indent < 0) return;
  out += '\n';
  out.append(static_cast<std::size_t>(style.indent) * static_cast<std::size_t>(depth), ' ');
}

bool is_plain(const Json& json) { return !json.is_object() && !(json.is_list() && !json.as_list().empty()); }

void write(std::string& out, const Json& json, const Style& style, int depth) {
  const char* separator = style.indent < 0 ? "," : ", ";
  if (json.is_null())
    out += "null";
  else if (json.is_bool())
    out += json.as_bool() ? "true" : "false";
  else if (json.is_number() && json.written_whole())
    out += std::to_string(json.as_integer());
  else if (json.is_number())
    write_number(out, json.as_number());
  else if (json.is_string())
    write_string(out, json.as_string());
  else if (json.is_list()) {
    const auto& list = json.as_list();
    const bool on_one_line = std::all_of(list.begin(), list.end(), is_plain);
    out += '[';
    for (std::size_t i = 0; i < list.size(); ++i) {
      if (i) out += on_one_line ? separator : ",";
      if (!on_one_line) new_line(out, style, depth + 1);
      write(out, list[i], style, depth + 1);
    }
    if (!on_one_line) new_line(out, style, depth);
    out += ']';
  } else {
    std::vector<const JsonMember*> members;
    for (const JsonMember& m : json.as_object()) members.push_back(&m);
    if (style.sorted) std::sort(members.begin(), members.end(), [](auto* a, auto* b) { return a->key < b->key; });
    out += '{';
    for (std::size_t i = 0; i < members.size(); ++i) {
      if (i) out += ',';
      new_line(out, style, depth + 1);
      write_string(out, members[i]->key);
      out += style.indent < 0 ? ":" : ": ";
      write(out, members[i]->value, style, depth + 1);
    }
    if (!members.empty()) new_line(out, style, depth);
    out += '}';
  }
}

std::string written(const Json& json, const Style& style) {
  std::string out;
  write(out, json, style, 0);
  return out;
}

}  // namespace

bool Json::as_bool() const { return held<bool>(*this, value_, "true or false"); }
std::int64_t Json::as_integer() const {
  if (const double* value = std::get_if<double>(&value_); value && is_whole(*value)) return static_cast<std::int64_t>(*value);
  return held<std::int64_t>(*this, value_, "an integer");
}
double Json::as_number() const {
  if (written_whole()) return static_cast<double>(std::get<std::int64_t>(value_));
  return held<double>(*this, value_, "a number");
}
const std::string& Json::as_string() const { return held<std::string>(*this, value_, "a string"); }
const Json::List& Json::as_list() const { return held<List>(*this, value_, "a list"); }
Json::List& Json::as_list() { return held<List>(*this, value_, "a list"); }
const Json::Object& Json::as_object() const { return held<Object>(*this, value_, "an object"); }
Json::Object& Json::as_object() { return held<Object>(*this, value_, "an object"); }

const Json* Json::find(std::string_view key) const {
  for (const JsonMember& m : as_object())
    if (m.key == key) return &m.value;
  return nullptr;
}
Json* Json::find(std::string_view key) { return const_cast<Json*>(std::as_const(*this).find(key)); }

const Json& Json::at(std::string_view key) const {
  if (const Json* found = find(key)) return *found;
  throw Error(ErrorKind::usage, place, "the key '" + std::string(key) + "' is missing");
}

Json& Json::set(std::string_view key, Json value) {
  if (Json* found = find(key)) return *found = std::move(value);
  Object& object = as_object();
  JsonMember& member = object.emplace_back();
  member.key = key;
  member.place = value.place;
  member.value = std::move(value);
  return member.value;
}

bool Json::erase(std::string_view key) {
  return std::erase_if(as_object(), [&](const JsonMember& m) { return m.key == key; }) > 0;
}

std::string Json::text() const { return written(*this, {}); }
std::string Json::canonical() const { return written(*this, {.indent = -1, .sorted = true}); }
std::string Json::pretty(int indent) const { return written(*this, {.indent = indent, .sorted = false}); }

bool Json::operator==(const Json& other) const {
  if (value_.index() != other.value_.index()) return false;
  if (is_object()) {
    const Object &a = as_object(), &b = other.as_object();
    return a.size() == b.size() && std::all_of(a.begin(), a.end(), [&](const JsonMember& m) {
             const Json* twin = other.find(m.key);
             return twin && m.value == *twin;
           });
  }
  if (is_list()) return as_list() == other.as_list();
  if (is_string()) return as_string() == other.as_string();
  if (written_whole()) return as_integer() == other.as_integer();
  if (is_number()) return as_number() == other.as_number();
  if (is_bool()) return as_bool() == other.as_bool();
  return true;
}

}  // namespace khost
