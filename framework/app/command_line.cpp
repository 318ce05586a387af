// All commands of a program: which one is meant, and help on them.
#include "command_line.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iostream>

#include "command_text.hpp"
#include "report/text.hpp"
#include "shell_answer.hpp"

namespace khost {

const Command* CommandLine::find(const std::string& command) const {
  for (const Group& group : groups)
    for (const Command& each : group.commands)
      if (each.name() == command) return &each;
  return nullptr;
}

std::vector<std::string> CommandLine::names() const {
  std::vector<std::string> all;
  for (const Group& group : groups)
    for (const Command& each : group.commands) all.push_back(each.name());
  return all;
}

std::string CommandLine::help() const {
  std::size_t titles = 0, longest = 0;
  for (const Group& group : groups) titles = std::max(titles, group.title.size());
  for (const std::string& each : names()) longest = std::max(longest, each.size());
  std::string out = name + ": " + summary + "\n\n  " + name + " " + first_word + " [OPTION]...\n  " + name +
                    " COMMAND [ARGUMENT]... [OPTION]...\n\n";
  for (const Group& group : groups)
    for (const Command& each : group.commands)
      add_lines(out, each.summary(), help_width,
                left(&each == &group.commands[0] ? group.title : "", titles + 2) + left(each.name(), longest + 2),
                std::string(titles + longest + 4, ' '));
  return out + note_text(note);
}

void CommandLine::run(const std::vector<std::string>& words) const {
  const std::string word = words.empty() ? "" : words[0];
  std::vector<std::string> rest(words.begin() + (words.empty() ? 0 : 1), words.end());
  if (asks_for_help(word) || (word == "help" && (rest.empty() || asks_for_help(rest[0])))) {
    std::cout << help();
  } else if (word == "--version") {
    std::cout << name << " " << version << "\n";
  } else if (word == "help" && find(rest[0])) {
    std::cout << find(rest[0])->help(name);
  } else if (word == "complete") {  // what shells call; a person has no use for it
    std::cout << answer_to_shell(*this, rest);
  } else if (word == "man") {
    std::cout << man_page();
  } else if (const Command* command = find(word)) {
    command->run(name, rest);
  } else if (!word.empty() && word[0] != '-' && stands_for_first(word)) {
    first().run(name, words);
  } else {
    refuse(word == "help" ? rest[0] : word);
  }
}

void CommandLine::refuse(const std::string& word) const {
  const std::string lists = fmt::format("{} {} runs one; {} --help lists the commands", name, first_word, name);
  if (word.empty()) throw usage_error("what is to be done? expected is a command or a manifest").hint(lists);
  const std::vector<std::string> own{"--help", "--version"};
  if (word[0] == '-') {
    const std::string option = word.substr(0, word.find('='));
    std::vector<std::string> having;
    for (const std::string& each : names())
      if (option.starts_with("--") && find(each)->find_option(option.substr(2))) having.push_back(each);
    Error error = usage_error(having.empty() ? fmt::format("there is no option {} before a command", quoted(option))
                                             : fmt::format("{} stands behind its command ({})", option, fmt::join(having, ", ")));
    const std::string near = option == "-v" || option == "-V" ? "did you mean '--version'?" : nearest(option, own);
    if (!near.empty()) error.hint(near);
    throw error.hint(fmt::format("usage: {} {} [OPTION]... or {} COMMAND [ARGUMENT]...", name, first_word, name));
  }
  Error error = usage_error(quoted(word) + " is neither a command nor a manifest");
  const std::vector<std::string> meant = nearest_first ? nearest_first(word) : std::vector<std::string>();
  if (!meant.empty())
    error.hint(fmt::format("did you mean '{}'?", fmt::join(meant, "', '")));
  else if (std::ranges::count(own, "--" + word))
    error.hint(fmt::format("did you mean '--{}'?", word));
  else if (const std::string near = nearest(word, names()); !near.empty())
    error.hint(near);
  throw error.hint(lists);
}

}  // namespace khost
