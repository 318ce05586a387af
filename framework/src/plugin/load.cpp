// Loads one plugin file that has been judged, and checks what its entry points to.
#include <fmt/format.h>

#include <boost/dll/shared_library.hpp>
#include <filesystem>
#include <map>
#include <mutex>

#include "core/plain_symbol.hpp"
#include "plugin/content.hpp"
#include "plugin/fingerprint.hpp"
#include "plugin/process_end.hpp"
#include "plugin/registry.hpp"

namespace khost {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse(const std::string& path, std::string_view why, std::string_view hint) {
  throw Error(ErrorKind::plugin, fmt::format("plugin {} {}", path, why)).hint(hint);
}

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
  for (const Kind other : {Kind::compute, Kind::model, Kind::optimizer, Kind::data, Kind::probe})
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
  if (d.struct_size != sizeof(khost_descriptor) || !d.name || !d.summary || d.kind > static_cast<std::uint32_t>(Kind::probe))
    refuse(path, "has a damaged descriptor", "make it with khost::model(), optimizer(), data(), probe() or compute()");
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
  if (!d.describe || !d.create || !d.destroy)
    refuse(path, "has a descriptor without describe, create or destroy",
           "make it with khost::model(), optimizer(), data() or probe()");
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

}  // namespace khost
