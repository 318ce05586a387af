// khost.1, from what the commands declare. man(7) and groff_char(7) say what is written here.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "command_line.hpp"
#include "report/text.hpp"

namespace khost {

namespace {

// Text that is shown letter for letter: '-' that can be copied into a shell, quotes as they are typed, and no line that begins
// as a request does.
std::string roff(const std::string& text) {
  std::string out;
  bool begins = true;
  for (const char c : text) {
    if (begins && (c == '.' || c == '\'')) out += "\\&";
    begins = c == '\n';
    switch (c) {
      case '\\':
        out += "\\e";
        break;
      case '-':
        out += "\\-";
        break;
      case '\'':
        out += "\\(aq";
        break;
      case '`':
        out += "\\(ga";
        break;
      case '^':
        out += "\\(ha";
        break;
      case '~':
        out += "\\(ti";
        break;
      default:
        out += c;
    }
  }
  return out;
}

// In lines that an editor shows; they are filled anew.
std::string text_of(const std::string& text) {
  std::string lines;
  add_lines(lines, text, 72, "", "");
  return roff(lines);
}

std::string bold(const std::string& text) { return "\\fB" + roff(text) + "\\fR"; }
std::string italic(const std::string& text) { return "\\fI" + roff(text) + "\\fR"; }

std::string entry(const std::string& head, const std::string& doc) { return ".TP\n" + head + "\n" + text_of(doc); }

std::string sentence(std::string text) {
  if (!text.empty()) text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
  return text + ".";
}

// Code: kept as it is, indented.
std::string example(const std::string& text) { return ".PP\n.RS 4\n.nf\n" + roff(text) + "\n.fi\n.RE\n"; }

// Words in capitals are what a user puts something else for.
std::string synopsis(const std::string& usage) {
  std::string out, word;
  const auto add = [&] {
    const bool stands_for = std::ranges::any_of(word, [](unsigned char c) { return std::isupper(c); });
    out += word.empty() ? "" : (out.empty() ? "" : " ") + (stands_for ? italic(word) : bold(word));
    word.clear();
  };
  for (const char c : usage) c == ' ' ? add() : void(word += c);
  add();
  return out;
}

std::string section(const Command& command, const std::string& program) {
  std::string out = fmt::format(".SS {}\n{}\n.PP\n{}", roff(program + " " + command.name()), synopsis(command.usage(program)),
                                text_of(sentence(command.summary())));
  const auto& arguments = command.arguments();
  for (std::size_t i = 0; i < arguments.size(); ++i)
    if (i + 1 == arguments.size() || !arguments[i].all) out += entry(italic(arguments[i].name), arguments[i].doc);
  for (const Command::Option& option : command.options())
    out += entry(bold("--" + option.name) + (option.value.empty() ? "" : " " + italic(option.value)), option.doc);
  if (!command.note().empty()) out += ".PP\n" + text_of(command.note());
  return out;
}

std::string entries(const std::string& title, const std::vector<Manual::Entry>& all) {
  std::string out = ".SH " + title + "\n";
  for (const Manual::Entry& each : all) out += entry(bold(each.name), each.doc);
  return out;
}

}  // namespace

std::string CommandLine::man_page() const {
  std::string title = name;
  std::ranges::transform(title, title.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  std::string out =
      fmt::format(".\\\" Made by {0} man from what its commands declare.\n.TH {1} 1 \"\" \"{0} {2}\" \"User Commands\"\n", name,
                  title, version);
  out += ".nh\n.ad l\n";  // options are not hyphenated, nor lines stretched
  out += ".SH NAME\n" + name + " \\- " + text_of(summary);
  out += ".SH SYNOPSIS\n" + synopsis(name + " " + first_word + " [OPTION]...") + "\n.br\n" +
         synopsis(name + " COMMAND [ARGUMENT]... [OPTION]...") + "\n.br\n" + synopsis(name + " --help | --version") + "\n";
  out += ".SH DESCRIPTION\n";
  for (const std::string& paragraph : manual.description)
    out += (&paragraph == &manual.description[0] ? "" : ".PP\n") + text_of(paragraph);
  out += ".SH COMMANDS\n";
  out += text_of("Each has --help, too. Options may stand before or behind the arguments; behind -- there are none.");
  for (const Group& group : groups)
    for (const Command& command : group.commands) out += section(command, name);
  out += entries("ENVIRONMENT", manual.environment) + entries("FILES", manual.files) + entries("EXIT STATUS", manual.exits);
  out += ".SH EXAMPLES\n";
  for (const std::string& each : examples) out += example(name + " " + each);
  for (const Group& group : groups)
    for (const Command& command : group.commands)
      for (const std::string& each : command.examples())
        if (std::ranges::count(examples, each) == 0) out += example(name + " " + each);
  out += ".SH SEE ALSO\n";
  for (const std::string& each : manual.see_also) out += (&each == &manual.see_also[0] ? "" : ".PP\n") + text_of(each);
  return out;
}

}  // namespace khost
