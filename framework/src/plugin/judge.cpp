// Judges a plugin from its file alone: dlopen would already run its initialisers.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <utility>
#include <vector>

#include "core/plain_symbol.hpp"
#include "plugin/elf.hpp"
#include "plugin/fingerprint.hpp"
#include "plugin/registry.hpp"

namespace khost {
namespace {

constexpr const char* entry_symbol = "khost_plugin_entry";
constexpr std::size_t inline_size = offsetof(khost_entry, descriptor_size);
static_assert(offsetof(khost_entry, magic) == 0 && offsetof(khost_entry, struct_size) == 8 &&
                  offsetof(khost_entry, api_version) == 12 && offsetof(khost_entry, fingerprint) == 16 && inline_size == 512,
              "the inline part of the entry is read from files of any version: its layout never changes");
static_assert(sizeof KHOST_FINGERPRINT <= sizeof(khost_entry::fingerprint), "the fingerprint must fit the entry");

[[noreturn]] void refuse(const std::string& path, std::string_view why, std::string_view hint) {
  throw Error(ErrorKind::plugin, fmt::format("plugin {} {}", path, why)).hint(hint);
}

bool second_openmp(std::string_view library) {
  for (const std::string_view stem : {std::string_view("libomp"), std::string_view("libiomp5")})
    if (library.starts_with(stem)) {
      const std::string_view rest = library.substr(stem.size());  // ".so.5", "-14.so.5", "5.so"; not "i.so" of Open MPI's libompi
      return rest.empty() || rest[0] == '.' || rest[0] == '-' || (rest[0] >= '0' && rest[0] <= '9');
    }
  return false;
}

template <class T>
T value_at(std::span<const std::byte> bytes, std::size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

void judge_fingerprint(const std::string& path, const std::string& theirs) {
  if (theirs == KHOST_FINGERPRINT || theirs == KHOST_C_TABLE) return;
  const FingerprintDifference difference = first_difference(theirs, KHOST_FINGERPRINT);
  refuse(path,
         fmt::format("does not fit this khost: {}\n  plugin: {}\n  khost:  {}", difference.text,
                     theirs.empty() ? "(no fingerprint)" : theirs, KHOST_FINGERPRINT),
         difference.mend);
}

// "f(int), khost::x and others": how many there are depends on what the compiler inlined
std::string some_of(std::vector<std::string> symbols) {
  constexpr std::size_t shown = 3;
  for (std::string& symbol : symbols) symbol = plain_symbol(symbol);
  std::sort(symbols.begin(), symbols.end());
  symbols.erase(std::unique(symbols.begin(), symbols.end()), symbols.end());  // a constructor has several symbols
  std::string text;
  for (std::size_t i = 0; i < symbols.size() && i < shown; ++i) text += (i ? ", " : "") + symbols[i];
  return symbols.size() > shown ? text + " and others" : text;
}

// Whose names are the compiler's, for what a build like the host's own needs.
bool is_instrumentation(std::string_view name) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  constexpr bool sanitized = true;
#else
  constexpr bool sanitized = KHOST_FP_HAS_FEATURE(address_sanitizer) || KHOST_FP_HAS_FEATURE(thread_sanitizer);
#endif
  return name.find("sub_I_00100_") != name.npos ||  // gcov's
         (sanitized &&
          (name.find("sub_I_00099_") != name.npos || name.ends_with(".module_ctor") || name.starts_with("__odr_asan.")));
}

// What two plugins export under one name the loader may give to both: an inline variable, a template's static, then belongs to
// the one that came first, and the other records its values.
void judge_exports(const std::string& path, const ElfFile& elf) {
  std::vector<std::string> others = elf.exported();
  std::erase(others, entry_symbol);
  std::erase_if(others, is_instrumentation);
  if (others.empty()) return;
  refuse(path,
         fmt::format("exports more than {}: {}. What two plugins export under one name they share, values and all", entry_symbol,
                     some_of(std::move(others))),
         "link it by khost_add_plugin(), or with -fvisibility=hidden and the version script framework/cmake/plugin.map");
}

// They run inside dlopen, where nothing can be caught, before the host knows what it loads.
void judge_initialisers(const std::string& path, const ElfFile& elf) {
  std::vector<std::string> found = elf.initialisers();
  std::erase_if(found, is_instrumentation);
  if (found.empty()) return;
  std::string names;
  for (const std::string& name : found)
    if (!name.empty()) names += (names.empty() ? ": " : ", ") + plain_symbol(name);
  Error error(
      ErrorKind::plugin,
      fmt::format("plugin {} has {}{}: code that runs when it is loaded, before anybody could say what goes wrong in it", path,
                  found.size() == 1 ? "a static initialiser" : fmt::format("{} static initialisers", found.size()), names));
  error.hint("make global objects constinit, or static in the function that uses them; print by <cstdio>, not <iostream>");
  if (names.find("set_fast_math") != std::string::npos)
    error.hint("this one is -ffast-math's: it changes the arithmetic of the whole process; link without it");
  throw error;
}

}  // namespace

Judged judge_plugin_file(const std::string& path) {
  const ElfFile elf(path);
  const auto bytes = elf.symbol_bytes(entry_symbol, inline_size);
  if (!bytes)
    refuse(path, fmt::format("has no entry: it does not export the symbol {}", entry_symbol),
           "end one of its sources with KHOST_PLUGIN(...) and link it by khost_add_plugin(), which exports that symbol");
  // Magic, sizes and API version stand at the same place in every version, even one whose entry is shorter.
  if (bytes->size() < 16 || std::memcmp(bytes->data(), KHOST_MAGIC, 8) != 0)
    refuse(path,
           fmt::format("has a symbol {} that is not a khost entry: it does not begin with \"{}\"", entry_symbol, KHOST_MAGIC),
           "make the entry with KHOST_PLUGIN(...) of khost/plugin.hpp");

  const auto api = value_at<std::uint32_t>(*bytes, offsetof(khost_entry, api_version));
  if (api < KHOST_PLUGIN_API)
    refuse(path,
           fmt::format("is older than this khost: it was built for plugin API {}, this khost needs {}", api, KHOST_PLUGIN_API),
           rebuild_hint);
  if (api > KHOST_PLUGIN_API)
    refuse(path,
           fmt::format("is newer than this khost: it was built for plugin API {}, this khost knows {}", api, KHOST_PLUGIN_API),
           "update khost, or rebuild the plugin with this khost's SDK, framework/include");

  const auto size = value_at<std::uint32_t>(*bytes, offsetof(khost_entry, struct_size));
  if (size != sizeof(khost_entry) || bytes->size() < inline_size)
    refuse(path, fmt::format("has an entry of the wrong size: {} bytes, this khost's is {}", size, sizeof(khost_entry)),
           "make the entry with KHOST_PLUGIN(...) of this khost's khost/plugin.hpp, and build the plugin again");

  const auto text = bytes->subspan(offsetof(khost_entry, fingerprint), sizeof(khost_entry::fingerprint));
  const char* begin = reinterpret_cast<const char*>(text.data());
  Judged judged{api, std::string(begin, ::strnlen(begin, text.size()))};
  judge_fingerprint(path, judged.fingerprint);

  judge_exports(path, elf);
  for (const std::string& library : elf.needed())
    if (second_openmp(library))
      refuse(path,
             fmt::format("needs {}, a second OpenMP runtime: with two in one process every backend runs at half speed", library),
             "split its work by parallel_for() of khost/parallel.hpp, or compile it by g++ -fopenmp, which links libgomp");
  judge_initialisers(path, elf);
  return judged;
}

}  // namespace khost
