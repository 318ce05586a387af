#include "command_line.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <boost/program_options/cmdline.hpp>
#include <boost/program_options/errors.hpp>
#include <boost/program_options/options_description.hpp>
#include <boost/program_options/parsers.hpp>
#include <boost/program_options/value_semantic.hpp>
#include <boost/program_options/variables_map.hpp>
#include <cctype>
#include <charconv>
#include <iostream>

#include "khost/error.hpp"
#include "report/text.hpp"

namespace khost {

namespace po = boost::program_options;

namespace {

constexpr std::size_t width = 96;  // of help, in columns

Error usage_error(const std::string& text) { return Error(ErrorKind::usage, text); }

// As much of a word as a message needs.
std::string quoted(const std::string& word) { return "'" + clipped(word, 80) + "'"; }

// Names that a word abbreviates, else those it may be a slip of; "" when there are none.
std::string nearest(const std::string& word, const std::vector<std::string>& names) {
  std::vector<std::string> longer;
  for (const std::string& name : names)
    if (word.size() > 3 && name.starts_with(word)) longer.push_back(name);
  return longer.empty() ? did_you_mean(word, names) : fmt::format("did you mean '{}'?", fmt::join(longer, "', '"));
}

int whole_number(const std::string& option, const std::string& text, Range range) {
  int value = 0;
  const char* end = text.data() + text.size();
  const auto [stopped, failed] = std::from_chars(text.data(), end, value);
  if (failed == std::errc() && stopped == end && value >= range.low && value <= range.high) return value;
  throw usage_error(
      fmt::format("--{} takes a whole number from {} to {}, found {}", option, range.low, range.high, quoted(text)));
}

// Two columns, the left one as wide as its widest entry.
class Rows {
 public:
  void title(const std::string& text) { rows_.push_back({text, "", true}); }
  void add(const std::string& name, const std::string& text) { rows_.push_back({name, text, false}); }
  std::string text() const {
    std::size_t first = 0;
    for (const Row& row : rows_)
      if (!row.title) first = std::max(first, columns(row.name));
    std::string out;
    for (const Row& row : rows_) {
      if (row.title)
        out += "\n" + row.name + "\n";
      else
        add_lines(out, row.text, width, "  " + left(row.name, first + 2), std::string(first + 4, ' '));
    }
    return out;
  }

 private:
  struct Row {
    std::string name, text;
    bool title;
  };
  std::vector<Row> rows_;
};

std::string examples_text(const std::string& program, const std::vector<std::string>& lines) {
  std::string out = lines.empty() ? "" : "\nExamples\n";
  for (const std::string& line : lines) out += "  " + program + " " + line + "\n";
  return out;
}

std::string note_text(const std::string& note) {
  std::string out;
  if (!note.empty()) out = "\n", add_lines(out, note, width, "", "");
  return out;
}

// By its whole name. (find_nothrow takes an empty name for each that has no short one.)
const po::option_description* find(const po::options_description& all, const std::string& name) {
  for (const auto& option : all.options())
    if (option->long_name() == name) return option.get();
  return nullptr;
}

constexpr const char* help_flags = "-h, --help";

bool asks_for_help(const std::string& word) { return word == "--help" || word == "-h"; }

}  // namespace

Command::Command(std::string name, std::string summary)
    : name_(std::move(name)), summary_(std::move(summary)), options_(std::make_shared<po::options_description>()) {}

void Command::argument(const std::string& name, std::string& to, const std::string& doc) {
  arguments_.push_back({name, doc, &to, true});
}

void Command::optional_argument(const std::string& name, std::string& to, const std::string& doc) {
  arguments_.push_back({name, doc, &to, false});
}

void Command::arguments(const std::string& name, std::size_t least, std::vector<std::string>& to, const std::string& doc) {
  for (std::size_t i = 0; i < least; ++i) arguments_.push_back({name, doc, nullptr, true, &to});
  arguments_.push_back({name + "...", doc, nullptr, false, &to});
}

void Command::add_text(const std::string& name, const std::string& value, const std::string& doc,
                       std::function<void(const std::string&)> take) {
  const std::string expected = fmt::format("--{} {}: {}", name, value, doc);
  const auto checked = [name, expected, take = std::move(take)](const std::string& text) {
    try {
      if (text.empty()) throw usage_error(fmt::format("--{} is given an empty value", name));
      take(text);
    } catch (Error& e) {
      e.hint(expected);
      throw;
    }
  };
  options_->add_options()(name.c_str(), po::value<std::string>()->value_name(value)->notifier(checked), doc.c_str());
}

void Command::option(const std::string& name, const std::string& value, std::string& to, const std::string& doc) {
  add_text(name, value, doc, [&to](const std::string& text) { to = text; });
}

void Command::option(const std::string& name, const std::string& value, std::optional<std::string>& to, const std::string& doc) {
  add_text(name, value, doc, [&to](const std::string& text) { to = text; });
}

void Command::option(const std::string& name, const std::string& value, std::optional<int>& to, Range range,
                     const std::string& doc) {
  add_text(name, value, fmt::format("{} ({} to {})", doc, range.low, range.high),
           [&to, name, range](const std::string& text) { to = whole_number(name, text, range); });
}

void Command::option(const std::string& name, const std::string& value, std::vector<std::string>& to, const std::string& doc) {
  options_->add_options()(name.c_str(), po::value<std::vector<std::string>>(&to)->value_name(value)->composing(), doc.c_str());
}

void Command::flag(const std::string& name, bool& to, const std::string& doc) {
  options_->add_options()(name.c_str(), po::bool_switch(&to), doc.c_str());
}

bool Command::has_option(const std::string& name) const { return find(*options_, name) != nullptr; }

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
  for (const auto& option : options_->options()) {
    const bool takes_value = option->semantic()->max_tokens() > 0;
    rows.add(option->format_name() + (takes_value ? " " + option->format_parameter() : ""), option->description());
  }
  rows.add(help_flags, "this text");
  return program + " " + name_ + ": " + summary_ + "\n\nUsage\n  " + usage(program) + "\n" + rows.text() +
         examples_text(program, examples_) + note_text(note_);
}

// One command line, and what is wrong with it.
class Command::Words {
 public:
  Words(const Command& command, const std::string& program) : command_(command), program_(program) {
    known_.add(*command.options_).add_options()("help,h", po::bool_switch());
  }

  // Nothing is guessed: an abbreviation or a slip is an option that does not exist, and is answered by the nearest name.
  po::parsed_options parse(const std::vector<std::string>& words) const {
    namespace style = po::command_line_style;
    const int form = style::allow_long | style::long_allow_adjacent | style::long_allow_next | style::allow_short |
                     style::allow_dash_for_short | style::short_allow_next;
    try {
      po::parsed_options parsed = po::command_line_parser(words).options(known_).style(form).allow_unregistered().run();
      for (const po::option& option : parsed.options) check(option);
      return parsed;
    } catch (const po::invalid_command_line_syntax& e) {
      const std::string name = e.get_option_name();
      if (e.kind() == po::invalid_syntax::extra_parameter)
        throw usage_error(name + " takes no value").hint("write " + name + " alone");
      throw lacks_value(name, "");
    }
  }

  // Into the command's values.
  void take(const po::parsed_options& parsed) const {
    take_arguments(parsed);
    po::variables_map values;
    try {
      po::store(parsed, values);
    } catch (const po::multiple_occurrences& e) {
      std::vector<std::string> found;
      for (const po::option& option : parsed.options)
        if ("--" + option.string_key == e.get_option_name() && !option.value.empty()) found.push_back(quoted(option.value[0]));
      throw usage_error(e.get_option_name() + " is given more than once" +
                        (found.empty() ? "" : fmt::format(": {}", fmt::join(found, ", "))))
          .hint("give it once");
    }
    po::notify(values);
  }

 private:
  void check(const po::option& option) const {
    const std::string& word = option.original_tokens[0];
    if (option.position_key >= 0 && word == option.value[0]) return;
    if (option.unregistered || option.position_key >= 0) throw unknown(word);  // "--=3" gets a position
    // The next word is not its value where it is an option itself; a negative number is a value.
    const std::string next = option.original_tokens.size() > 1 ? option.original_tokens[1] : "";
    const bool is_option =
        next.size() > 1 && next[0] == '-' && !std::isdigit(static_cast<unsigned char>(next[1])) && next[1] != '.';
    if (is_option) throw lacks_value(word, next);
  }

  void take_arguments(const po::parsed_options& parsed) const {
    std::size_t count = 0;
    for (const po::option& option : parsed.options) {
      if (option.position_key < 0) continue;
      const std::string& word = option.value[0];
      if (count == command_.arguments_.size() && count > 0 && command_.arguments_.back().all) --count;
      if (count == command_.arguments_.size())
        throw usage_error(quoted(word) + " is a word too many").hint("usage: " + command_.usage(program_));
      const Argument& argument = command_.arguments_[count++];
      if (word.empty())
        throw usage_error(argument.name + " is empty; expected is " + argument.doc).hint("usage: " + command_.usage(program_));
      argument.all ? argument.all->push_back(word) : void(*argument.to = word);
    }
    if (count == command_.arguments_.size() || !command_.arguments_[count].required) return;
    const Argument& missing = command_.arguments_[count];
    Error error = usage_error(fmt::format("{} needs {}: {}", command_.name_, missing.name, missing.doc));
    error.hint("usage: " + command_.usage(program_));
    if (!command_.examples_.empty()) error.hint("for example: " + program_ + " " + command_.examples_[0]);
    throw error;
  }

  Error lacks_value(const std::string& word, const std::string& next) const {
    const std::string name = word.substr(0, word.find('='));
    const po::option_description* option = find(known_, name.substr(std::min<std::size_t>(2, name.size())));
    if (!option) return unknown(word);
    const std::string value = option->format_parameter();
    Error error = usage_error(name + " lacks its value" + (next.empty() ? "" : ": what follows is the option " + quoted(next)));
    error.hint(fmt::format("{} {}: {}", name, value, option->description()));
    if (!next.empty()) error.hint(fmt::format("a value that begins with '-' is written {}={}", name, value));
    return error;
  }

  Error unknown(const std::string& word) const {
    const std::string name = word.substr(0, word.find('='));
    std::vector<std::string> names{"--help"};
    for (const auto& option : known_.options()) names.push_back("--" + option->long_name());
    Error error = usage_error(fmt::format("{} has no option {}", command_.name_, quoted(name)));
    if (const std::string near = nearest(name, names); !near.empty()) error.hint(near);
    return error.hint(fmt::format("{} {} --help lists its options", program_, command_.name_));
  }

  const Command& command_;
  const std::string& program_;
  po::options_description known_;
};

void Command::run(const std::string& program, const std::vector<std::string>& words) const {
  const auto end_of_options = std::find(words.begin(), words.end(), "--");
  if (std::any_of(words.begin(), end_of_options, asks_for_help)) {
    std::cout << help(program);
    return;
  }
  const Words own(*this, program);
  own.take(own.parse(words));
  work_();
}

const Command* CommandLine::find(const std::string& command) const {
  const auto found = std::ranges::find(commands, command, &Command::name);
  return found == commands.end() ? nullptr : &*found;
}

std::string CommandLine::help() const {
  Rows rows;
  rows.title("Usage");
  rows.add(name + " " + first_word + " [OPTION]...", commands[0].summary());
  rows.add(name + " COMMAND [ARGUMENT]...", "one of these; " + name + " COMMAND --help tells all of it");
  const std::string usage = rows.text();
  rows = {};
  rows.title("Commands");
  for (const Command& command : commands) rows.add(command.name(), command.summary());
  rows.title("Options");
  rows.add(help_flags, "this text");
  rows.add("--version", "the version");
  return name + ": " + summary + "\n" + usage + rows.text() + examples_text(name, examples) + note_text(note);
}

void CommandLine::run(const std::vector<std::string>& words) const {
  const std::string first = words.empty() ? "" : words[0];
  std::vector<std::string> rest(words.begin() + (words.empty() ? 0 : 1), words.end());
  if (asks_for_help(first) || (first == "help" && rest.empty())) {
    std::cout << help();
  } else if (first == "--version") {
    std::cout << name << " " << version << "\n";
  } else if (first == "help" && find(rest[0])) {
    std::cout << find(rest[0])->help(name);
  } else if (const Command* command = find(first)) {
    command->run(name, rest);
  } else if (!first.empty() && first[0] != '-' && stands_for_first(first)) {
    commands[0].run(name, words);
  } else {
    refuse(first == "help" ? rest[0] : first);
  }
}

void CommandLine::refuse(const std::string& first) const {
  const std::string lists = fmt::format("{} {} runs one; {} --help lists the commands", name, first_word, name);
  if (first.empty()) throw usage_error("what is to be done? expected is a command or a manifest").hint(lists);
  std::vector<std::string> names;
  if (first[0] == '-') {
    const std::string option = first.substr(0, first.find('='));
    std::string having;
    for (const Command& command : commands)
      if (option.starts_with("--") && command.has_option(option.substr(2)))
        having += (having.empty() ? "" : ", ") + command.name();
    Error error = usage_error(having.empty() ? fmt::format("there is no option {} before a command", quoted(option))
                                             : fmt::format("{} stands behind its command ({})", option, having));
    if (const std::string near = nearest(option, std::vector<std::string>{"--help", "--version"}); !near.empty())
      error.hint(near);
    throw error.hint(fmt::format("usage: {} {} [OPTION]... or {} COMMAND [ARGUMENT]...", name, first_word, name));
  }
  for (const Command& command : commands) names.push_back(command.name());
  Error error = usage_error(quoted(first) + " is neither a command nor a manifest");
  if (const std::string near = nearest(first, names); !near.empty()) error.hint(near);
  throw error.hint(lists);
}

}  // namespace khost
