// A component's parameters, declared once: validation, `khost inspect`, generated pages, the manifest's JSON schema
// and the resolved manifest all come from this one place. Functions are from any thread; a Schema is read by many, changed by
// one.
//
//   struct Config {
//     double lr = 5e-3;
//     static void fields(auto& f) { f("lr", &Config::lr).range(0, 1).doc("step size"); }
//   };
#pragma once

#include <concepts>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "khost/json.hpp"

namespace khost {

enum class FieldType { boolean, integer, number, string, list, object, any };

const char* name_of(FieldType type);  // for good

struct Field {
  std::string name;
  std::string doc;
  FieldType type = FieldType::any;
  Json default_value;  // what a manifest that leaves the key out gets; null with `required`
  bool required = false;
  bool nullable = false;             // null is allowed and means "not set"
  bool operational = false;          // not part of a run's identity (a log level, a cache path)
  bool path = false;                 // a string that names a file: relative to the manifest; the host makes it absolute
  bool by_content = false;           // names what a data source reads: its identity() tells the content, the name is nothing
  std::optional<double> low, high;   // inclusive bounds of a number, or of each element of a list of numbers
  std::vector<std::string> choices;  // allowed strings
  std::string deprecated;            // why, and what to use instead; "" when current
  std::string shape;                 // for `any` and lists: the expected form in words, "[[first, last], ...]"
  std::vector<Field> elements;       // of a list: one, nameless, which says what each of its elements is; bounds and choices
                                     // stand in the list's own field
  std::vector<Field> members;        // of an object
};

struct Schema {
  std::vector<Field> fields;
  const Field* find(std::string_view name) const;  // null when absent; valid until `fields` changes
};

// Checks `given` against the schema and fills in defaults, in schema order. Throws a usage Error at the place of the
// first unknown key (with the nearest names), wrong type, value out of range or unknown choice, or of the object when
// a required key is absent. `owner` names what is configured in messages: "probe 'snr'". Deprecated keys that are used
// are appended to `warnings` when it is given.
Json resolve(const Schema& schema, const Json& given, std::string_view owner, std::vector<std::string>* warnings = nullptr);

// The parts of a resolved configuration that belong to a run's identity: without operational fields, at any depth of objects and
// lists.
Json identity_of(const Schema& schema, const Json& resolved);

// ---- below: how a Config struct becomes a Schema and how a resolved Json becomes a Config ----

template <class C>
concept Configuration = requires {
  requires std::is_class_v<C>;
}
&&std::default_initializable<C>;

// What f("lr", &Config::lr) returns while a schema is built. Valid in that expression alone; texts are copied.
class FieldBuilder {
 public:
  explicit FieldBuilder(Field& field) : field_(field) {}
  FieldBuilder& doc(std::string_view text) {
    field_.doc = text;
    return *this;
  }
  FieldBuilder& required() {
    field_.required = true;
    field_.default_value = Json();
    return *this;
  }
  FieldBuilder& range(double low, double high) {
    field_.low = low;
    field_.high = high;
    return *this;
  }
  FieldBuilder& at_least(double low) {
    field_.low = low;
    return *this;
  }
  FieldBuilder& choices(std::initializer_list<const char*> names) {
    field_.choices.assign(names.begin(), names.end());
    return *this;
  }
  FieldBuilder& deprecated(std::string_view instead) {
    field_.deprecated = instead;
    return *this;
  }
  FieldBuilder& operational() {
    field_.operational = true;
    return *this;
  }
  FieldBuilder& path() {
    field_.path = true;
    return *this;
  }
  FieldBuilder& by_content() {
    field_.by_content = true;
    return *this;
  }
  FieldBuilder& shape(std::string_view words) {
    field_.shape = words;
    return *this;
  }

 private:
  Field& field_;
};

// The same calls while a Config is read: nothing to do.
struct FieldReader {
  FieldReader& doc(std::string_view) { return *this; }
  FieldReader& required() { return *this; }
  FieldReader& range(double, double) { return *this; }
  FieldReader& at_least(double) { return *this; }
  FieldReader& choices(std::initializer_list<const char*>) { return *this; }
  FieldReader& deprecated(std::string_view) { return *this; }
  FieldReader& operational() { return *this; }
  FieldReader& path() { return *this; }
  FieldReader& by_content() { return *this; }
  FieldReader& shape(std::string_view) { return *this; }
};

namespace detail {

template <class T>
struct is_vector : std::false_type {};
template <class T>
struct is_vector<std::vector<T>> : std::true_type {};
template <class T>
struct is_optional : std::false_type {};
template <class T>
struct is_optional<std::optional<T>> : std::true_type {};
struct AnyVisitor {
  FieldReader operator()(const char*, auto) { return {}; }
};
template <class T>
concept HasFields = requires(AnyVisitor& v) {
  T::fields(v);
};

template <class T>
constexpr FieldType type_of() {
  if constexpr (is_optional<T>::value)
    return type_of<typename T::value_type>();
  else if constexpr (std::same_as<T, Json>)
    return FieldType::any;
  else if constexpr (std::same_as<T, bool>)
    return FieldType::boolean;
  else if constexpr (std::integral<T>)
    return FieldType::integer;
  else if constexpr (std::floating_point<T>)
    return FieldType::number;
  else if constexpr (std::convertible_to<T, std::string>)
    return FieldType::string;
  else if constexpr (is_vector<T>::value)
    return FieldType::list;
  else {
    static_assert(HasFields<T>, "a nested object needs static fields(auto& f)");
    return FieldType::object;
  }
}

template <class T>
Json to_json(const T& value) {
  if constexpr (is_optional<T>::value)
    return value ? to_json(*value) : Json();
  else if constexpr (std::same_as<T, Json> || std::same_as<T, bool>)
    return Json(value);
  else if constexpr (std::integral<T>)
    return Json(static_cast<std::int64_t>(value));
  else if constexpr (std::floating_point<T>)
    return Json(static_cast<double>(value));
  else if constexpr (std::convertible_to<T, std::string>)
    return Json(std::string(value));
  else if constexpr (is_vector<T>::value) {
    Json::List list;
    for (const auto& v : value) list.push_back(to_json(v));
    return Json(std::move(list));
  } else {
    Json object{Json::Object{}};
    auto write = [&](const char* name, auto member) {
      object.set(name, to_json(value.*member));
      return FieldReader{};
    };
    T::fields(write);
    return object;
  }
}

template <class T>
void from_json(const Json& json, T& value) {
  if constexpr (is_optional<T>::value) {
    if (json.is_null())
      value.reset();
    else
      from_json(json, value.emplace());
  } else if constexpr (std::same_as<T, Json>)
    value = json;
  else if constexpr (std::same_as<T, bool>)
    value = json.as_bool();
  else if constexpr (std::integral<T>) {
    const std::int64_t wide = json.as_integer();
    if (!std::in_range<T>(wide)) throw Error(ErrorKind::usage, json.place, "the integer " + json.text() + " is too large here");
    value = static_cast<T>(wide);
  } else if constexpr (std::floating_point<T>)
    value = static_cast<T>(json.as_number());
  else if constexpr (std::convertible_to<T, std::string>)
    value = json.as_string();
  else if constexpr (is_vector<T>::value) {
    value.clear();
    for (const Json& v : json.as_list()) from_json(v, value.emplace_back());
  } else {
    auto read = [&](const char* name, auto member) {
      if (const Json* v = json.find(name)) from_json(*v, value.*member);
      return FieldReader{};
    };
    T::fields(read);
  }
}

}  // namespace detail

template <class C>
Schema schema_of();

namespace detail {

// What is known of a field from its type alone.
template <class T>
void describe_type(Field& field) {
  if constexpr (is_optional<T>::value) {
    describe_type<typename T::value_type>(field);
    field.nullable = true;
  } else {
    field.type = type_of<T>();
    if constexpr (is_vector<T>::value) describe_type<typename T::value_type>(field.elements.emplace_back());
    if constexpr (type_of<T>() == FieldType::object) field.members = schema_of<T>().fields;
  }
}

}  // namespace detail

template <class C>
Schema schema_of() {
  Schema schema;
  if constexpr (detail::HasFields<C>) {
    const C defaults{};
    schema.fields.reserve(64);  // the builders below hold references
    auto build = [&]<class T>(const char* name, T C::*member) {
      Field& field = schema.fields.emplace_back();
      field.name = name;
      field.default_value = detail::to_json(defaults.*member);
      detail::describe_type<T>(field);
      return FieldBuilder(field);
    };
    C::fields(build);
  }
  return schema;
}

// `resolved` has passed resolve() with schema_of<C>().
template <class C>
C read_config(const Json& resolved) {
  C config{};
  if constexpr (detail::HasFields<C>) detail::from_json(resolved, config);
  return config;
}

}  // namespace khost
