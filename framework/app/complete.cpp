// What may stand where the cursor is, by what the commands declare.
#include <algorithm>

#include "command_line.hpp"
#include "report/text.hpp"

namespace khost {

namespace {

bool shows(const std::string& word) {
  return std::ranges::none_of(word, [](unsigned char c) { return c < ' ' || c == 0x7f; });
}

// The words before the cursor, as a command takes them.
struct Before {
  std::map<std::string, std::vector<std::string>> given;
  const Command::Option* awaits = nullptr;  // the option whose value comes next
  std::size_t arguments = 0;
  bool options_end = false;

  Before(const Command& command, const std::vector<std::string>& words) {
    for (std::size_t i = 0; i + 1 < words.size(); ++i) take(command, words[i]);
  }

 private:
  void take(const Command& command, const std::string& word) {
    if (awaits) {
      given[awaits->name].push_back(word);
      awaits = nullptr;
    } else if (!options_end && word == "--") {
      options_end = true;
    } else if (!options_end && word.starts_with("--")) {
      const std::size_t equals = word.find('=');
      const Command::Option* option = command.find_option(word.substr(2, equals == word.npos ? equals : equals - 2));
      if (!option) return;
      std::vector<std::string>& values = given[option->name];
      if (equals != word.npos) values.push_back(word.substr(equals + 1));
      if (equals == word.npos && !option->value.empty()) awaits = option;
    } else if (const Command::Argument* argument = command.find_argument(arguments++)) {
      given[argument->name].push_back(word);
    }
  }
};

}  // namespace

std::vector<Candidate> Command::complete(const std::vector<std::string>& words) const {
  const Before before(*this, words);
  Typed typed{words.back(), before.given};
  const auto values = [&](const Completes& completes) { return completes ? completes(typed) : std::vector<Candidate>(); };
  if (before.awaits) return values(before.awaits->completes);

  const std::size_t equals = typed.word.find('=');
  if (!before.options_end && typed.word.starts_with("--") && equals != std::string::npos) {
    const std::string name = typed.word.substr(0, equals + 1);
    const Option* option = find_option(name.substr(2, equals - 2));
    typed.word.erase(0, name.size());
    std::vector<Candidate> found = option ? values(option->completes) : std::vector<Candidate>();
    for (Candidate& candidate : found) candidate.word.insert(0, name);
    return found;
  }

  std::vector<Candidate> found;
  const Argument* argument = typed.word.starts_with('-') && !before.options_end ? nullptr : find_argument(before.arguments);
  if (argument) found = values(argument->kind.completes);
  // Options where they are asked for, or where nothing else is left to be said.
  const bool has_all = !argument || (found.empty() && !argument->required);
  if (before.options_end || !has_all || !(typed.word.empty() || typed.word.starts_with('-'))) return found;
  for (const Option& option : options_)
    if (option.many || !before.given.contains(option.name))
      found.push_back({"--" + option.name, (option.value.empty() ? "" : option.value + ": ") + option.doc});
  found.push_back({"--help", "all of it, with examples"});
  return found;
}

std::vector<Candidate> CommandLine::complete(const std::vector<std::string>& words) const {
  std::vector<Candidate> found;
  if (words.empty()) return found;
  const std::string& typed = words.back();
  const auto add_commands = [&] {
    for (const std::string& each : names()) found.push_back({each, find(each)->summary()});
  };
  const Command* command = find(words[0]);
  if (words.size() == 1) {
    if (typed.starts_with("-")) {
      found = {{"--help", "all commands"}, {"--version", "the version"}};
    } else {
      add_commands();
      found.push_back({"help", "all of one command"});
      for (Candidate& c : first().complete(words))  // in a folder of many it would hide the commands
        if (!typed.empty() || !c.word.ends_with('/')) found.push_back(std::move(c));
    }
  } else if (command) {
    found = command->complete({words.begin() + 1, words.end()});
  } else if (words[0] == "help") {
    if (words.size() == 2) add_commands();
  } else if (stands_for_first(words[0])) {
    found = first().complete(words);
  }
  std::erase_if(found, [&](const Candidate& c) { return !c.word.starts_with(typed) || !shows(c.word); });
  for (Candidate& c : found) c.doc = shows(c.doc) ? clipped(c.doc, 100) : "";
  return found;
}

}  // namespace khost
