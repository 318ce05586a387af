#include "khost/schema.hpp"

#include <algorithm>

#include "core/shown.hpp"

namespace khost {

const char* name_of(FieldType type) {
  static constexpr const char* names[] = {"boolean", "integer", "number", "string", "list", "object", "any"};
  return names[static_cast<int>(type)];
}

const Field* Schema::find(std::string_view name) const {
  const auto found = std::find_if(fields.begin(), fields.end(), [&](const Field& f) { return f.name == name; });
  return found == fields.end() ? nullptr : &*found;
}

namespace {

std::string plain(double value) {
  const Json number(value);
  return number.is_integer() ? std::to_string(number.as_integer()) : number.text();
}

std::string range_text(const Field& field) {
  if (field.low && field.high) return "between " + plain(*field.low) + " and " + plain(*field.high);
  return field.low ? "at least " + plain(*field.low) : "at most " + plain(*field.high);
}

class Resolver {
 public:
  Resolver(std::string_view owner, std::vector<std::string>* warnings) : owner_(owner), warnings_(warnings) {}

  Json object(const std::vector<Field>& fields, const Json& given, const std::string& path) {
    if (!given.is_object())
      fail(given.place, path.empty() ? owner_ + " takes an object" : label(path) + " takes an object" + found(given));
    for (const JsonMember& member : given.as_object()) unknown(fields, member, path);
    Json out{Json::Object{}};
    out.place = given.place;
    for (const Field& field : fields) {
      const std::string name = path.empty() ? field.name : path + "." + field.name;
      const Json* value = given.find(field.name);
      if (value) {
        if (!field.deprecated.empty() && warnings_)
          warnings_->push_back((value->place.known() ? value->place.text() + ": " : "") + label(name) +
                               " is deprecated: " + field.deprecated);
        out.set(field.name, checked(field, field, *value, name));
      } else {
        if (field.required)
          fail(given.place, owner_ + " needs " + quoted(name) + (field.doc.empty() ? "" : " (" + field.doc + ")"));
        Json fallback = field.default_value;
        fallback.place = given.place;
        out.set(field.name, std::move(fallback));
      }
    }
    return out;
  }

 private:
  void unknown(const std::vector<Field>& fields, const JsonMember& member, const std::string& path) {
    std::vector<std::string_view> names;
    for (const Field& f : fields) {
      if (f.name == member.key) return;
      names.push_back(f.name);
    }
    std::string list;
    for (const std::string_view name : names) list += (list.empty() ? "" : ", ") + std::string(name);
    Error error(ErrorKind::usage, member.place,
                owner_ + (path.empty() ? "" : " under '" + path + "'") + " has no key " + quoted(shortened(member.key)));
    if (const std::string near = did_you_mean(member.key, names); !near.empty()) error.hint(near);
    error.hint(list.empty() ? "it takes no keys" : "its keys: " + list);
    throw error;
  }

  // `field` has bounds and choices; `of` says what the value is: the field itself, or an element of its lists.
  Json checked(const Field& field, const Field& of, const Json& value, const std::string& name) {
    if (value.is_null() && of.nullable) return value;
    switch (of.type) {
      case FieldType::any:
        return value;
      case FieldType::boolean:
        expect(value.is_bool(), "true or false", value, name);
        return value;
      case FieldType::integer: {
        expect(value.is_integer(), "an integer", value, name);
        in_range(field, value, name);
        Json integer(value.as_integer());  // 1000, 1e3 and 1000.0 are the same: one identity
        integer.place = value.place;
        return integer;
      }
      case FieldType::number: {
        expect(value.is_number(), "a number", value, name);
        in_range(field, value, name);
        Json number(value.as_number());  // 1 and 1.0 are the same number: one identity
        number.place = value.place;
        return number;
      }
      case FieldType::string:
        expect(value.is_string(), "a string", value, name);
        if (!field.choices.empty() &&
            std::find(field.choices.begin(), field.choices.end(), value.as_string()) == field.choices.end())
          wrong_choice(field, value, name);
        return value;
      case FieldType::list: {
        expect(value.is_list(), field.shape.empty() ? "a list" : "a list " + field.shape, value, name);
        Json::List list;
        for (std::size_t i = 0; i < value.as_list().size(); ++i)
          list.push_back(of.elements.empty()
                             ? value.as_list()[i]
                             : checked(field, of.elements.front(), value.as_list()[i], name + "[" + std::to_string(i) + "]"));
        Json out(std::move(list));
        out.place = value.place;
        return out;
      }
      case FieldType::object:
        return object(of.members, value, name);
    }
    return value;
  }

  void in_range(const Field& field, const Json& value, const std::string& name) {
    const double number = value.as_number();
    if ((field.low && !(number >= *field.low)) || (field.high && !(number <= *field.high)))
      fail(value.place, label(name) + " is " + value.text() + ", expected a number " + range_text(field));
  }

  void wrong_choice(const Field& field, const Json& value, const std::string& name) {
    std::string list;
    for (const std::string& choice : field.choices) list += (list.empty() ? "" : ", ") + choice;
    Error error(ErrorKind::usage, value.place, label(name) + " is " + value.text() + ", expected one of: " + list);
    if (const std::string near = did_you_mean(value.as_string(), field.choices); !near.empty()) error.hint(near);
    throw error;
  }

  void expect(bool fits, std::string_view what, const Json& value, const std::string& name) {
    if (fits) return;
    Error error(ErrorKind::usage, value.place, label(name) + " takes " + std::string(what) + found(value));
    // "10" in quotes, and --set steps=10_000, which is no JSON and so a text.
    const std::string number = value.is_string() ? as_json_number(value.as_string()) : "";
    if (!number.empty() && (what == "an integer" || what == "a number"))
      error.hint("write " + number + (value.place.line > 0 ? ", without quotes" : ""));
    throw error;
  }

  static std::string found(const Json& value) {
    return ", found the " + std::string(value.type_name()) + " " + shortened(value.text(), 80);
  }
  static std::string quoted(std::string_view name) { return "'" + std::string(name) + "'"; }
  std::string label(const std::string& name) const { return quoted(name) + " of " + owner_; }
  [[noreturn]] static void fail(const Place& place, std::string message) {
    throw Error(ErrorKind::usage, place, std::move(message));
  }

  std::string owner_;
  std::vector<std::string>* warnings_;
};

}  // namespace

Json resolve(const Schema& schema, const Json& given, std::string_view owner, std::vector<std::string>* warnings) {
  return Resolver(owner, warnings).object(schema.fields, given, "");
}

namespace {

Json identity_of_members(const std::vector<Field>& fields, const Json& value);

Json identity_of_value(const Field& field, const Json& value) {
  if (value.is_object() && field.type == FieldType::object) return identity_of_members(field.members, value);
  if (!value.is_list() || field.elements.empty()) return value;
  Json::List list;
  for (const Json& element : value.as_list()) list.push_back(identity_of_value(field.elements.front(), element));
  return list;
}

Json identity_of_members(const std::vector<Field>& fields, const Json& value) {
  Json out{Json::Object{}};
  for (const JsonMember& member : value.as_object()) {
    const auto field = std::find_if(fields.begin(), fields.end(), [&](const Field& f) { return f.name == member.key; });
    if (field == fields.end())
      out.set(member.key, member.value);
    else if (!field->operational)
      out.set(member.key, identity_of_value(*field, member.value));
  }
  return out;
}

}  // namespace

Json identity_of(const Schema& schema, const Json& resolved) { return identity_of_members(schema.fields, resolved); }

}  // namespace khost
