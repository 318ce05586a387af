// One command line read into the command's values, and what is wrong with it.
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
#include <iostream>

#include "command_line.hpp"
#include "command_text.hpp"

namespace khost {

namespace po = boost::program_options;

class Command::Words {
 public:
  Words(const Command& command, const std::string& program) : command_(command), program_(program) {
    known_.add(*command.parsed_).add_options()("help,h", po::bool_switch());
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
      const Argument* found = command_.find_argument(count++);
      if (!found) throw usage_error(quoted(word) + " is a word too many").hint("usage: " + command_.usage(program_));
      const Argument& argument = *found;
      if (word.empty())
        throw usage_error(argument.name + " is empty; expected is " + argument.doc).hint("usage: " + command_.usage(program_));
      if (argument.kind.expect) argument.kind.expect(word);
      argument.all ? argument.all->push_back(word) : void(*argument.to = word);
    }
    if (count >= command_.arguments_.size() || !command_.arguments_[count].required) return;
    const Argument& missing = command_.arguments_[count];
    Error error = usage_error(fmt::format("{} needs {}: {}", command_.name_, missing.name, missing.doc));
    error.hint("usage: " + command_.usage(program_));
    if (!command_.examples_.empty()) error.hint("for example: " + program_ + " " + command_.examples_[0]);
    throw error;
  }

  Error lacks_value(const std::string& word, const std::string& next) const {
    const std::string name = word.substr(0, word.find('='));
    const Option* option = command_.find_option(name.substr(std::min<std::size_t>(2, name.size())));
    if (!option) return unknown(word);
    Error error = usage_error(name + " lacks its value" + (next.empty() ? "" : ": what follows is the option " + quoted(next)));
    error.hint(fmt::format("{} {}: {}", name, option->value, option->doc));
    if (!next.empty()) error.hint(fmt::format("a value that begins with '-' is written {}={}", name, option->value));
    return error;
  }

  Error unknown(const std::string& word) const {
    const std::string name = word.substr(0, word.find('='));
    std::vector<std::string> names{"--help"};
    for (const Option& option : command_.options_) names.push_back("--" + option.name);
    Error error = usage_error(fmt::format("{} has no option {}", command_.name_, quoted(name)));
    if (is_key(name))
      error.hint(fmt::format("it is a key of the manifest: --set {}=VALUE", name.substr(2)));
    else if (const std::string near = nearest(name, names); !near.empty())
      error.hint(near);
    return error.hint(fmt::format("{} {} --help lists its options", program_, command_.name_));
  }

  // "--steps 10", where --set steps=10 is meant.
  bool is_key(const std::string& name) const {
    const Option* set = command_.find_option("set");
    if (!set || !set->completes || name.size() <= 2) return false;
    return std::ranges::count(set->completes({name.substr(2), {}}), name.substr(2) + "=", &Candidate::word) > 0;
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

}  // namespace khost
