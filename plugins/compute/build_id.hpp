// Which build of a library is at work: two builds of one version may differ in their last bits.
#pragma once

#include <dlfcn.h>
#include <elf.h>
#include <link.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>

namespace khost::blas {

namespace detail {

struct Wanted {
  std::uintptr_t base;
  std::string id;
};

inline int look(dl_phdr_info* info, std::size_t, void* data) {
  Wanted& wanted = *static_cast<Wanted*>(data);
  if (info->dlpi_addr != wanted.base) return 0;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const auto& header = info->dlpi_phdr[i];
    if (header.p_type != PT_NOTE) continue;
    const char* at = reinterpret_cast<const char*>(info->dlpi_addr + header.p_vaddr);
    for (const char* const end = at + header.p_memsz; at + sizeof(ElfW(Nhdr)) <= end;) {
      ElfW(Nhdr) note;
      std::memcpy(&note, at, sizeof note);
      const char* const name = at + sizeof note;
      const char* const value = name + (note.n_namesz + 3) / 4 * 4;
      if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && std::memcmp(name, "GNU", 4) == 0) {
        char byte[3];
        for (std::size_t k = 0; k < note.n_descsz; ++k) {
          std::snprintf(byte, sizeof byte, "%02x", static_cast<unsigned char>(value[k]));
          wanted.id += byte;
        }
        return 1;
      }
      at = value + (note.n_descsz + 3) / 4 * 4;
    }
  }
  return 1;
}

}  // namespace detail

// The build id of the library at that address, in hexadecimal; "" where its linker gave it none.
inline std::string build_id_at(const void* base) {
  detail::Wanted wanted{reinterpret_cast<std::uintptr_t>(base), {}};
  dl_iterate_phdr(detail::look, &wanted);
  return wanted.id;
}

// What a version is followed by: " (build 1a2b3c4d)" of the library that has this function, "" where nothing is known of it.
inline std::string build_of(const void* function) {
  Dl_info where{};
  if (!dladdr(function, &where) || !where.dli_fbase) return "";
  const std::string id = build_id_at(where.dli_fbase);
  return id.empty() ? "" : " (build " + id.substr(0, 8) + ")";
}

}  // namespace khost::blas
