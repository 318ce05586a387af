// The command line. A command declares name, summary, arguments, options and examples in one place; help and the answer to every
// mistake follow from that.
//
//   Command plan_command() {
//     Command command("plan", "what a manifest would run, and what it costs");
//     auto& o = command.values<Options>();               // lives as long as the command
//     command.argument("MANIFEST", o.manifest, "the experiment's manifest");
//     command.option("seeds", "N", o.seeds, {1, 1000}, "how many seeds");
//     command.does([&o] { plan(o); });
//     return command;
//   }
#pragma once

#include <functional>
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

// Its usage errors name what was found, what was expected and what to do.
class Command {
 public:
  Command(std::string name, std::string summary);

  // Where the command's values are put; once a command, and before what refers to them.
  template <class T>
  T& values() {
    auto made = std::make_shared<T>();
    values_ = made;
    return *made;
  }

  // By position, in the order of declaration. One that may be left out leaves `to` as it is; it comes last.
  void argument(const std::string& name, std::string& to, const std::string& doc);
  void optional_argument(const std::string& name, std::string& to, const std::string& doc);
  // So many or more words, all that are left; the last of the arguments.
  void arguments(const std::string& name, std::size_t least, std::vector<std::string>& to, const std::string& doc);

  // --NAME VALUE or --NAME=VALUE, at most once; `value` says in capitals what is expected. What is not given is left as it is.
  void option(const std::string& name, const std::string& value, std::string& to, const std::string& doc);
  void option(const std::string& name, const std::string& value, std::optional<std::string>& to, const std::string& doc);
  void option(const std::string& name, const std::string& value, std::optional<int>& to, Range range, const std::string& doc);
  // As often as one likes.
  void option(const std::string& name, const std::string& value, std::vector<std::string>& to, const std::string& doc);
  // --NAME, without a value.
  void flag(const std::string& name, bool& to, const std::string& doc);

  void example(std::string line) { examples_.push_back(std::move(line)); }  // without the program's name
  void note(std::string text) { note_ = std::move(text); }                  // below the options in its help
  void does(std::function<void()> work) { work_ = std::move(work); }

  const std::string& name() const { return name_; }
  const std::string& summary() const { return summary_; }
  bool has_option(const std::string& name) const;
  std::string help(const std::string& program) const;

  // What stands behind the command's name. Throws a usage Error.
  void run(const std::string& program, const std::vector<std::string>& words) const;

 private:
  struct Argument {
    std::string name, doc;
    std::string* to;
    bool required;
    std::vector<std::string>* all = nullptr;  // takes this word and all after it, in place of `to`
  };
  class Words;

  void add_text(const std::string& name, const std::string& value, const std::string& doc,
                std::function<void(const std::string&)> take);
  std::string usage(const std::string& program) const;

  std::string name_, summary_, note_;
  std::vector<Argument> arguments_;
  std::vector<std::string> examples_;
  std::shared_ptr<boost::program_options::options_description> options_;
  std::shared_ptr<void> values_;
  std::function<void()> work_;
};

// All of a program's command lines.
struct CommandLine {
  std::string name, version, summary;
  std::vector<Command> commands;
  // The first command is meant, too, by a first word that is `stands_for_first`, and is named by `first_word`.
  std::string first_word;
  std::function<bool(const std::string&)> stands_for_first;
  std::vector<std::string> examples;  // without the program's name
  std::string note;                   // the end of its help

  std::string help() const;

  // Throws a usage Error, and what the command throws.
  void run(const std::vector<std::string>& words) const;

 private:
  const Command* find(const std::string& command) const;
  [[noreturn]] void refuse(const std::string& first) const;
};

}  // namespace khost
