#include "files.hpp"

#include <dlfcn.h>
#include <link.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string_view>

namespace khost::cblas {
namespace {

constexpr const char* helpers[] = {"libgfortran.", "libquadmath.", "libpthread.", "libdl.", "librt.", "libm.", "libgcc_s."};

std::string_view file_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

std::string_view text_at(const link_map& map, ElfW(Sxword) tag, std::size_t offset) {
  for (const ElfW(Dyn)* d = map.l_ld; d->d_tag != DT_NULL; ++d)
    if (d->d_tag == tag) {  // the loader has made it an address, where it could write to it: not in the kernel's own library
      const ElfW(Addr) value = d->d_un.d_ptr;
      return reinterpret_cast<const char*>(value < map.l_addr ? value + map.l_addr : value) + offset;
    }
  return {};
}

// Whether the loader gives this library to one who asks for that name.
bool answers(const link_map& map, std::string_view name) {
  if (file_name(map.l_name) == name) return true;
  for (const ElfW(Dyn)* d = map.l_ld; d->d_tag != DT_NULL; ++d)
    if (d->d_tag == DT_SONAME) return text_at(map, DT_STRTAB, d->d_un.d_val) == name;
  return false;
}

using Maps = std::vector<const link_map*>;

const link_map& of_this_process() {
  void* self = dlopen(nullptr, RTLD_LAZY);
  const link_map* map = nullptr;
  if (!self || dlinfo(self, RTLD_DI_LINKMAP, &map) != 0) throw std::runtime_error("the loader does not tell what is loaded");
  return *map;
}

// `from` and all that it needs, directly or not. The loader keeps the first that it loaded under a name.
Maps closure(const link_map& from) {
  Maps found{&from};
  for (std::size_t i = 0; i < found.size(); ++i)
    for (const ElfW(Dyn)* d = found[i]->l_ld; d->d_tag != DT_NULL; ++d) {
      if (d->d_tag != DT_NEEDED) continue;
      const std::string_view name = text_at(*found[i], DT_STRTAB, d->d_un.d_val);
      for (const link_map* map = &of_this_process(); map; map = map->l_next)
        if (answers(*map, name)) {
          if (std::ranges::find(found, map) == found.end()) found.push_back(map);
          break;
        }
    }
  return found;
}

// FNV-1a: tells builds apart, and is no secret.
struct Hash {
  std::uint64_t value = 0xcbf29ce484222325;
  void add(std::string_view bytes) {
    for (const char c : bytes) value = (value ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  }
  [[nodiscard]] std::string text() const {
    char out[32];
    std::snprintf(out, sizeof out, "%016llx", static_cast<unsigned long long>(value));
    return out;
  }
};

}  // namespace

Files files_behind(void* library, const void* function) {
  Maps maps;
  const auto add = [&](const Maps& more) {
    for (const link_map* map : more)
      if (std::ranges::find(maps, map) == maps.end()) maps.push_back(map);
  };
  Dl_info where{};
  void* owner = nullptr;
  if (!dladdr1(function, &where, &owner, RTLD_DL_LINKMAP) || !owner)
    throw std::runtime_error("the loader does not tell which library cblas_sgemm is of");
  add(closure(*static_cast<const link_map*>(owner)));
  const link_map* asked = nullptr;
  if (dlinfo(library, RTLD_DI_LINKMAP, &asked) == 0) add(closure(*asked));

  const Maps own = closure(of_this_process());
  Files files;
  Hash hash;
  for (const link_map* map : maps) {
    const std::string_view name = file_name(map->l_name);
    if (std::ranges::find(own, map) != own.end() || name.starts_with("ld-linux") || name.empty()) continue;
    std::error_code failed;
    const std::string path = std::filesystem::canonical(map->l_name, failed).string();
    std::ifstream in(failed ? map->l_name : path, std::ios::binary);
    const std::string content{std::istreambuf_iterator<char>(in), {}};
    if (!in || content.empty()) throw std::runtime_error(std::string(map->l_name) + ", which was loaded, cannot be read");
    hash.add(content);
    const auto names = [&](std::string_view symbol) {
      return content.find(std::string(1, '\0') + std::string(symbol) + '\0') != std::string::npos;
    };
    const bool helps = std::ranges::any_of(helpers, [&](const char* stem) { return name.starts_with(stem); });
    files.all.push_back(
        {failed ? map->l_name : path, !helps && names("GOMP_parallel"), !helps && names("pthread_create"), helps});
  }
  files.hash = hash.text();
  return files;
}

}  // namespace khost::cblas
