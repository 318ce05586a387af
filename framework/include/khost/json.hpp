// A JSON value that knows where in its file it stands, so that every complaint about it can say so. Threads and lifetimes are as
// of the standard containers: several threads may read one value at once; what is given by reference or pointer is valid until
// the value is changed or ends.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "khost/error.hpp"

namespace khost {

class Json;
struct JsonMember;

class Json {
 public:
  using List = std::vector<Json>;
  using Object = std::vector<JsonMember>;  // in the order of the file; keys are unique

  Json();  // null
  ~Json();
  Json(const Json&);
  Json(Json&&) noexcept;
  Json& operator=(const Json&);
  Json& operator=(Json&&) noexcept;
  Json(bool value);
  Json(int value);
  Json(std::int64_t value);
  Json(std::uint64_t value);  // throws above 2^63-1
  Json(double value);
  Json(const char* value);
  Json(std::string value);
  Json(std::string_view value);
  Json(List value);
  Json(Object value);

  // An object of these members, in this order.
  static Json object(std::initializer_list<std::pair<const char*, Json>> members);

  bool is_null() const;
  bool is_bool() const;
  bool is_integer() const;     // a whole number, however it is written: 1000, 1e3, 1000.0 (these two up to 2^53)
  bool written_whole() const;  // without fraction or exponent; text() keeps the difference
  bool is_number() const;      // whole or not
  bool is_string() const;
  bool is_list() const;
  bool is_object() const;
  const char* type_name() const;  // for good: "null", "boolean", "integer", "number", "string", "list", "object"

  // Each throws a usage Error with the place when the type differs.
  bool as_bool() const;
  std::int64_t as_integer() const;
  double as_number() const;
  const std::string& as_string() const;
  const List& as_list() const;
  List& as_list();
  const Object& as_object() const;
  Object& as_object();

  // Objects. find: null pointer when absent. set: replaces or appends, which ends pointers to other members. erase: false when
  // absent.
  const Json* find(std::string_view key) const;
  Json* find(std::string_view key);
  const Json& at(std::string_view key) const;  // throws with the place when absent
  Json& set(std::string_view key, Json value);
  bool erase(std::string_view key);

  // Compact JSON text in the member order held. canonical(): members sorted by key, for hashing.
  std::string text() const;
  std::string canonical() const;
  std::string pretty(int indent = 2) const;

  bool operator==(const Json& other) const;  // values only; an object's member order does not matter

  Place place;

 private:
  using Value = std::variant<std::nullptr_t, bool, std::int64_t, double, std::string, List, Object>;
  Value value_;
};

struct JsonMember {
  std::string key;
  Json value;
  Place place;  // of the key
};

// What a person meant by `word`, "0x10", "+5", ".5", "10_000" or "007", written as JSON takes it; "" where it is no number.
std::string as_json_number(std::string_view word);

// Strict JSON plus // and /* */ comments and trailing commas. Throws a usage Error with file, line and column
// for a syntax error, a duplicate key (naming the place of the first), or a number that cannot be held. From any thread.
Json parse_json(std::string_view text, const std::string& file);
Json parse_json_file(const std::string& path);

}  // namespace khost
