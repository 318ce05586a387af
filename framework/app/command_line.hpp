// The command line. A command declares name, summary, arguments, options and examples in one place; help, the manual page, what a
// shell completes and the answer to every mistake follow from that.
//
//   Command plan_command() {
//     Command command("plan", "what a manifest would run, and what it costs");
//     auto& o = command.values<Options>();               // lives as long as the command
//     command.argument("MANIFEST", o.manifest, "the experiment's manifest", {completes::manifests});
//     command.option("seeds", "N", o.seeds, {1, 1000}, "how many seeds");
//     command.does([&o] { plan(o); });
//     return command;
//   }
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace boost::program_options {
class options_description;
}

namespace khost {

struct Range {
  int low, high;  // both may be given
};

// A word that may stand where the cursor is. One that ends with '/', '.' or '=' goes on: no space follows it.
struct Candidate {
  std::string word, doc;
};

// A line up to the cursor, as whoever completes a word of it sees it.
struct Typed {
  std::string word;                                       // of the word under the cursor, without an option's name before it
  std::map<std::string, std::vector<std::string>> given;  // by the name of an argument (RUN) or of an option (seeds)

  std::string first(const std::string& name) const;  // "" when it is not given
};

// What may stand for a value; candidates that do not begin with the word typed are dropped. completes.hpp has khost's.
using Completes = std::function<std::vector<Candidate>(const Typed&)>;

// Of an argument: what completes it, and what throws a usage Error for a word that can never be right.
struct WordKind {
  Completes completes = {};
  std::function<void(const std::string&)> expect = {};
};

// Its usage errors name what was found, what was expected and what to do.
class Command {
 public:
  struct Argument {
    std::string name, doc;
    bool required;
    WordKind kind;
    std::string* to;
    std::vector<std::string>* all = nullptr;  // takes this word and all after it, in place of `to`
  };
  struct Option {
    std::string name, value, doc;  // --NAME VALUE; a flag has no value
    bool many;                     // may be repeated
    Completes completes;
  };

  Command(std::string name, std::string summary);

  // Where the command's values are put; once a command, and before what refers to them.
  template <class T>
  T& values() {
    auto made = std::make_shared<T>();
    values_ = made;
    return *made;
  }

  // By position, in the order of declaration. One that may be left out leaves `to` as it is; it comes last.
  void argument(const std::string& name, std::string& to, const std::string& doc, WordKind kind = {});
  void optional_argument(const std::string& name, std::string& to, const std::string& doc, WordKind kind = {});
  // So many or more words, all that are left; the last of the arguments.
  void arguments(const std::string& name, std::size_t least, std::vector<std::string>& to, const std::string& doc,
                 WordKind kind = {});

  // --NAME VALUE or --NAME=VALUE, at most once; `value` says in capitals what is expected. What is not given is left as it is.
  void option(const std::string& name, const std::string& value, std::string& to, const std::string& doc,
              Completes completes = {});
  void option(const std::string& name, const std::string& value, std::optional<std::string>& to, const std::string& doc,
              Completes completes = {});
  void option(const std::string& name, const std::string& value, std::optional<int>& to, Range range, const std::string& doc);
  // As often as one likes.
  void option(const std::string& name, const std::string& value, std::vector<std::string>& to, const std::string& doc,
              Completes completes = {});
  // --NAME, without a value.
  void flag(const std::string& name, bool& to, const std::string& doc);

  void example(std::string line) { examples_.push_back(std::move(line)); }  // without the program's name
  void note(std::string text) { note_ = std::move(text); }                  // below the options in its help
  void does(std::function<void()> work) { work_ = std::move(work); }

  const std::string& name() const { return name_; }
  const std::string& summary() const { return summary_; }
  const std::string& note() const { return note_; }
  const std::vector<Argument>& arguments() const { return arguments_; }
  const std::vector<Option>& options() const { return options_; }
  const std::vector<std::string>& examples() const { return examples_; }
  const Option* find_option(const std::string& name) const;  // null: it has no such option
  const Argument* find_argument(std::size_t at) const;       // of the word at that position; null: it is one too many
  std::string usage(const std::string& program) const;
  std::string help(const std::string& program) const;

  // What stands behind the command's name. Throws a usage Error.
  void run(const std::string& program, const std::vector<std::string>& words) const;

  // What may stand for the last of the words behind the command's name.
  std::vector<Candidate> complete(const std::vector<std::string>& words) const;

 private:
  class Words;

  void add_text(Option option, std::function<void(const std::string&)> take);

  std::string name_, summary_, note_;
  std::vector<Argument> arguments_;
  std::vector<Option> options_;
  std::vector<std::string> examples_;
  std::shared_ptr<boost::program_options::options_description> parsed_;  // the same options, as they are read
  std::shared_ptr<void> values_;
  std::function<void()> work_;
};

// What only the manual page says, beside what the commands declare.
struct Manual {
  struct Entry {
    std::string name, doc;
  };
  std::vector<std::string> description;  // paragraphs
  std::vector<Entry> environment, files, exits;
  std::vector<std::string> see_also;
};

// All of a program's command lines.
struct CommandLine {
  struct Group {
    std::string title;
    std::vector<Command> commands;
  };
  std::string name, version, summary;
  std::vector<Group> groups;  // in the order in which a user meets them
  // The first command is meant, too, by a first word that is `stands_for_first`, and is named by `first_word`.
  std::string first_word;
  std::function<bool(const std::string&)> stands_for_first;
  std::function<std::vector<std::string>(const std::string&)> nearest_first;  // what a first word that is wrong may have meant
  std::vector<std::string> examples;                                          // without the program's name
  std::string note;                                                           // the end of its help
  Manual manual;

  std::string help() const;
  std::string man_page() const;  // in man(7)'s language

  // Throws a usage Error, and what the command throws.
  void run(const std::vector<std::string>& words) const;

  // What may stand for the last of the words behind the program's name.
  std::vector<Candidate> complete(const std::vector<std::string>& words) const;

 private:
  const Command& first() const { return groups[0].commands[0]; }
  const Command* find(const std::string& command) const;
  std::vector<std::string> names() const;
  [[noreturn]] void refuse(const std::string& word) const;
};

}  // namespace khost
