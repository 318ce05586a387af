// What a command declares, and its help.
#include <fmt/format.h>

#include <algorithm>
#include <boost/program_options/options_description.hpp>
#include <boost/program_options/value_semantic.hpp>
#include <charconv>

#include "command_line.hpp"
#include "command_text.hpp"

namespace khost {

namespace po = boost::program_options;

namespace {

int whole_number(const std::string& option, const std::string& text, Range range) {
  int value = 0;
  const char* end = text.data() + text.size();
  const auto [stopped, failed] = std::from_chars(text.data(), end, value);
  if (failed == std::errc() && stopped == end && value >= range.low && value <= range.high) return value;
  throw usage_error(
      fmt::format("--{} takes a whole number from {} to {}, found {}", option, range.low, range.high, quoted(text)));
}

}  // namespace

std::string Typed::first(const std::string& name) const {
  const auto found = given.find(name);
  return found == given.end() || found->second.empty() ? "" : found->second.front();
}

Command::Command(std::string name, std::string summary)
    : name_(std::move(name)), summary_(std::move(summary)), parsed_(std::make_shared<po::options_description>()) {}

void Command::argument(const std::string& name, std::string& to, const std::string& doc, WordKind kind) {
  arguments_.push_back({name, doc, true, std::move(kind), &to});
}

void Command::optional_argument(const std::string& name, std::string& to, const std::string& doc, WordKind kind) {
  arguments_.push_back({name, doc, false, std::move(kind), &to});
}

void Command::arguments(const std::string& name, std::size_t least, std::vector<std::string>& to, const std::string& doc,
                        WordKind kind) {
  for (std::size_t i = 0; i < least; ++i) arguments_.push_back({name, doc, true, kind, nullptr, &to});
  arguments_.push_back({name + "...", doc, false, kind, nullptr, &to});
}

void Command::add_text(Option option, std::function<void(const std::string&)> take) {
  const std::string expected = fmt::format("--{} {}: {}", option.name, option.value, option.doc);
  const auto checked = [name = option.name, expected, take = std::move(take)](const std::string& text) {
    try {
      if (text.empty()) throw usage_error(fmt::format("--{} is given an empty value", name));
      take(text);
    } catch (Error& e) {
      e.hint(expected);
      throw;
    }
  };
  parsed_->add_options()(option.name.c_str(), po::value<std::string>()->notifier(checked));
  options_.push_back(std::move(option));
}

void Command::option(const std::string& name, const std::string& value, std::string& to, const std::string& doc,
                     Completes completes) {
  add_text({name, value, doc, false, std::move(completes)}, [&to](const std::string& text) { to = text; });
}

void Command::option(const std::string& name, const std::string& value, std::optional<std::string>& to, const std::string& doc,
                     Completes completes) {
  add_text({name, value, doc, false, std::move(completes)}, [&to](const std::string& text) { to = text; });
}

void Command::option(const std::string& name, const std::string& value, std::optional<int>& to, Range range,
                     const std::string& doc) {
  add_text({name, value, fmt::format("{} ({} to {})", doc, range.low, range.high), false, {}},
           [&to, name, range](const std::string& text) { to = whole_number(name, text, range); });
}

void Command::option(const std::string& name, const std::string& value, std::vector<std::string>& to, const std::string& doc,
                     Completes completes) {
  parsed_->add_options()(name.c_str(), po::value<std::vector<std::string>>(&to)->composing());
  options_.push_back({name, value, doc, true, std::move(completes)});
}

void Command::flag(const std::string& name, bool& to, const std::string& doc) {
  parsed_->add_options()(name.c_str(), po::bool_switch(&to));
  options_.push_back({name, "", doc, false, {}});
}

const Command::Option* Command::find_option(const std::string& name) const {
  const auto found = std::ranges::find(options_, name, &Option::name);
  return found == options_.end() ? nullptr : &*found;
}

const Command::Argument* Command::find_argument(std::size_t at) const {
  if (at < arguments_.size()) return &arguments_[at];
  return !arguments_.empty() && arguments_.back().all ? &arguments_.back() : nullptr;
}

std::string Command::usage(const std::string& program) const {
  std::string text = program + " " + name_;
  for (const Argument& a : arguments_) text += a.required ? " " + a.name : " [" + a.name + "]";
  return text + " [OPTION]...";
}

std::string Command::help(const std::string& program) const {
  Rows rows;
  if (!arguments_.empty()) rows.title("Arguments");
  for (std::size_t i = 0; i < arguments_.size(); ++i)
    if (i + 1 == arguments_.size() || arguments_[i].all == nullptr) rows.add(arguments_[i].name, arguments_[i].doc);
  rows.title("Options");
  for (const Option& option : options_)
    rows.add("--" + option.name + (option.value.empty() ? "" : " ") + option.value, option.doc);
  rows.add(help_flags, "this text");
  return note_text(program + " " + name_ + ": " + summary_).substr(1) + "\nUsage\n  " + usage(program) + "\n" + rows.text() +
         examples_text(program, examples_) + note_text(note_);
}

}  // namespace khost
