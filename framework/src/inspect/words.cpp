#include "inspect/words.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace khost {

std::string plain_number(double value) {
  const Json number(value);
  return number.is_integer() ? std::to_string(number.as_integer()) : number.text();
}

std::string type_words(const Field& field) {
  if (field.type == FieldType::any) return field.shape.empty() ? "anything" : field.shape;
  if (field.type != FieldType::list) return name_of(field.type);
  if (field.elements.empty() || field.elements.front().type == FieldType::any)
    return field.shape.empty() ? "list" : "list " + field.shape;
  return "list of " + type_words(field.elements.front()) + "s";
}

std::string range_words(const Field& field) {
  if (field.low && field.high) return plain_number(*field.low) + " to " + plain_number(*field.high);
  if (field.low) return "at least " + plain_number(*field.low);
  return field.high ? "at most " + plain_number(*field.high) : "";
}

std::string default_words(const Field& field) {
  if (field.required) return "required";
  if (field.default_value.is_null()) return "not set";
  return written_out(field.default_value);
}

std::string when_words(const When& when) {
  std::string words;
  if (when.period == 1) return "every step";
  if (when.period > 1) words = fmt::format("every {} steps", when.period);
  if (when.steps.empty()) return words.empty() ? "after the last step" : words;
  words += words.empty() ? "" : " and ";
  if (when.steps.size() == 1) return fmt::format("{}step {}", words, when.steps.front());
  constexpr std::size_t most = 8;  // named one by one
  if (when.steps.size() > most)
    return fmt::format("{}{} steps from {} to {}", words, when.steps.size(), when.steps.front(), when.steps.back());
  for (std::size_t i = 0; i < when.steps.size(); ++i) words += fmt::format("{}{}", i ? ", " : "steps ", when.steps[i]);
  return words;
}

std::vector<Signals::Null> nulls_of(const Signals& signals) {
  std::vector<Signals::Null> nulls = signals.nulls;
  // clang++ 14 has no ranges::stable_partition
  std::stable_partition(nulls.begin(), nulls.end(), [](const Signals::Null& null) { return null.record != "*"; });
  return nulls;
}

std::string written_out(const Json& json) {
  if (!json.is_list() && !json.is_object()) return json.text();
  std::string text;
  if (json.is_list())
    for (const Json& each : json.as_list()) text += (text.empty() ? "" : ", ") + written_out(each);
  else
    for (const JsonMember& m : json.as_object())
      text += (text.empty() ? "" : ", ") + Json(m.key).text() + ": " + written_out(m.value);
  return json.is_list() ? "[" + text + "]" : "{" + text + "}";
}

}  // namespace khost
