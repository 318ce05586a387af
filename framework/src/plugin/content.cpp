#include "plugin/content.hpp"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>

#include <cstring>
#include <optional>
#include <set>
#include <vector>

#include "artifact/whole_file.hpp"
#include "khost/error.hpp"
#include "khost/hash.hpp"
#include "plugin/elf.hpp"

namespace khost {
namespace {

// What stands at `offset`, when it lies within the file.
template <class T>
std::optional<T> entry(std::string_view bytes, std::uint64_t offset) {
  if (offset > bytes.size() || sizeof(T) > bytes.size() - offset) return std::nullopt;
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

std::string_view part(std::string_view bytes, std::uint64_t offset, std::uint64_t size) {
  if (offset > bytes.size() || size > bytes.size() - offset) return {};
  return bytes.substr(static_cast<std::size_t>(offset), static_cast<std::size_t>(size));
}

// The hashed text: a line for each section in memory. Nothing where the file is not as a linker writes it.
std::optional<std::string> sections(std::string_view bytes) {
  const auto header = entry<Elf64_Ehdr>(bytes, 0);
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_ident[EI_CLASS] != ELFCLASS64 ||
      header->e_shnum == 0 || header->e_shentsize != sizeof(Elf64_Shdr) || header->e_shstrndx >= header->e_shnum)
    return std::nullopt;
  const auto section = [&](unsigned i) {
    return entry<Elf64_Shdr>(bytes, header->e_shoff + std::uint64_t{i} * sizeof(Elf64_Shdr));
  };
  const auto names_header = section(header->e_shstrndx);
  if (!names_header) return std::nullopt;
  const std::string_view names = part(bytes, names_header->sh_offset, names_header->sh_size);
  std::string out;
  for (unsigned i = 0; i < header->e_shnum; ++i) {
    const auto s = section(i);
    if (!s || s->sh_name >= names.size()) return std::nullopt;
    if (!(s->sh_flags & SHF_ALLOC)) continue;
    const std::string_view name = names.substr(s->sh_name, names.find('\0', s->sh_name) - s->sh_name);
    if (name == ".note.gnu.build-id") continue;
    std::string content;
    if (s->sh_type != SHT_NOBITS) {
      const std::string_view own = part(bytes, s->sh_offset, s->sh_size);
      if (own.size() != s->sh_size) return std::nullopt;
      content = sha256(own);
    }
    for (const std::string& word : {std::string(name), std::to_string(s->sh_type), std::to_string(s->sh_flags),
                                    std::to_string(s->sh_addr), std::to_string(s->sh_size), content})
      out += word + ' ';
    out += '\n';
  }
  return out.empty() ? std::nullopt : std::optional(out);
}

// Part of the system: the C library's mathematics and the compiler are in khost's own identity.
bool is_runtime(std::string_view name) {
  for (const std::string_view stem :
       {"libkhost.so", "libc.so", "libm.so", "libdl.so", "libpthread.so", "librt.so", "libstdc++.so", "libgcc_s.so", "libgomp.so",
        "ld-linux", "libasan.so", "libubsan.so", "libtsan.so"})
    if (name.starts_with(stem)) return true;
  return false;
}

std::string build_id(const dl_phdr_info& library) {
  for (int i = 0; i < library.dlpi_phnum; ++i) {
    const auto& segment = library.dlpi_phdr[i];
    if (segment.p_type != PT_NOTE) continue;
    const std::string_view notes(reinterpret_cast<const char*>(library.dlpi_addr + segment.p_vaddr), segment.p_memsz);
    const auto padded = [](std::uint64_t size) { return (size + 3) / 4 * 4; };
    for (std::uint64_t at = 0;;) {
      const auto note = entry<Elf64_Nhdr>(notes, at);
      if (!note) break;
      const std::uint64_t name = at + sizeof *note, description = name + padded(note->n_namesz);
      if (note->n_type == NT_GNU_BUILD_ID && part(notes, name, note->n_namesz) == std::string_view("GNU", 4))
        return sha256(part(notes, description, note->n_descsz));
      at = description + padded(note->n_descsz);
    }
  }
  return "";
}

// A library that is loaded.
struct Mapped {
  std::string path, id;  // id: of its build, "" when its linker gave none
};

std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

int note(dl_phdr_info* library, std::size_t, void* data) {
  const std::string path = library->dlpi_name ? library->dlpi_name : "";
  if (!path.empty()) static_cast<std::vector<Mapped>*>(data)->push_back({path, build_id(*library)});  // "": the program
  return 0;
}

// What the loader took for `name`, as a library says that it needs it. It is asked itself: a name may be a SONAME that no file
// has, a path, or a file's name that another folder's file has too. Nothing is loaded by asking.
const Mapped* find(const std::vector<Mapped>& all, const std::string& name) {
  if (void* handle = ::dlopen(name.c_str(), RTLD_LAZY | RTLD_NOLOAD)) {
    const link_map* loaded = nullptr;
    const bool told = ::dlinfo(handle, RTLD_DI_LINKMAP, &loaded) == 0;
    const std::string path = told && loaded->l_name ? loaded->l_name : "";
    ::dlclose(handle);
    for (const Mapped& library : all)
      if (library.path == path) return &library;
  }
  for (const Mapped& library : all)  // a name with $ORIGIN in it, which stands for another folder here
    if (base_name(library.path) == base_name(name)) return &library;
  return nullptr;
}

// Adds a line for each library that the file at `path` needs, and for what those need in turn.
void add_needed(const std::string& path, const std::vector<Mapped>& all, std::set<std::string>& seen, std::string& lines) {
  for (const std::string& name : ElfFile(path).needed()) {
    if (is_runtime(base_name(name))) continue;
    const Mapped* library = find(all, name);
    if (!library)
      throw Error(ErrorKind::plugin, path + " needs " + name + ", which is not among the libraries that are loaded")
          .hint("khost could not tell when it changes: link it by its name and a run path, not by a path with variables");
    if (!seen.insert(library->path).second) continue;
    lines +=
        "\n" + std::string(base_name(name)) + " " + (library->id.empty() ? library_content_of_file(library->path) : library->id);
    add_needed(library->path, all, seen, lines);
  }
}

}  // namespace

std::string library_content(std::string_view bytes) {
  const auto told = sections(bytes);
  return sha256(told ? std::string_view(*told) : bytes);
}

std::string library_content_of_file(const std::string& path) {
  try {
    return library_content(read_whole_file(path, "shared library").text());
  } catch (const Error& e) {
    if (e.kind() == ErrorKind::interrupted) throw;
    throw Error(ErrorKind::plugin, e.message());
  }
}

std::string with_linked_libraries(const std::string& path, const std::string& own) {
  std::vector<Mapped> loaded;
  ::dl_iterate_phdr(note, &loaded);
  std::set<std::string> seen;
  std::string all = own;
  add_needed(path, loaded, seen, all);
  return all == own ? own : sha256(all);
}

}  // namespace khost
