// The likeliest mistakes of a plugin's author, and what is said of each: tests/golden/authors.txt. After a wanted change,
// KHOST_REGENERATE=1 build/bin/khost_e2e -tc='authors: *' writes it anew.

#include <doctest/doctest.h>

#include <cstdlib>
#include <regex>

#include "e2e/khost_program.hpp"
#include "khost/plugin.hpp"

using namespace khost;
using namespace khost::test;

namespace {

const std::string sources = KHOST_SOURCE_DIR "/tests/mistaken/", golden = KHOST_SOURCE_DIR "/tests/golden/authors.txt";

constexpr const char* preface =
    R"(What khost says to the author of a plugin, mistake by mistake: what was written, what was run, and the answer.
tests/e2e/authors_test.cpp makes this from the small plugins of tests/mistaken.
)";

// What a case puts into the manifest, and what is run with it.
enum class As { probe, policies, optimizer, data };
struct Case {
  std::string title;
  std::string mistake;  // of plugin mistaken
  As as = As::probe;
  std::string manifest = "";  // instead: the line of the manifest
  std::string shown = "";     // instead of the source's line
  std::vector<std::string> command = {"run", "m.manifest"};
};

struct Chapter {
  std::string title;
  std::vector<Case> cases;
};

Case in_manifest(std::string title, std::string manifest, std::string shown = "") {
  return {std::move(title), "", As::probe, std::move(manifest), std::move(shown)};
}

const std::vector<Chapter> chapters = {
    {"A plugin that is not found, or not fit",
     {in_manifest("a misspelt plugin", R"("probes": [{"plugin": "effective_rnak"}])"),
      in_manifest("a plugin that lies in no folder that is searched", R"("probes": [{"plugin": "my_own"}])"),
      in_manifest("a probe where a data source is expected", R"("data": {"plugin": "snr"})"),
      in_manifest("a file that was renamed", R"("probes": [{"plugin": "misnamed"}])",
                  R"(misnamed.so: KHOST_PLUGIN(khost::probe<P>("good", ...)))"),
      in_manifest("no KHOST_PLUGIN", R"("probes": [{"plugin": "no_entry"}])", "no_entry.cpp without KHOST_PLUGIN(...)"),
      in_manifest("built before a header changed", R"("probes": [{"plugin": "wrong_fingerprint"}])",
                  "built with another framework/include"),
      in_manifest("built by another compiler", R"("probes": [{"plugin": "wrong_compiler"}])", "built by gcc-1")}},
    {"Parameters",
     {in_manifest("a misspelt parameter", R"("probes": [{"plugin": "effective_rank", "evry": 2}])"),
      in_manifest("a value out of range", R"("probes": [{"plugin": "alpha_dropout", "rate": 1.5}])"),
      in_manifest("a value of another type", R"("probes": [{"plugin": "effective_rank", "every": "2"}])"),
      in_manifest("a parameter declared twice", R"("probes": [{"plugin": "field_twice"}])"),
      in_manifest("a parameter that khost takes itself", R"("probes": [{"plugin": "host_key"}])"),
      in_manifest("a default out of its own range", R"("probes": [{"plugin": "default_out_of_range"}])"),
      in_manifest("a Config without fields()", R"("probes": [{"plugin": "no_fields", "every": 3}])",
                  "struct Config { std::int64_t every = 2; };")}},
    {"What declare() says",
     {{"a misspelt signal", "misspelt signal"},
      {"a basis without a rank", "basis without a rank"},
      {"a unit that is none", "unit of none"},
      {"a record's name with a space", "name with a space"},
      {"a record declared twice", "record declared twice"},
      {"a null of a record that was renamed", "null of a renamed record"},
      {"a change that nothing allows", "changes what nothing allows"},
      {"two policies that change the same", "two policies", As::policies},
      {"a record of which no null is said",
       "",
       As::probe,
       "",
       "s.emit(\"norm\", \"nats\", \"norm of alpha's gradient\");",
       {"inspect", "mistaken"}}}},
    {"What a probe does",
     {{"a constructor that throws", "constructor throws"},
      {"a constructor that refuses its parameters", "constructor refuses"},
      {"an exception in observe()", "observe throws"},
      {"a signal that was not declared", "undeclared signal"},
      in_manifest("a signal at a step for which it was not declared", R"("probes": [{"plugin": "mistaken_step"}])",
                  "s.need(\"alpha.grad\", khost::every(2)).need(\"loss\");  ...  step[\"alpha.grad\"];"),
      {"a misspelt array of a signal", "misspelt array"},
      {"one number of a signal that has many", "not one number"},
      {"a record that was not declared", "undeclared record"},
      {"a record made twice in a step", "record twice in a step"},
      {"a record that is not a number", "not finite"},
      {"an exception in conclude()", "conclude throws"},
      {"alphas of another shape", "alphas of another shape"},
      {"a loss on text that was not declared", "undeclared part"},
      {"a policy that did not declare its change", "undeclared change"},
      {"a null that is declared and not drawn", "null never drawn"},
      {"an exception in null()", "null throws"}}},
    {"What an optimizer and a data source do",
     {{"an optimizer's constructor that throws", "optimizer's constructor throws", As::optimizer},
      {"an optimizer that counts its state wrongly", "no slots", As::optimizer},
      {"an exception in update()", "update throws", As::optimizer},
      {"a data source's constructor that throws", "data's constructor throws", As::data},
      {"a token beyond the vocabulary", "token beyond the vocabulary", As::data}}}};

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size()))
    text.replace(at, what.size(), by);
  return text;
}

// As its author wrote it: of plugin mistaken the line that makes the mistake, of another one its fields.
std::string line_of(const std::string& mistake) {
  const std::string source = read(sources + "mistaken.cpp"), test = "\"" + mistake + "\")";
  const std::size_t at = source.find(test);
  REQUIRE_MESSAGE(at != std::string::npos, "tests/mistaken/mistaken.cpp has no line for " << mistake);
  const std::size_t begin = at + test.size() + 1;
  std::string line = source.substr(begin, source.find(";\n", begin) + 1 - begin);
  line.erase(0, line.find_first_not_of(" \n"));
  return std::regex_replace(line, std::regex("\\s*\n\\s*"), " ");
}

std::string fields_of(const std::string& plugin) {
  const std::string source = read(sources + plugin + ".cpp");
  const std::size_t begin = source.find("struct Config"), end = source.find("  };", begin) + 4;
  return begin == std::string::npos ? "" : replaced(source.substr(begin, end - begin), "\n  ", "\n");
}

std::string component_of(const Case& c) {
  return "{\"plugin\": \"mistaken\"" + (c.mistake.empty() ? "" : ", \"mistake\": \"" + c.mistake + "\"") + "}";
}

std::string manifest_line(const Case& c) {
  if (!c.manifest.empty()) return c.manifest;
  switch (c.as) {
    case As::probe:
      return "\"probes\": [" + component_of(c) + "]";
    case As::policies:
      return "\"probes\": [{\"plugin\": \"alpha_dropout\"}, " + component_of(c) + "]";
    case As::optimizer:
      return "\"optimizer\": " + component_of(c);
    case As::data:
      return "\"data\": {\"plugin\": \"mistaken\", \"mistake\": \"" + c.mistake + "\", \"sequence\": 7}";
  }
  return "";
}

// What was wrong in it: code, or where that says nothing the manifest.
std::string shown(const Case& c) {
  if (!c.shown.empty()) return c.shown;
  if (!c.mistake.empty()) return line_of(c.mistake);
  const std::size_t name = c.manifest.find("\"plugin\": \"") + 11;
  const std::string plugin = c.manifest.substr(name, c.manifest.find('"', name) - name);
  return std::filesystem::exists(sources + plugin + ".cpp") ? fields_of(plugin) : c.manifest;
}

// Of what it printed, what speaks of the mistake: the error and what it says of failed trials; of khost inspect the part on
// noise.
std::string answer(const Finished& o) {
  if (const std::size_t noise = o.out.find("what noise alone would give"); noise != std::string::npos)
    return o.out.substr(noise, o.out.find("\n\n", noise) + 1 - noise);
  std::string text;
  for (const char* begin : {"\nfailed: ", "\nand ", " is NaN", " is inf"})
    if (const std::size_t at = o.out.find(begin); at != std::string::npos && text.empty()) {
      const std::size_t line = o.out.rfind('\n', at) + 1;
      const std::size_t from = *begin == '\n' ? at + 1 : line;
      text = o.out.substr(from, o.out.find("\n\n", from) + 1 - from);
    }
  if (const std::size_t error = o.err.find("khost: "); error != std::string::npos) return text + o.err.substr(error);
  std::istringstream said(o.err);
  for (std::string line; std::getline(said, line);)
    if (line.starts_with("warning: ")) text += line + "\n";
  return text;
}

std::string normalised(std::string text, const Khost& khost) {
  text = replaced(text, khost.scratch.folder() + "/", "");
  text = replaced(text, std::filesystem::path(KHOST_BINARY_DIR).lexically_normal().string(), "<build>");
  text = replaced(text, KHOST_SOURCE_DIR "/", "");
  text = std::regex_replace(text, std::regex("    [^\n]*/lib/khost/plugins[^\n]*"), "    <installed plugins>");
  return std::regex_replace(text, std::regex("(sdk\\.probe=|hash is |khost's is )[0-9a-f]{16}"), "$1<hash>");
}

std::string section(const std::string& title, const std::string& shown, const std::string& command, const std::string& said) {
  std::string text = "\n== " + title + "\n";
  for (std::size_t at = 0; at < shown.size();) {
    const std::size_t end = std::min(shown.find('\n', at), shown.size());
    text += "    " + shown.substr(at, end - at) + "\n";
    at = end + 1;
  }
  return text + "$ " + command + "\n" + said;
}

std::string section_of(const Case& c) {
  Khost khost;
  const std::regex bad("misnamed|no_entry|wrong_");  // plugins of tests/bad_plugins
  khost.plugin_path = std::regex_search(c.manifest, bad) ? KHOST_BINARY_DIR "/bad_plugins" : KHOST_BINARY_DIR "/mistaken";
  std::string more = manifest_line(c);
  for (const auto& [key, value] : {std::pair{"data", R"({"plugin": "synthetic", "vocab": 31, "sequence": 7, "tokens": 2000})"},
                                   std::pair{"optimizer", R"({"plugin": "sgd"})"}})
    if (more.find("\"" + std::string(key) + "\"") == std::string::npos)
      more = "\"" + std::string(key) + "\": " + value + ",\n  " + more;
  write(khost.scratch / "m.manifest", R"({
  "khost": 1, "experiment": "mine", "seeds": 3, "steps": 4,
  "model": {"plugin": "gpt", "d_model": 8, "n_layer": 1, "n_head": 1},
  "adapter": {"rank": 2}, "bases": {"plain": {"steps": 0}}, "arms": {"A": {}},
  )" + more + "\n}\n");
  std::vector<std::string> arguments = c.command;
  std::string command = "khost";
  for (const std::string& word : arguments) command += " " + word;
  if (arguments.front() == "run") arguments.insert(arguments.end(), {"--out", "run", "--threads", "1", "--jobs", "1"});
  const Finished o = khost(arguments);
  CAPTURE(c.title);
  CHECK(o.code <= 4);  // an answer, not a crash
  return section(c.title, shown(c), command, normalised(answer(o), khost));
}

// What the compiler of this build says of a source, by lines that speak of an error.
std::string compiled(const std::string& name, const std::string& kind) {
  const Khost khost;
  const std::string command = std::string(KHOST_CXX) +
                              " -std=c++20 -fsyntax-only -fdiagnostics-color=never -DKHOST_PLUGIN_KIND=" + kind + " -I" +
                              KHOST_SOURCE_DIR "/framework/include -I" KHOST_BINARY_DIR "/generated " + sources +
                              "uncompilable/" + name + ".cpp > " + khost.scratch / "said" + " 2>&1";
  CHECK(std::system(command.c_str()) != 0);
  std::istringstream said(read(khost.scratch / "said"));
  std::string text;
  for (std::string line; std::getline(said, line);)
    if (line.find("error: ") != std::string::npos) {
      line = std::regex_replace(line, std::regex(":[0-9]+:[0-9]+: "), ": ");
      if (text.find(line) == std::string::npos) text += line + "\n";
    }
  const std::string source = read(sources + "uncompilable/" + name + ".cpp");
  std::string shown = source.substr(3, source.find('\n') - 3);  // its first line: how it is built
  return "\n" + shown + "\n" + std::regex_replace(replaced(text, KHOST_SOURCE_DIR "/", ""), std::regex("‘|’"), "'");
}

bool same_build() {
  const std::string text = detail::fingerprint(detail::only(Kind::probe)).text;
  return std::regex_replace(text, std::regex("probe=[0-9a-f]+"), "probe=") ==
         "abi=1;sdk.probe=;compiler=gcc-12;std=202002;cxx11abi=1;debug=0;rtti=1;asan=0;tsan=0";
}

}  // namespace

TEST_CASE("authors: what is said of each mistake is what the golden file says") {
  std::string all = preface;
  const auto heading = [&](const std::string& title) { all += "\n\n" + title + "\n" + std::string(title.size(), '-') + "\n"; };
  for (const Chapter& chapter : chapters) {
    heading(chapter.title);
    for (const Case& c : chapter.cases) all += section_of(c);
  }
  if (!same_build()) return;  // another compiler's fingerprint and messages
  heading("What the compiler says");
  for (const auto& [name, title, kind] :
       {std::tuple{"wrong_kind", "another kind than the plugin's in khost_add_plugin()", "optimizer"},
        std::tuple{"no_declare", "a probe without declare()", "probe"},
        std::tuple{"no_config", "a probe without Config", "probe"}}) {
    const std::string said = compiled(name, kind);
    const std::size_t line = said.find('\n', 1);
    all += section(title, said.substr(1, line - 1), "ninja", said.substr(line + 1));
  }
  if (std::getenv("KHOST_REGENERATE")) write(golden, all);
  CHECK(all == read(golden));
}
