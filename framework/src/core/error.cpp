#include "khost/error.hpp"

#include <algorithm>
#include <numeric>

#include "core/shown.hpp"

namespace khost {

namespace {

// Bytes. Whatever a message speaks of, a person gets to see a screen of it at most.
constexpr std::size_t longest_message = 4000, longest_frame = 1000, longest_file = 1000;

std::string shown(std::string_view text, std::size_t most) { return printable(shortened(text, most)); }

}  // namespace

std::string Place::text() const {
  if (file.empty()) return "";
  const std::string name = shown(file, longest_file);
  if (line <= 0) return name;
  return name + ":" + std::to_string(line) + (column > 0 ? ":" + std::to_string(column) : "");
}

Error::Error(ErrorKind kind, std::string message) : Error(kind, Place{}, std::move(message)) {}
Error::Error(ErrorKind kind, Place place, std::string message)
    : kind_(kind), place_(std::move(place)), message_(shown(message, longest_message)) {
  compose();
}
Error::~Error() = default;
Error::Error(const Error&) = default;
Error& Error::operator=(const Error&) = default;

Error& Error::hint(std::string_view text) {
  hints_ += "\n  ";
  hints_ += shown(text, longest_message);
  compose();
  return *this;
}

Error& Error::at(const Place& place) {
  if (!place_.known()) place_ = place;
  compose();
  return *this;
}

Error& Error::within(std::string_view frame) {
  if (!frames_.empty()) frames_ += ", ";
  frames_ += shown(frame, longest_frame);
  compose();
  return *this;
}

void Error::compose() {
  text_ = place_.known() ? place_.text() + ": " + message_ : message_;
  if (!frames_.empty()) text_ += "\n  in " + frames_;
  text_ += hints_;
}

namespace {

constexpr std::size_t longest_name = 200;  // nobody mistypes a longer one, and the distance takes quadratic time

// Restricted Damerau-Levenshtein: a swap of neighbours is one slip. Above `most` it is some number above `most`.
std::size_t edit_distance(std::string_view a, std::string_view b, std::size_t most) {
  if (std::max(a.size(), b.size()) - std::min(a.size(), b.size()) > most) return most + 1;
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  std::iota(last.begin(), last.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(last);
    last.swap(row);
    const auto least = [](const std::vector<std::size_t>& v) { return *std::min_element(v.begin(), v.end()); };
    if (least(last) > most && least(before) > most) return most + 1;  // it only grows from here
  }
  return last[b.size()];
}

}  // namespace

std::string nearest_names(std::string_view name, const std::string_view* candidates, std::size_t count) {
  std::vector<std::pair<std::size_t, std::string_view>> near;
  if (name.size() > longest_name) return "";
  for (std::size_t i = 0; i < count; ++i) {
    if (candidates[i].size() > longest_name) continue;
    const std::size_t allowed = std::max<std::size_t>(1, std::max(name.size(), candidates[i].size()) / 3);
    const std::size_t distance = edit_distance(name, candidates[i], allowed);
    if (distance <= allowed && distance < candidates[i].size()) near.emplace_back(distance, candidates[i]);
  }
  std::stable_sort(near.begin(), near.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  if (near.size() > 3) near.resize(3);
  std::string text;
  for (const auto& [distance, candidate] : near) text += (text.empty() ? "did you mean '" : ", '") + std::string(candidate) + "'";
  return text.empty() ? text : text + "?";
}

}  // namespace khost
