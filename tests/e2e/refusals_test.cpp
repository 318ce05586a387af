// Every way in which a plugin can be unfit, met as a user meets it: in a manifest that khost runs. What khost says, one refusal
// after the other, is tests/golden/refusals.txt; after a wanted change, KHOST_REGENERATE=1 ctest --test-dir build -R refusals
// writes it anew.

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <regex>
#include <string>
#include <vector>

#include "khost/plugin.hpp"
#include "unit/scratch.hpp"
#include "unit/text_file.hpp"

namespace {

namespace fs = std::filesystem;

const std::string bad_plugins = KHOST_BINARY_DIR "/bad_plugins";
const std::string pthread_openblas = bad_plugins + "/pthread/libopenblas.so.0";

// A manifest's compute key with that file for plugin cblas.
std::string cblas(const std::string& library) { return R"("compute": {"plugin": "cblas", "library": ")" + library + R"("},)"; }

const std::string fingerprint = khost::detail::fingerprint(khost::detail::only(khost::Kind::probe)).text;

constexpr const char* preface =
    "What khost says of each plugin that it refuses, and its exit code. tests/e2e/refusals_test.cpp compares and regenerates "
    "it.\n";

struct Case {
  std::string title;
  std::string probe;               // a JSON object, or the name of a fixture
  std::string more = "";           // further keys of the manifest
  std::string preload = "";        // LD_PRELOAD
  std::string second_folder = "";  // searched too, and `khost list` asked instead of `khost run`
  std::string folder = bad_plugins;
};

const std::vector<Case> cases = {
    {"no entry", "no_entry"},
    {"wrong magic", "wrong_magic"},
    {"older API", "old_api"},
    {"newer API", "new_api"},
    {"another struct size", "wrong_size"},
    {"fingerprint: other SDK headers", "wrong_fingerprint"},
    {"fingerprint: another compiler", "wrong_compiler"},
    {"fingerprint: another C++ standard", "wrong_standard"},
    {"fingerprint: a sanitizer on one side only", "wrong_sanitizer"},
    {"a C table that brings a C++ class", "c_table_probe"},
    {"no descriptors", "no_descriptors"},
    {"not an ELF file", "not_elf"},
    {"truncated", "truncated"},
    {"another architecture", "wrong_machine"},
    {"a symbol that nobody defines", "unresolved"},
    {"a second OpenMP runtime", "second_openmp"},
    {"exports more than its entry", "exports_more"},
    {"a static initialiser", "static_initialiser"},
    {"a library it needs calls exit as it is loaded", "needs_exiting", "", "", "", bad_plugins + "/exiting"},
    {"a library it needs throws as it is loaded", "needs_throwing", "", "", "", bad_plugins + "/throwing"},
    {"a kind that is not its folder's", "good", "", "", "", bad_plugins + "/plugins/optimizer"},
    {"the pthread OpenBLAS in place of the OpenMP one", "good", R"("compute": {"plugin": "openblas"},)", pthread_openblas},
    {"cblas: no library named", "good", R"("compute": {"plugin": "cblas"},)"},
    {"cblas: no such file", "good", cblas("libnone.so")},
    {"cblas: not a library", "good", cblas(bad_plugins + "/not_elf.so")},
    {"cblas: a library that is no CBLAS", "good", cblas(bad_plugins + "/good.so")},
    {"cblas: the pthread OpenBLAS", "good", cblas(pthread_openblas)},
    {"cblas: a library that brings a second OpenMP runtime", "good", cblas(bad_plugins + "/cblas/second_openmp.so")},
    {"cblas: a library that gives a wrong product", "good", cblas(bad_plugins + "/cblas/wrong_product.so")},
    {"create throws an error of khost's", R"({"plugin": "throwing", "how": "error"})"},
    {"create throws another exception", R"({"plugin": "throwing", "how": "exception"})"},
    {"create throws what is no exception", R"({"plugin": "throwing", "how": "integer"})"},
    {"a wrong product, of a table that ignores beta", "good", R"("compute": {"plugin": "ignores_beta"},)"},
    {"exit in declare", R"({"plugin": "exits", "where": "declare"})"},
    {"exit in create", R"({"plugin": "exits", "where": "create"})"},
    {"exit in observe", R"({"plugin": "exits", "where": "observe"})"},
    {"exit on a thread of parallel_for", R"({"plugin": "exits", "where": "worker"})"},
    {"an exception in a thread of its own", R"({"plugin": "exits", "where": "thread"})"},
    {"pthread_exit in observe", R"({"plugin": "exits", "where": "end_thread"})"},
    {"a thread of khost's that cancels itself", R"({"plugin": "exits", "where": "cancel"})"},
    {"an exception out of a parallel region of OpenMP's", R"({"plugin": "exits", "where": "omp"})"},
    {"an exception out of a destructor", R"({"plugin": "exits", "where": "destroy"})"},
    {"a record that would hide one of khost's own", R"({"plugin": "recorder", "fault": "shadow"})"},
    {"a record that could hide one of khost's own", R"({"plugin": "recorder", "fault": "any_shadow"})"},
    {"a record's name that cannot be read back", R"({"plugin": "recorder", "fault": "name"})"},
    {"a unit that nobody knows", R"({"plugin": "recorder", "fault": "unit"})"},
    {"no_null of a record that there is not", R"({"plugin": "recorder", "fault": "no_null"})"},
    {"a null that is never made", R"({"plugin": "recorder", "fault": "null"})", R"("compute": {"plugin": "onednn"},)"},
    {"a base's basis without a rank", R"({"plugin": "recorder", "fault": "basis"})"},
    {"two records of one name at one step", R"({"plugin": "recorder", "fault": "twice"})"},
    {"two records of one name at the end", R"({"plugin": "recorder", "fault": "twice_at_end"})"},
    {"a record made under a name that cannot be read back", R"({"plugin": "recorder", "fault": "unreadable"})"},
    {"two probes with one record", R"({"plugin": "recorder", "fault": "beside"}, {"plugin": "recorder", "as": "shared"})"},
    {"two plugins of one name in a file", "twice"},
    {"two plugins of one name in two folders, as khost list shows them", "good", "", "", bad_plugins + "/hidden"},
    {"a name that is not its file's", "misnamed"},
    {"no such plugin", "godo"},
    {"a kind that the manifest does not expect here", "good", R"("compute": {"plugin": "good"},)"},
};

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size()))
    text.replace(at, what.size(), by);
  return text;
}

// The error itself, or a listing's hidden files, with what stdout says of failed trials before it: no progress, no tables.
std::string complaint(const std::string& out, const std::string& err) {
  std::string text;
  if (const std::size_t begin = out.find("hidden: "); begin != std::string::npos)
    return out.substr(begin, out.find("\n\n", begin) + 1 - begin);
  if (const std::size_t begin = out.find("\nfailed: "); begin != std::string::npos) {
    text = out.substr(begin + 1, out.find("\n\n", begin) - begin);
  }
  const std::size_t error = err.find("khost: "), warning = err.find("warning: ");
  if (error == std::string::npos && warning != std::string::npos)
    return err.substr(warning, err.find('\n', warning) + 1 - warning);
  return text + (error == std::string::npos ? err : err.substr(error));
}

struct Finished {
  int code = -1;
  std::string said;
};

// The host on its own, so that what it survives and how it ends can be seen.
Finished run_khost(const Case& c, const Scratch& scratch) {
  const std::string manifest = scratch / "m.manifest", said = scratch / "said";
  const std::string probe = c.probe[0] == '{' ? c.probe : R"({"plugin": ")" + c.probe + R"("})";
  write_text(manifest, R"({
  "khost": 1, "experiment": "refusals", "seeds": 1, "steps": 2, "plugin_path": [")" +
                           c.folder + R"("],
  "data": {"plugin": "synthetic", "vocab": 31, "sequence": 7, "batch": 2},
  "model": {"plugin": "gpt", "d_model": 8, "n_layer": 1, "n_head": 1},
  "optimizer": {"plugin": "sgd", "lr": 0.1},
  "adapter": {"rank": 2}, "bases": {"plain": {"steps": 0}}, "arms": {"A": {}},
  )" + c.more + R"(
  "probes": [)" + probe + "]\n}\n");
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    ::setenv("KHOST_CACHE", (scratch / "cache").c_str(), 1);
    ::setenv("KHOST_PLUGIN_PATH", c.second_folder.empty() ? "" : (bad_plugins + ":" + c.second_folder).c_str(), 1);
    if (!c.preload.empty()) {
      ::setenv("LD_PRELOAD", c.preload.c_str(), 1);
      // AddressSanitizer wants to be the first library; the fixture does not stand in its way.
      const char* options = std::getenv("ASAN_OPTIONS");
      ::setenv("ASAN_OPTIONS", (std::string(options ? options : "") + ":verify_asan_link_order=0").c_str(), 1);
    }
    if (!std::freopen((scratch / "out").c_str(), "w", stdout) || !std::freopen(said.c_str(), "w", stderr)) ::_exit(99);
    if (!c.second_folder.empty()) ::execl(KHOST_BINARY_DIR "/bin/khost", "khost", "list", nullptr);
    ::execl(KHOST_BINARY_DIR "/bin/khost", "khost", "run", manifest.c_str(), "--out", (scratch / "run").c_str(), nullptr);
    ::_exit(98);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
          complaint(content_of(scratch / "out"), content_of(said))};
}

// Without what differs between machines and builds.
std::string normalised(std::string text, const Scratch& scratch) {
  const std::string build = fs::path(KHOST_BINARY_DIR).lexically_normal().string();
  text = replaced(text, scratch.folder() + "/", "");
  text = replaced(text, build, "<build>");
  text = std::regex_replace(text, std::regex("(<build>/plugins\n)[^\n]*/lib/khost/plugins[^\n]*"), "$1    <installed plugins>");
  text = replaced(text, fingerprint.substr(fingerprint.find("sdk.probe=") + 10, 16), "<the SDK's hash>");
  text = std::regex_replace(text, std::regex("bytes \\d+ to \\d+"), "bytes <n> to <n>");
  return text;
}

std::string section(const std::string& title, const std::string& text) { return "\n== " + title + "\n" + text; }

// The section of that title in the golden file, "" when there is none.
std::string section_of(const std::string& golden, const std::string& title) {
  const std::string head = "\n== " + title + "\n";
  const std::size_t begin = golden.find(head);
  if (begin == std::string::npos) return "";
  return golden.substr(begin, golden.find("\n== ", begin + head.size()) - begin);
}

// The golden file is of g++ 12 without a sanitizer; in other builds the sections that print the host's fingerprint differ.
bool same_build() {
  return std::regex_replace(fingerprint, std::regex("probe=[0-9a-f]+"), "probe=") ==
         "abi=1;sdk.probe=;compiler=gcc-12;std=202002;cxx11abi=1;debug=0;rtti=1;asan=0;tsan=0";
}

}  // namespace

TEST_CASE("each refusal ends khost with its exit code, and says what the golden file says") {
  const std::string path = KHOST_SOURCE_DIR "/tests/golden/refusals.txt";
  const bool regenerate = std::getenv("KHOST_REGENERATE") && same_build();
  const std::string golden = content_of(path);
  REQUIRE((regenerate || golden.starts_with(preface)));
  std::string all = preface;
  for (const Case& c : cases) {
#ifdef __SANITIZE_ADDRESS__
    if (c.title == "a thread of khost's that cancels itself") continue;  // ASan does not see that its frames are gone, and aborts
#endif
    const Scratch scratch;
    const Finished outcome = run_khost(c, scratch);
    const std::string text =
        section(c.title, normalised(outcome.said, scratch) + "exit code " + std::to_string(outcome.code) + "\n");
    all += text;
    INFO(text);
    const bool runs = !c.second_folder.empty() || outcome.said.starts_with("warning: ");
    CHECK((runs ? outcome.code == 0 : outcome.code >= 2 && outcome.code <= 4));  // an answer, not a crash
    if (!regenerate && (same_build() || !c.title.starts_with("fingerprint"))) CHECK(text == section_of(golden, c.title));
  }
  if (regenerate)
    write_text(path, all);
  else if (same_build())
    CHECK(all == golden);  // nothing is in the golden file that is not tested
}
