#include "plugin/registry.hpp"

#include <doctest/doctest.h>

#include <elf.h>
#include <pthread.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <new>
#include <random>
#include <set>
#include <stdexcept>
#include <thread>

#include "environment_variable.hpp"
#include "khost/parallel.hpp"
#include "message.hpp"
#include "plugin/elf.hpp"
#include "plugin/fingerprint.hpp"

using namespace khost;
namespace fs = std::filesystem;

namespace {

const fs::path bad_plugins = fs::path(KHOST_BINARY_DIR) / "bad_plugins";

std::string path_of(const std::string& name) { return (bad_plugins / (name + ".so")).string(); }

// Of this build, as a probe and as an optimizer have it.
const std::string of_probes = detail::fingerprint(detail::only(Kind::probe)).text;
const std::string of_optimizers = detail::fingerprint(detail::only(Kind::optimizer)).text;

// What loading says; the process must live to tell it.
std::string refusal(const std::string& name) {
  return message_of([&] { load_plugin_file(path_of(name)); });
}

bool says(const std::string& text, std::string_view part) {
  if (text.find(part) != std::string::npos) return true;
  MESSAGE("expected '" << std::string(part) << "' in: " << text);
  return false;
}

std::string contents_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

Json object_of(std::initializer_list<std::pair<const char*, Json>> members) {
  Json object{Json::Object{}};
  for (const auto& [key, value] : members) object.set(key, value);
  return object;
}

// A folder of its own, removed at the end.
struct Scratch {
  fs::path folder = fs::temp_directory_path() / ("khost_plugin_test_" + std::to_string(std::random_device{}()));
  Scratch() { fs::create_directories(folder); }
  ~Scratch() {
    std::error_code ignored;
    fs::remove_all(folder, ignored);
  }
  std::string write(const std::string& name, const std::string& bytes) const {
    const fs::path path = folder / name;
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return path.string();
  }
};

const Plugin& plugin(const std::string& name) { return load_plugin_file(path_of(name)).front(); }

}  // namespace

TEST_CASE("a good plugin is judged, loaded, described and made") {
  const Judged judged = judge_plugin_file(path_of("good"));
  CHECK(judged.api_version == KHOST_PLUGIN_API);
  CHECK(judged.fingerprint == of_probes);

  const auto loaded = load_plugin_file(path_of("good"));
  REQUIRE(loaded.size() == 1);
  CHECK(load_plugin_file(path_of("good")).data() == loaded.data());  // once per process
  CHECK(loaded[0].name() == "good");
  CHECK(loaded[0].kind() == Kind::probe);
  CHECK_FALSE(loaded[0].policy());
  CHECK(loaded[0].descriptor->numerics == 3);
  CHECK(title_of(loaded[0]) == "probe 'good'");

  const Json config = resolve_config(loaded[0], object_of({{"every", 7}, {"keep", Json(Json::List{64, 32, 20})}}));
  CHECK(config.at("rate").as_number() == 0.5);
  const Description defaults = describe(loaded[0], nullptr), given = describe(loaded[0], &config);
  CHECK(defaults.schema.fields.size() == 6);
  CHECK(defaults.signals.needs.at(0).when.period == 5);
  CHECK(given.signals.needs.at(0).when.period == 7);
  CHECK(given.signals.evaluation_count() == 3);
  CHECK(given.signals.emits.at(0).name == "size/<group>");

  std::shared_ptr<Probe> probe = create<Probe>(loaded[0], config);
  REQUIRE(probe);
  CHECK(dynamic_cast<Policy*>(probe.get()) == nullptr);
  probe->begin({});  // the base class's, in libkhost

  CHECK(says(message_of([&] { resolve_config(loaded[0], object_of({{"evry", 7}})); }), "did you mean 'every'"));
  CHECK(says(message_of([&] { create<Optimizer>(loaded[0], config); }),
             "probe 'good' cannot be made as a component of kind optimizer"));
}

TEST_CASE("a compute table needs no fingerprint, and without options takes no keys") {
  CHECK(judge_plugin_file(path_of("table")).fingerprint == KHOST_C_TABLE);
  const Plugin& table = plugin("table");
  CHECK(table.kind() == Kind::compute);
  CHECK(table.descriptor->compute->score() == 0);
  CHECK(describe(table, nullptr).schema.fields.empty());
  CHECK(says(message_of([&] { resolve_config(table, object_of({{"library", "x"}})); }), "compute 'table' has no key 'library'"));
  CHECK(says(message_of([&] { resolve_config(table, Json(Json::List{1})); }), "object"));
}

// The fixtures refused before loading hold a static initialiser that would kill this process.
TEST_CASE("each unfit plugin is refused with its own reason, and the process lives") {
  CHECK(says(refusal("not_there"), "not_there.so cannot be read: No such file"));
  CHECK(says(message_of([] { load_plugin_file(bad_plugins.string()); }), "is not a file"));
  CHECK(says(refusal("not_elf"), "is not an ELF file: it does not begin with"));
  CHECK(says(refusal("truncated"), "is truncated: its"));
  CHECK(says(refusal("truncated"), "the file ends at 3000"));
  CHECK(says(refusal("no_entry"), "has no entry: it does not export the symbol khost_plugin_entry"));
  CHECK(says(refusal("no_entry"), "KHOST_PLUGIN(...)"));
  CHECK(says(refusal("wrong_magic"), "it does not begin with \"KHOSTPL\""));
  CHECK(says(refusal("old_api"), "is older than this khost: it was built for plugin API 0, this khost needs 1"));
  CHECK(says(refusal("new_api"), "is newer than this khost: it was built for plugin API 2, this khost knows 1"));
  CHECK(says(refusal("wrong_size"), "has an entry of the wrong size: "));
  CHECK(says(refusal("second_openmp"), "needs libomp.so.5, a second OpenMP runtime"));
  CHECK(says(refusal("second_openmp"), "khost/parallel.hpp"));
  CHECK(says(refusal("unresolved"), "cannot be loaded: undefined symbol"));
  CHECK(says(refusal("unresolved"), "undefined symbol: a_function_that_nobody_wrote() (_Z28a_function_that_nobody_wrotev)\n"));
  CHECK(says(refusal("c_table_probe"), "KHOST_COMPUTE_PLUGIN(), but brings a component of kind probe"));
  CHECK(says(refusal("misnamed"), "calls its probe 'another_name', but its file 'misnamed'"));
  CHECK(says(refusal("no_descriptors"), "has an entry that names no component"));
  CHECK(plugin("good").name() == "good");
  try {
    load_plugin_file(path_of("not_elf"));
  } catch (const Error& e) {
    CHECK(e.kind() == ErrorKind::plugin);
  }
}

TEST_CASE("a fingerprint that differs is shown with the host's, the first difference and the mend") {
  const std::string text = refusal("wrong_fingerprint");
  CHECK(says(text, "does not fit this khost: its SDK headers' hash is 0000000000000000, khost's is "));
  CHECK(says(text, "\n  plugin: abi=1;sdk.probe=0000000000000000;compiler="));
  CHECK(says(text, "\n  khost:  " + of_probes + "\n"));
  CHECK(says(text, "rebuild the plugin with this khost's SDK, framework/include"));

  const std::string_view host = "abi=1;sdk.probe=12;compiler=gcc-12;std=202002;cxx11abi=1;debug=0;rtti=1;asan=0;tsan=0";
  CHECK(first_difference(host, host).text == "");
  const auto compiler =
      first_difference("abi=1;sdk.probe=12;compiler=clang-14;std=202002;cxx11abi=1;debug=0;rtti=1;asan=0;tsan=0", host);
  CHECK(compiler.text == "its compiler is clang-14, khost's is gcc-12");
  CHECK(says(compiler.mend, "rebuild the plugin with gcc-12"));
  const auto two =
      first_difference("abi=1;sdk.probe=12;compiler=gcc-12;std=202002;cxx11abi=0;debug=0;rtti=1;asan=1;tsan=0", host);
  CHECK(two.text == "its libstdc++ ABI flag is 0, khost's is 1");
  CHECK(two.mend == "rebuild the plugin with -D_GLIBCXX_USE_CXX11_ABI=1");
  const auto standard =
      first_difference("abi=1;sdk.probe=12;compiler=gcc-12;std=201703;cxx11abi=1;debug=0;rtti=1;asan=0;tsan=0", host);
  CHECK(standard.text == "its C++ standard is C++17, khost's is C++20");
  CHECK(standard.mend == "rebuild the plugin as C++20 (CMAKE_CXX_STANDARD)");
  const auto tsan =
      first_difference("abi=1;sdk.probe=12;compiler=gcc-12;std=202002;cxx11abi=1;debug=0;rtti=1;asan=0;tsan=1", host);
  CHECK(tsan.text == "its ThreadSanitizer is on, khost's is off");
  CHECK(first_difference("abi=1;sdk.probe=12", host).text == "its compiler is not given, khost's is gcc-12");
  CHECK(first_difference("", host).text == "its SDK ABI version is not given, khost's is 1");
  CHECK(first_difference(std::string(host) + ";more=1", host).text == "its fingerprint has another form");
}

TEST_CASE("the fingerprint of this build says what it is made of") {
  const std::string& fingerprint = of_probes;
  CHECK(says(fingerprint, "abi=1;sdk.probe="));
  CHECK(says(fingerprint, ";std=202002;cxx11abi=1;debug="));
  CHECK(says(fingerprint, ";rtti=1;asan="));
#if defined(__clang__)
  CHECK(says(fingerprint, ";compiler=clang-" + std::to_string(__clang_major__) + ";"));
#else
  CHECK(says(fingerprint, ";compiler=gcc-" + std::to_string(__GNUC__) + ";"));
#endif
}

TEST_CASE("a fingerprint is of the kinds that a plugin brings, and of no other") {
  CHECK(host_fingerprint(of_probes) == of_probes);
  CHECK(host_fingerprint(of_optimizers) == of_optimizers);
  CHECK(says(of_optimizers, "abi=1;sdk.optimizer="));
  const std::string both = detail::fingerprint(detail::only(Kind::model) | detail::only(Kind::probe)).text;
  CHECK(both.find(";sdk.model=") < both.find(";sdk.probe="));
  CHECK(host_fingerprint(both) == both);
  for (const char* kind : {"compute", "model", "optimizer", "data", "probe"})  // of what names none, and so cannot fit
    CHECK(says(host_fingerprint("abi=1"), ";sdk." + std::string(kind) + "="));
  CHECK(first_difference("abi=1;sdk.model=12;sdk.probe=13;compiler=gcc-12", "abi=1;sdk.model=12;sdk.probe=14;compiler=gcc-12")
            .text == "its SDK headers' hash is 13, khost's is 14");

  // One that is as an optimizer has it passes before the file is loaded, and not when a probe turns out to be in it.
  std::string bytes = contents_of(path_of("good"));
  std::string other = of_optimizers;
  other.resize(sizeof(khost_entry::fingerprint));
  bytes.replace(bytes.find(of_probes), other.size(), other);
  const Scratch scratch;
  CHECK(says(message_of([&] { load_plugin_file(scratch.write("good.so", bytes)); }),
             "good.so brings a component of kind probe, of whose headers its fingerprint says nothing: abi=1;sdk.optimizer="));
}

TEST_CASE("libraries for another machine are refused") {
  const Scratch scratch;
  std::string bytes = contents_of(path_of("good"));
  const auto judged_with = [&](std::size_t at, char value) {
    std::string changed = bytes;
    changed[at] = value;
    return message_of([&] { judge_plugin_file(scratch.write("good.so", changed)); });
  };
  CHECK(says(judged_with(4, 1), "is a 32-bit library"));
  CHECK(says(judged_with(5, 2), "is a big-endian library"));
  CHECK(says(judged_with(18, static_cast<char>(0xf3)), "was built for RISC-V; this khost runs on "));
  CHECK(says(judged_with(16, 2), "is an ELF file but not a shared library"));
  CHECK(says(message_of([&] { judge_plugin_file(scratch.write("empty.so", "")); }), "is not an ELF file: it is empty"));
}

// What decides whether a file is loaded, as bytes of the file: the entry up to the end of its fingerprint.
struct JudgedBytes {
  std::size_t at, size;
  explicit JudgedBytes(const std::string& file)
      : at(file.find(KHOST_MAGIC)), size(offsetof(khost_entry, fingerprint) + of_probes.size() + 1) {}
  bool same(const std::string& a, const std::string& b) const { return a.compare(at, size, b, at, size) == 0; }
};

TEST_CASE("no changed byte of the entry is accepted, whichever and however") {
  const Scratch scratch;
  const std::string bytes = contents_of(path_of("good"));
  const JudgedBytes judged(bytes);
  REQUIRE(bytes.find(KHOST_MAGIC, judged.at + 1) == std::string::npos);  // the entry's, no other text
  const auto accepted = [&](const std::string& file) {
    return message_of([&] { judge_plugin_file(scratch.write("changed.so", file)); }).empty();
  };
  CHECK(accepted(bytes));
  for (std::size_t i = 0; i < judged.size; ++i)
    for (const int flip : {1, 0x80, 0xff}) {
      std::string changed = bytes;
      changed[judged.at + i] = static_cast<char>(changed[judged.at + i] ^ flip);
      CHECK_MESSAGE(!accepted(changed), "byte " << i << " of the entry, changed by " << flip);
    }
  std::string behind = bytes;
  behind[judged.at + judged.size] = 'x';  // what follows the text's end belongs to nothing
  CHECK(accepted(behind));
}

TEST_CASE("no symbol that becomes an export is accepted") {
  const Scratch scratch;
  const std::string bytes = contents_of(path_of("good"));
  Elf64_Ehdr header;
  std::memcpy(&header, bytes.data(), sizeof header);
  int tried = 0;
  for (unsigned i = 0; i < header.e_shnum; ++i) {
    Elf64_Shdr section;
    std::memcpy(&section, bytes.data() + header.e_shoff + i * sizeof section, sizeof section);
    if (section.sh_type != SHT_DYNSYM) continue;
    for (std::size_t at = section.sh_offset; at + sizeof(Elf64_Sym) <= section.sh_offset + section.sh_size;
         at += sizeof(Elf64_Sym)) {
      Elf64_Sym symbol;
      std::memcpy(&symbol, bytes.data() + at, sizeof symbol);
      if (symbol.st_shndx != SHN_UNDEF || ELF64_ST_BIND(symbol.st_info) == STB_LOCAL) continue;
      symbol.st_shndx = 1;
      std::string changed = bytes;
      std::memcpy(changed.data() + at, &symbol, sizeof symbol);
      ++tried;
      CHECK(says(message_of([&] { judge_plugin_file(scratch.write("changed.so", changed)); }), "exports more than"));
    }
  }
  CHECK(tried > 10);
}

TEST_CASE("no damaged file brings the reader down: it is refused, or what was judged is intact") {
  const Scratch scratch;
  const std::string bytes = contents_of(path_of("good"));
  const JudgedBytes judged(bytes);
  // Cut anywhere, even within the trailing table of sections: truncated, or not ELF at all.
  for (std::size_t size = 0; size < bytes.size(); size += size < 80 ? 1 : 997) {
    const std::string text = message_of([&] { judge_plugin_file(scratch.write("cut.so", bytes.substr(0, size))); });
    CHECK_MESSAGE((text.find("is truncated") != std::string::npos || text.find("is not an ELF file") != std::string::npos),
                  size << ": " << text);
  }
  std::mt19937 random(85);
  int refused = 0, accepted = 0;
  for (int round = 0; round < 2000; ++round) {
    std::string damaged = bytes;
    // Headers and the table of sections at the end, the entry, or anywhere.
    const std::size_t span = round % 4 == 2   ? damaged.size()
                             : round % 4 == 3 ? judged.size
                                              : std::min<std::size_t>(damaged.size(), 2048);
    const std::size_t from = round % 4 == 1 ? damaged.size() - span : round % 4 == 3 ? judged.at : 0;
    for (int i = 0; i < 4; ++i) damaged[from + random() % span] = static_cast<char>(random());
    Judged found;
    const std::string text = message_of([&] { found = judge_plugin_file(scratch.write("damaged.so", damaged)); });
    refused += !text.empty();
    if (!text.empty()) continue;
    ++accepted;
    CHECK(judged.same(damaged, bytes));
    CHECK(found.fingerprint == of_probes);
    CHECK(found.api_version == KHOST_PLUGIN_API);
    CHECK(damaged.compare(EI_CLASS, 2, bytes, EI_CLASS, 2) == 0);  // 64 bits, little-endian
    CHECK(damaged.compare(offsetof(Elf64_Ehdr, e_type), 4, bytes, offsetof(Elf64_Ehdr, e_type), 4) == 0);  // and e_machine
  }
  CHECK(refused > 500);   // all of the entry's
  CHECK(accepted > 100);  // damage to code and padding is not judged: that the other CHECKs are reached
}

TEST_CASE("what a plugin throws arrives as a khost Error with its place") {
  const Plugin& throwing = plugin("throwing");
  const auto config = [&](const char* how, const char* where) {
    Json json = resolve_config(throwing, Json(Json::Object{}));
    json.set("how", how);
    json.set("where", where);
    return json;
  };
  const auto failure = [&](const char* how) { return message_of([&] { create<Probe>(throwing, config(how, "create")); }); };
  CHECK(says(failure("error"), "the corpus is not there\n  install it\n  in probe 'throwing' in create"));
  CHECK(says(failure("exception"), "a plain exception\n  in probe 'throwing' in create"));
  CHECK(says(failure("integer"), "an exception that is not a std::exception\n  in probe 'throwing' in create"));
  try {
    create<Probe>(throwing, config("error", "create"));
  } catch (const Error& e) {
    CHECK(e.kind() == ErrorKind::usage);  // as the plugin threw it
  }
  const Json declares = config("error", "declare");
  CHECK(says(message_of([&] { describe(throwing, &declares); }), "no such signal today\n  in probe 'throwing' in declare"));

  // Costs may depend on the trial that it declares for, and nothing else.
  const TrialInfo trial{.arm = "K8"};
  const Json fair = config("error", "begin"), unfair = config("error", "trial");
  CHECK(describe(throwing, &fair, &trial).signals.evaluation_count(Part::held_out) == 2);
  CHECK(describe(throwing, &fair, &trial).signals.trial == nullptr);
  CHECK(says(
      message_of([&] { describe(throwing, &unfair, &trial); }),
      "probe 'throwing' declares other signals, changes, parts or records for arm K8 than without a trial\n  in its declare()"));

  const auto begin = [&](const char* how) {
    const auto probe = create<Probe>(throwing, config(how, "begin"));
    return message_of([&] { call_plugin("probe 'throwing' in begin", [&] { probe->begin({}); }); });
  };
  CHECK(says(begin("error"), "the corpus is not there\n  in probe 'throwing' in begin\n  install it"));
  CHECK(says(begin("exception"), "the plugin threw: a plain exception\n  in probe 'throwing' in begin"));
  CHECK(says(begin("integer"), "threw something that is not a std::exception: int\n  in probe 'throwing' in begin"));
  CHECK(call_plugin("nothing", [] { return 5; }) == 5);
}

TEST_CASE("a thread knows which calls it is within, and lends that to the threads that work for it") {
  CHECK(Within::text() == "");
  const std::string trial = "arm A, base plain, seed 0";
  {
    const Within within(Within::What::trial, trial);
    CHECK_FALSE(Within::any(Within::What::plugin));
    call_plugin({"probe", "snr", "observe", 3}, [] {
      CHECK(Within::any(Within::What::plugin));
      std::mutex mutex;
      std::set<std::string> texts;
      parallel_for(4, 1, [&](std::int64_t, std::int64_t) {
        const std::lock_guard lock(mutex);
        texts.insert(Within::text());
      });
      CHECK(texts == std::set<std::string>{"probe 'snr' in observe at step 3, arm A, base plain, seed 0"});
    });
    CHECK(Within::text() == trial);
    CHECK_THROWS_AS(call_plugin("a call that fails", []() -> int { throw 42; }), Error);
    CHECK(Within::text() == trial);  // also after an exception
  }
  CHECK(Within::text() == "");
}

TEST_CASE("what a call throws has the place added; a thread that is cancelled ends") {
  const CallPlace place{"model", "gpt", "forward"};
  CHECK(place.text() == "model 'gpt' in forward");
  struct Strange {};
  CHECK(says(message_of([&] { call_plugin(place, [] { throw Strange{}; }); }), "is not a std::exception: "));
  CHECK(says(message_of([&] { call_plugin(place, [] { throw Strange{}; }); }), "Strange\n  in model 'gpt' in forward"));
  CHECK(says(message_of([&] { call_plugin(place, [] { throw std::bad_alloc(); }); }), "the plugin ran out of memory"));
  bool unwound = false, swallowed = false;
  std::thread thread([&] {
    struct AtEnd {
      bool& flag;
      ~AtEnd() { flag = true; }
    } at_end{unwound};
    call_plugin(place, [] { pthread_exit(nullptr); });
    swallowed = true;
  });
  thread.join();
  CHECK(unwound);
  CHECK_FALSE(swallowed);
}

TEST_CASE("a plugin that shares its symbols, or runs code when it is loaded, is refused before it is") {
  const std::string more = refusal("exports_more");
  CHECK(says(more, "exports_more.so exports more than khost_plugin_entry: "));
  CHECK(says(more, "count_measured()"));
  CHECK(says(more, "link it by khost_add_plugin()"));
  const std::string initialiser = refusal("static_initialiser");
  if (ElfFile(path_of("static_initialiser")).initialisers().size() == 1)  // a sanitizer adds its own
    CHECK(says(initialiser, "static_initialiser.so has a static initialiser: _GLOBAL__sub_I_"));
  CHECK(says(initialiser, "static initialiser"));
  CHECK(ElfFile(path_of("good")).exported() == std::vector<std::string>{"khost_plugin_entry"});
}

TEST_CASE("a folder that is called by a kind holds no other kind") {
  const Scratch scratch;
  const std::string bytes = contents_of(path_of("good"));
  CHECK(says(message_of([&] { load_plugin_file(scratch.write("plugins/optimizer/good.so", bytes)); }),
             "is of kind probe, but lies in a folder for kind optimizer"));
  CHECK(load_plugin_file(scratch.write("plugins/probe/good.so", bytes)).size() == 1);
  CHECK(load_plugin_file(scratch.write("optimizer/good.so", bytes)).size() == 1);  // anybody's folder
}

TEST_CASE("plugins are found in the folders' order, and a miss says where it looked") {
  const Scratch scratch;
  fs::create_directories(scratch.folder / "first");
  scratch.write("second/good.so", "this one is hidden by the first");
  scratch.write("second/goof.so", "unfit");
  fs::copy_file(path_of("good"), scratch.folder / "first" / "good.so");
  const std::string first = (scratch.folder / "first").string(), second = (scratch.folder / "second").string(),
                    absent = (scratch.folder / "absent").string();
  const Registry registry({absent, first, second});
  const Plugin& good = registry.get(Kind::probe, "good");
  CHECK(good.path == first + "/good.so");
  CHECK(&registry.get(Kind::probe, "good") == &good);

  const std::string missing_text = message_of([&] { registry.get(Kind::probe, "goods"); });
  CHECK(says(missing_text, "there is no plugin 'goods'; did you mean 'good'"));
  CHECK(
      says(missing_text, "looked for goods.so in\n    " + absent + " (no such folder)\n    " + first + "\n    " + second + "\n"));
  CHECK(says(missing_text, "KHOST_PLUGIN_PATH"));
  CHECK(says(message_of([&] { registry.get(Kind::probe, ""); }), "there is no plugin ''"));
  CHECK(says(message_of([&] { registry.get(Kind::probe, "../first/good"); }), "there is no plugin '../first/good'"));

  const std::string kind_text = message_of([&] { registry.get(Kind::optimizer, "good"); });
  CHECK(says(kind_text, "plugin 'good' is a probe, not an optimizer"));
  CHECK(says(kind_text, "there is no plugin of kind optimizer"));
  CHECK(says(message_of([&] { registry.get(Kind::probe, "goof"); }), "goof.so is not an ELF file"));

  const Registry::Listing listing = registry.list();
  REQUIRE(listing.plugins.size() == 1);
  CHECK(listing.plugins[0]->path == first + "/good.so");
  REQUIRE(listing.refused.size() == 1);
  CHECK(listing.refused[0].first == second + "/goof.so");
  CHECK(says(listing.refused[0].second, "is not an ELF file"));
  REQUIRE(listing.hidden.size() == 1);
  CHECK(listing.hidden[0].first == second + "/good.so");
  CHECK(listing.hidden[0].second == first + "/good.so");
}

TEST_CASE("the default folders: manifest, environment, beside the host, installed; each once") {
  const test::EnvironmentVariable path("KHOST_PLUGIN_PATH", "/opt/a:/opt/b/::/opt/m");
  const auto folders = Registry::default_folders({"/opt/m"});
  REQUIRE(folders.size() == 5);
  CHECK(folders[0] == "/opt/m");
  CHECK(folders[1] == "/opt/a");
  CHECK(folders[2] == "/opt/b");
  CHECK(folders[3] == std::string(KHOST_BINARY_DIR) + "/plugins");
  CHECK(folders[4].ends_with("/lib/khost/plugins"));
}
