// A plugin file from its bytes to a component: judged, loaded, its descriptors checked, and called through them.
#include "plugin/loader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/dll/shared_library.hpp>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "core/plain_symbol.hpp"
#include "plugin/check_schema.hpp"
#include "plugin/check_signals.hpp"
#include "plugin/content.hpp"
#include "plugin/elf.hpp"
#include "plugin/fingerprint.hpp"
#include "plugin/process_end.hpp"

namespace khost {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse(const std::string& path, std::string_view why, std::string_view hint) {
  throw Error(ErrorKind::plugin, fmt::format("plugin {} {}", path, why)).hint(hint);
}

// ---- judged from the file alone: dlopen would already run its initialisers ----

constexpr const char* entry_symbol = "khost_plugin_entry";
constexpr std::size_t inline_size = offsetof(khost_entry, descriptor_size);
static_assert(offsetof(khost_entry, magic) == 0 && offsetof(khost_entry, struct_size) == 8 &&
                  offsetof(khost_entry, api_version) == 12 && offsetof(khost_entry, fingerprint) == 16 && inline_size == 512,
              "the inline part of the entry is read from files of any version: its layout never changes");

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
  if (theirs == KHOST_C_TABLE) return;
  const std::string ours = host_fingerprint(theirs);
  if (theirs == ours) return;
  const FingerprintDifference difference = first_difference(theirs, ours);
  refuse(path,
         fmt::format("does not fit this khost: {}\n  plugin: {}\n  khost:  {}", difference.text,
                     theirs.empty() ? "(no fingerprint)" : theirs, ours),
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

// ---- loaded, and what its entry points at checked ----

namespace {

// "undefined symbol: _Z1fv" as "undefined symbol: f() (_Z1fv)".
std::string with_plain_symbol(std::string_view words) {
  constexpr std::string_view mark = "undefined symbol: ";
  const auto begin = words.find(mark);
  if (begin == std::string_view::npos) return std::string(words);
  const std::string symbol(words.substr(begin + mark.size())), plain = plain_symbol(symbol);
  if (plain == symbol) return std::string(words);  // a C function's name, or more than a name
  return fmt::format("{}{} ({})", words.substr(0, begin + mark.size()), plain, symbol);
}

// The loader's own words, out of Boost's "...load() failed (dlerror system message: PATH: WORDS): ...".
std::string loader_words(std::string_view what, const std::string& path) {
  constexpr std::string_view mark = "dlerror system message: ";
  const auto begin = what.find(mark);
  if (begin == std::string_view::npos) return std::string(what);
  what.remove_prefix(begin + mark.size());
  what = what.substr(0, what.rfind("): "));
  if (what.starts_with(path + ": ")) what.remove_prefix(path.size() + 2);
  return with_plain_symbol(what);
}

std::string load_hint(std::string_view words) {
  if (words.find("undefined symbol") != std::string_view::npos)
    return "link it by khost_add_plugin() with the LIBRARIES it uses: -z defs then finds a missing one when it is built";
  if (words.find("cannot open shared object file") != std::string_view::npos)
    return "a library that it needs is missing: install it, or give the plugin a RUNPATH to it (ldd shows which)";
  return std::string(rebuild_hint);
}

// plugins/probe/NAME.so: a folder that is called by a kind holds no other.
void check_folder(const std::string& path, Kind kind) {
  const fs::path folder = fs::path(path).parent_path();
  if (folder.parent_path().filename() != "plugins") return;
  for (const Kind other : {Kind::compute, Kind::model, Kind::optimizer, Kind::data, Kind::probe, Kind::adapter, Kind::core})
    if (folder.filename() == name_of(other) && other != kind)
      refuse(path, fmt::format("is of kind {}, but lies in a folder for kind {}", name_of(kind), name_of(other)),
             fmt::format("move it to {}/{}, or write khost::{}<...> in KHOST_PLUGIN()", folder.parent_path().string(),
                         name_of(kind), name_of(other)));
}

void check_compute(const std::string& path, const khost_descriptor& d) {
  if (!d.compute) refuse(path, "is a compute plugin without a table", "give khost::compute() the address of a khost_compute");
  if (d.compute->struct_size != sizeof(khost_compute) || d.compute->api_version != KHOST_COMPUTE_API)
    refuse(path,
           fmt::format("has a compute table of {} bytes and API {}; this khost's has {} bytes and API {}", d.compute->struct_size,
                       d.compute->api_version, sizeof(khost_compute), KHOST_COMPUTE_API),
           "rebuild it with this khost's khost/compute.hpp");
  if (!d.compute->score || !d.compute->create || !d.compute->destroy || !d.compute->info)
    refuse(path, "has a compute table without score, create, destroy or info", "set all four");
}

void check_descriptor(const std::string& path, const std::string& fingerprint, const khost_descriptor& d) {
  const std::string stem = fs::path(path).stem().string();
  if (d.struct_size != sizeof(khost_descriptor) || !d.name || !d.summary || d.kind > static_cast<std::uint32_t>(Kind::core))
    refuse(path, "has a damaged descriptor",
           "make it with khost::model(), optimizer(), data(), probe(), adapter(), core() or compute()");
  if (d.name != stem)
    refuse(path, fmt::format("calls its {} '{}', but its file '{}'", name_of(static_cast<Kind>(d.kind)), d.name, stem),
           "a plugin is found by its file's name: give both the same name");
  check_folder(path, static_cast<Kind>(d.kind));
  if (static_cast<Kind>(d.kind) == Kind::compute) return check_compute(path, d);
  if (fingerprint == KHOST_C_TABLE)
    refuse(path,
           fmt::format("has the entry of a compute plugin, KHOST_COMPUTE_PLUGIN(), but brings a component of kind {}",
                       name_of(static_cast<Kind>(d.kind))),
           "end its source with KHOST_PLUGIN(...): the other one checks nothing of how C++ was compiled");
  if (!names_kind(fingerprint, static_cast<Kind>(d.kind)))
    refuse(path,
           fmt::format("brings a component of kind {}, of whose headers its fingerprint says nothing: {}",
                       name_of(static_cast<Kind>(d.kind)), fingerprint),
           "make the entry with KHOST_PLUGIN(...) of this khost's khost/plugin.hpp, and build the plugin again");
  if (!d.describe || !d.create || !d.destroy)
    refuse(path, "has a descriptor without describe, create or destroy",
           "make it with khost::model(), optimizer(), data(), probe(), adapter() or core()");
}

// Called with the lock of load_plugin_file held.
std::vector<Plugin> load(const std::string& path) {
  const Judged judged = judge_plugin_file(path);
  const std::string content = library_content_of_file(path);
  const khost_entry* entry = nullptr;
  try {
    namespace dll = boost::dll;
    static auto& kept = *new std::vector<dll::shared_library>;  // leaked: nothing is unloaded, not even at exit
    // What it is linked with may have initialisers; its own were refused.
    const std::string place = "plugin " + path + " while it is loaded";
    const Within within(Within::What::plugin, place);
    kept.emplace_back(path, dll::load_mode::rtld_now | dll::load_mode::rtld_local);
    ProcessWatch::renew();
    entry = &kept.back().get<const khost_entry>("khost_plugin_entry");
  } catch (const std::exception& e) {
    const std::string words = loader_words(e.what(), path);
    refuse(path, "cannot be loaded: " + words, load_hint(words));
  }
  // A rebuild meanwhile would run one file's code under the other's name.
  if (library_content_of_file(path) != content)
    refuse(path, "changed while it was loaded", "wait for its build to end, and run the command again");
  const std::string whole_content = with_linked_libraries(path, content);
  if (entry->descriptor_count == 0 || !entry->descriptors)
    refuse(path, "has an entry that names no component",
           "give KHOST_PLUGIN(...) what the plugin brings, such as khost::probe<MyProbe>(\"my_probe\", \"what it does\", 1)");
  if (entry->descriptor_size != sizeof(khost_descriptor))
    refuse(path,
           fmt::format("describes its components in {} bytes each, this khost in {}", entry->descriptor_size,
                       sizeof(khost_descriptor)),
           rebuild_hint);

  std::vector<Plugin> plugins;
  for (const khost_descriptor& d : std::span(entry->descriptors, entry->descriptor_count)) {
    check_descriptor(path, judged.fingerprint, d);
    for (const Plugin& other : plugins)
      if (other.descriptor->kind == d.kind)
        refuse(path, fmt::format("brings two components called '{}', both of kind {}", d.name, name_of(other.kind())),
               "a manifest could not say which of them it means: rename one, and give it a file of its own");
    plugins.push_back({path, &d, whole_content});
  }
  return plugins;
}

}  // namespace

std::span<const Plugin> load_plugin_file(const std::string& path) {
  static std::mutex mutex;
  static auto& loaded = *new std::map<std::string, std::vector<Plugin>>;  // leaked, so that no destructor runs at exit
  std::error_code ignored;
  const fs::path canonical = fs::canonical(path, ignored);
  const std::string key = canonical.empty() ? path : canonical.string();
  const std::lock_guard lock(mutex);
  auto found = loaded.find(key);
  if (found == loaded.end()) found = loaded.emplace(key, load(fs::absolute(path).lexically_normal().string())).first;
  return found->second;
}

// ---- called through its descriptor: status and message become khost Errors ----

namespace {

std::string_view name_within(const Plugin& plugin) { return plugin.descriptor->name; }

// The other side of detail::guarded in khost/plugin.hpp; a plugin that was made without it may throw all the same.
template <class Call>
void checked(const Plugin& plugin, std::string_view function, Call&& call) {
  call_plugin({name_of(plugin.kind()), name_within(plugin), function}, [&] {
    khost_message message{};
    const int status = call(&message);
    if (status == 0) return;
    const bool known = status >= 1 && status <= 1 + static_cast<int>(ErrorKind::interrupted);
    message.text[sizeof message.text - 1] = 0;
    throw Error(known ? static_cast<ErrorKind>(status - 1) : ErrorKind::plugin,
                message.text[0] ? message.text : "failed without a message");
  });
}

// A compute plugin's options are plain C: any toolchain.
Schema schema_of_table(const khost_compute& table) {
  Schema schema;
  if (!table.options) return schema;
  for (const khost_compute_option* option = table.options; option->name; ++option) {
    Field& field = schema.fields.emplace_back();
    field.name = option->name;
    field.doc = option->doc ? option->doc : "";
    field.type = option->type == KHOST_OPTION_INTEGER   ? FieldType::integer
                 : option->type == KHOST_OPTION_BOOLEAN ? FieldType::boolean
                                                        : FieldType::string;
    field.path = option->type == KHOST_OPTION_PATH;
    field.required = option->required != 0;
    field.nullable = !field.required;
  }
  return schema;
}

}  // namespace

std::string title_of(const Plugin& plugin) { return fmt::format("{} '{}'", name_of(plugin.kind()), plugin.name()); }

namespace {

bool same_but_for_costs(const Signals& a, const Signals& b) {
  for (const Part part : {Part::calibration, Part::held_out})
    if ((a.evaluation_count(part) > 0) != (b.evaluation_count(part) > 0)) return false;
  return a.needs == b.needs && a.emits == b.emits && a.nulls == b.nulls && a.modifies == b.modifies && a.reads == b.reads &&
         a.bases == b.bases;
}

}  // namespace

Description describe(const Plugin& plugin, const Json* resolved, const TrialInfo* trial) {
  Description description;
  description.signals.trial = trial;
  if (plugin.kind() == Kind::compute)
    description.schema = schema_of_table(*plugin.descriptor->compute);
  else
    checked(plugin, plugin.kind() == Kind::probe ? "declare" : "fields",
            [&](khost_message* m) { return plugin.descriptor->describe(resolved, &description, m); });
  description.signals.trial = nullptr;
  if (!resolved) check_schema(description.schema, title_of(plugin));
  if (plugin.kind() != Kind::probe) return description;
  check_signals(description.signals, title_of(plugin), plugin.policy());
  if (trial && !same_but_for_costs(description.signals, describe(plugin, resolved).signals))
    throw Error(ErrorKind::plugin, title_of(plugin) + " declares other signals, changes, parts or records for arm " + trial->arm +
                                       " than without a trial")
        .hint("in its declare(), only how many evaluations, gradients and decompositions there are may depend on Signals::trial");
  return description;
}

int score_of(const Plugin& plugin) {
  return call_plugin({name_of(plugin.kind()), name_within(plugin), "score"}, [&] { return plugin.descriptor->compute->score(); });
}

void destroy_instance(const Plugin& plugin, void* instance) noexcept {
  const Within within(Within::What::plugin, {name_of(plugin.kind()), name_within(plugin), "destroy"});
  plugin.descriptor->destroy(instance);
}

Json resolve_config(const Plugin& plugin, const Json& given, std::vector<std::string>* warnings) {
  return resolve(describe(plugin, nullptr).schema, given, title_of(plugin), warnings);
}

void* create_instance(const Plugin& plugin, Kind kind, const Json& resolved, void* context) {
  if (plugin.kind() != kind)
    throw Error(ErrorKind::plugin, fmt::format("{} cannot be made as a component of kind {}", title_of(plugin), name_of(kind)));
  void* made = nullptr;
  checked(plugin, "create", [&](khost_message* m) { return plugin.descriptor->create(&resolved, context, &made, m); });
  if (!made) throw Error(ErrorKind::plugin, "it made nothing, and gave no reason").within(title_of(plugin) + " in create");
  return made;
}

}  // namespace khost
