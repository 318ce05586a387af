// The command line as a person meets it: help that fits a screen, and mistakes that are named with what was expected.
#include <doctest/doctest.h>

#include <algorithm>
#include <sstream>

#include "e2e/khost_program.hpp"

using namespace khost::test;

namespace {

// As the program's help lists them, in its order.
std::vector<std::string> commands_of(const std::string& help) {
  std::vector<std::string> commands;
  std::istringstream lines(help);
  for (std::string line; std::getline(lines, line);)
    if (const std::size_t at = line.find_first_not_of(' ', 13); line.size() > 13 && at == 13 && line[12] == ' ')
      commands.push_back(line.substr(13, line.find(' ', 13) - 13));
  return commands;
}

// The message of a mistake: exit code 2, nothing on stdout, and khost's form of an error.
std::string refused(const Khost& khost, const std::vector<std::string>& words) {
  const Finished o = khost(words);
  CHECK(o.code == 2);
  CHECK(o.out.empty());
  CHECK(o.err.starts_with("khost: "));
  return o.err;
}

}  // namespace

TEST_CASE("help: one screen each, on stdout, with all commands and options") {
  const Khost khost;
  const Finished all = khost({"--help"});
  CHECK(std::ranges::count(all.out, '\n') <= 23);  // 24 with the prompt
  const std::vector<std::string> commands = commands_of(all.out);
  for (const char* command : {"run", "plan", "report", "show", "claims", "compare", "export", "list", "inspect", "new",
                              "register", "doctor", "clean"}) {
    INFO(command);
    CHECK(std::ranges::count(commands, command) == 1);
  }
  CHECK(khost({"-h"}).out == all.out);
  CHECK(khost({"help"}).out == all.out);

  std::vector<Finished> pages{all};
  for (const std::string& command : commands) {
    INFO(command);
    pages.push_back(khost({command, "--help"}));
    CHECK(pages.back().out.starts_with("khost " + command + ": "));
    CHECK(has(pages.back().out, "\nUsage\n  khost " + command));
    CHECK(khost({"help", command}).out == pages.back().out);
    CHECK(khost({command, "-h"}).out == pages.back().out);
  }
  for (const Finished& page : pages) {
    INFO(page.out);
    CHECK(page.code == 0);
    CHECK(page.err.empty());
    std::istringstream lines(page.out);
    int count = 0;
    for (std::string line; std::getline(lines, line); ++count) {
      CHECK(line.size() <= 80);
      CHECK(!line.ends_with(' '));
    }
    CHECK(count <= 40);
  }
  for (const char* option : {"--set KEY=VALUE", "--seeds N", "--backend NAME", "--threads N", "--jobs N", "--out FOLDER"})
    CHECK(has(khost({"run", "--help"}).out, std::string("\n  ") + option + " "));
  // Help wins over what else stands there, but not behind the end of options.
  CHECK(khost({"run", "--frobnicate", "--help"}).code == 0);
  CHECK(has(refused(khost, {"run", "--", "--help"}), "--help: there is no such file"));

  const Finished version = khost({"--version"});
  CHECK(version.code == 0);
  CHECK(version.out == "khost " KHOST_VERSION "\n");
}

TEST_CASE("a word that is no command, and an option before the command") {
  const Khost khost;
  CHECK(has(refused(khost, {}), "expected is a command or a manifest"));
  const std::string near = refused(khost, {"inspct", "snr"});
  CHECK(has(near, "'inspct' is neither a command nor a manifest\n  did you mean 'inspect'?"));
  CHECK(has(near, "khost --help lists the commands"));
  CHECK(has(refused(khost, {"help", "claim"}), "did you mean 'claims'?"));
  CHECK(has(refused(khost, {"--versoin"}), "did you mean '--version'?"));
  CHECK(has(refused(khost, {"--seeds", "3", "x.manifest"}), "--seeds stands behind its command (run, plan, show, register)"));
  CHECK(has(refused(khost, {"--"}), "no option '--' before a command"));
  for (const char* word : {"version", "-v", "-V", "--vers", "-version"}) {
    INFO(word);
    CHECK(has(refused(khost, {word}), "did you mean '--version'?"));
  }
}

TEST_CASE("a manifest or a run that is not where it is said to be") {
  const Khost khost;
  std::filesystem::create_directories(khost.scratch / "experiments/empty");
  std::filesystem::create_directories(khost.scratch / "runs/small/0123");
  khost.manifest("", "experiments/paper85.manifest");
  write(khost.scratch / "runs/small/0123/run.db", "");
  write(khost.scratch / "runs/small/0123/resolved.manifest", "{}");
  write(khost.scratch / "notes.md", "# notes");
  const std::string meant = "\n  did you mean 'experiments/paper85.manifest'?";
  CHECK(has(refused(khost, {"paper85"}), "'paper85' is neither a command nor a manifest" + meant));
  CHECK(has(refused(khost, {"run", "paper85"}), "paper85: there is no such file" + meant));
  CHECK(has(refused(khost, {"paper58.manifest"}), "paper58.manifest: there is no such file" + meant));
  CHECK(has(refused(khost, {"experiments"}),
            "experiments: this is a folder, not a manifest\n  manifests in it: experiments/paper85.manifest"));
  CHECK(has(refused(khost, {"plan", "experiments/empty"}), "it holds no file whose name ends with .manifest"));
  CHECK(has(refused(khost, {"runs/small/0123"}),
            "this is a run's folder, not a manifest\n  the manifest that it ran: runs/small/0123/resolved.manifest"));
  CHECK(has(refused(khost, {"run", "notes.md"}), "notes.md: this is no manifest: expected is JSON"));
  CHECK(has(refused(khost, {"show", "experiments/paper85.manifest"}),
            "is a manifest; expected is the folder of a run of it\n  runs: runs/small/0123"));
  CHECK(has(refused(khost, {"claims", "runs/small"}), "there is no run in 'runs/small'\n  runs: runs/small/0123"));
}

TEST_CASE("an option that does not exist is never taken for another") {
  const Khost khost;
  const std::string manifest = khost.manifest();
  const auto near = [&](const std::string& word, const std::string& expected) {
    INFO(word);
    const std::string said = refused(khost, {"plan", manifest, word, "1"});
    CHECK(has(said, "plan has no option '" + word.substr(0, word.find('=')) + "'\n  did you mean '" + expected + "'?"));
    CHECK(has(said, "khost plan --help lists its options"));
  };
  near("--seed", "--seeds");  // an abbreviation
  near("--back", "--backend");
  near("--seesd=3", "--seeds");
  near("-jobs", "--jobs");
  near("--Threads", "--threads");
  near("--thread", "--threads");    // singular
  near("--backends", "--backend");  // plural
  CHECK(has(refused(khost, {"run", manifest, "--output", "x"}), "did you mean '--out'?"));
  CHECK(has(refused(khost, {"plan", manifest, "--steps", "3"}), "it is a key of the manifest: --set steps=VALUE"));
  CHECK(has(refused(khost, {"plan", manifest, "--out", "x"}), "plan has no option '--out'"));
  CHECK(has(refused(khost, {"plan", "--MANIFEST", manifest}), "plan has no option '--MANIFEST'"));
  for (const char* word : {"-x", "-5", "--=3"})
    CHECK(has(refused(khost, {"plan", manifest, word}),
              std::string("plan has no option '") + (word[2] == '=' ? "--" : word) + "'"));
  CHECK(has(refused(khost, {"plan", "@" + manifest}), "there is no such file"));  // no file of options
}

TEST_CASE("a value that is missing, empty, out of range, or given twice") {
  const Khost khost;
  const std::string manifest = khost.manifest();
  const auto said = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {"run", manifest});
    return refused(khost, words);
  };
  const std::string what = "\n  --seeds N: how many seeds, from 0 (1 to 100000)";
  for (const auto& words : std::vector<std::vector<std::string>>{{"--seeds"}, {"--seeds="}})
    CHECK(has(said(words), "--seeds lacks its value" + what));
  CHECK(has(said({"--seeds", "--jobs", "2"}), "--seeds lacks its value: what follows is the option '--jobs'" + what));
  CHECK(has(said({"--out", "--seeds=1"}), "a value that begins with '-' is written --out=FOLDER"));
  CHECK(has(said({"--set", "--jobs", "2"}), "--set lacks its value: what follows is the option '--jobs'"));
  CHECK(has(said({"--out", ""}), "--out is given an empty value\n  --out FOLDER: the run's folder"));
  for (const char* value : {"0", "-5", "100001", "99999999999999999999", "3.5", "1e3", "0x10", " 3", "3 ", "three"}) {
    INFO(value);
    CHECK(has(said({"--seeds", value}),
              "--seeds takes a whole number from 1 to 100000, found '" + std::string(value) + "'" + what));
  }
  CHECK(has(said({"--seeds", ""}), "--seeds is given an empty value" + what));
  CHECK(has(said({"--seeds", "1", "--seeds=2"}), "--seeds is given more than once: '1', '2'\n  give it once"));
  CHECK(has(said({"--set", "steps"}), "--set takes KEY=VALUE, found 'steps'"));
  CHECK(has(refused(khost, {"list", "--json", "--json"}), "--json is given more than once"));
  CHECK(has(refused(khost, {"list", "--json=yes"}), "--json takes no value\n  write --json alone"));
}

TEST_CASE("arguments: one that is missing, empty, or too many") {
  const Khost khost;
  const std::string missing = refused(khost, {"run", "--seeds", "3"});
  CHECK(has(missing, "run needs MANIFEST: the experiment's manifest\n  usage: khost run MANIFEST [OPTION]..."));
  CHECK(has(missing, "for example: khost run experiments/"));
  CHECK(has(refused(khost, {"inspect"}), "inspect needs PLUGIN: a plugin's name, or the path of its file"));
  CHECK(has(refused(khost, {"claims"}), "usage: khost claims RUN [CLAIM] [OPTION]..."));
  CHECK(has(refused(khost, {"run", ""}), "MANIFEST is empty"));
  CHECK(has(refused(khost, {"run", khost.manifest(), "other"}), "'other' is a word too many"));
  CHECK(has(refused(khost, {"list", "snr"}), "'snr' is a word too many\n  usage: khost list [OPTION]..."));
}

TEST_CASE("the forms that a command line may take") {
  const Khost khost;
  const std::string manifest = khost.manifest();
  const Finished usual = khost({"plan", manifest, "--seeds", "1", "--set", "steps=3", "--set", "adapter.rank=4", "--threads=1"});
  REQUIRE(usual.code == 0);
  CHECK(has(usual.out, "arm A: svd basis, diagonal core, K = 4, 3 steps"));
  const auto hash = [](const Finished& o) { return o.out.substr(0, o.out.find('\n')); };
  // Options before and behind the argument, values joined or not, and the end of options.
  for (const auto& words : std::vector<std::vector<std::string>>{
           {"plan", "--threads", "1", "--set=steps=3", "--set=adapter.rank=4", "--seeds=1", manifest},
           {"plan", "--seeds=1", "--set", "adapter.rank=4", "--threads", "1", "--set", "steps=3", "--", manifest}})
    CHECK(hash(khost(words)) == hash(usual));
  // A file whose name begins with '-', and a folder that does.
  write(khost.scratch / "-odd.manifest", read(manifest));
  const Finished run = khost({"run", "--out=-odd", "--seeds", "1", "--", "-odd.manifest"});
  CHECK(run.code == 0);
  CHECK(has(read(khost.scratch / "-odd/summary.json"), "\"small\""));
}

TEST_CASE("who reads the output may leave: that is no error; a disk that is full is one") {
  const Khost khost;
  const std::string program = KHOST_BINARY_DIR "/bin/khost", err = khost.scratch / "err";
  const auto code = [&](const std::string& command) {
    return WEXITSTATUS(std::system(("bash -c '" + command + "; exit ${PIPESTATUS[0]}' 2> " + err).c_str()));
  };
  CHECK(code("{ sleep 0.3; " + program + " list --json; } | true") == 0);  // true is gone by then
  CHECK(read(err) == "");
  CHECK(code(program + " list --json > /dev/full") == 2);
  CHECK(has(read(err), "the output could not be written"));
}
