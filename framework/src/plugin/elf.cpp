#include "plugin/elf.hpp"

#include <elf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "khost/error.hpp"

namespace khost {
namespace {

#if defined(__x86_64__)
constexpr unsigned host_machine = EM_X86_64;
constexpr const char* host_machine_name = "x86-64";
#elif defined(__aarch64__)
constexpr unsigned host_machine = EM_AARCH64;
constexpr const char* host_machine_name = "AArch64";
#else
#error "khost reads plugins of x86-64 and AArch64 only; add this machine's EM_ number here"
#endif

std::string machine_name(unsigned machine) {
  switch (machine) {
    case EM_X86_64:
      return "x86-64";
    case EM_AARCH64:
      return "AArch64";
    case EM_386:
      return "32-bit x86";
    case EM_ARM:
      return "32-bit ARM";
    case EM_RISCV:
      return "RISC-V";
    case EM_PPC64:
      return "PowerPC 64";
    default:
      return fmt::format("machine number {}", machine);
  }
}

[[noreturn]] void refuse(const std::string& path, std::string_view why, std::string_view hint) {
  throw Error(ErrorKind::plugin, fmt::format("plugin {} {}", path, why)).hint(hint);
}

constexpr std::string_view make_plugin_hint = "a plugin is a shared library made by khost_add_plugin()";

}  // namespace

struct ElfFile::Sections {
  std::vector<Elf64_Shdr> headers;

  const Elf64_Shdr* of_type(std::uint32_t type) const {
    for (const Elf64_Shdr& h : headers)
      if (h.sh_type == type) return &h;
    return nullptr;
  }
};

struct ElfFile::Symbols {
  std::vector<Elf64_Sym> all;
  std::span<const std::byte> names;
};

ElfFile::ElfFile(const std::string& path) : path_(path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) refuse(path, fmt::format("cannot be read: {}", std::strerror(errno)), "check the path and its permissions");
  struct stat status {};
  const bool regular = ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
  if (regular && status.st_size > 0) {
    size_ = static_cast<std::size_t>(status.st_size);
    void* map = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map != MAP_FAILED) data_ = static_cast<const std::byte*>(map);
  }
  ::close(fd);
  if (!regular) refuse(path, "is not a file", make_plugin_hint);
  if (size_ == 0) refuse(path, "is not an ELF file: it is empty", make_plugin_hint);
  if (!data_) refuse(path, "cannot be mapped into memory", "check that the file system allows it");
  try {
    check_header();
  } catch (...) {
    ::munmap(const_cast<std::byte*>(data_), size_);
    throw;
  }
}

ElfFile::~ElfFile() { ::munmap(const_cast<std::byte*>(data_), size_); }

std::span<const std::byte> ElfFile::bytes(std::uint64_t offset, std::uint64_t size, std::string_view what) const {
  if (offset > size_ || size > size_ - offset)
    refuse(path_,
           fmt::format("is truncated: its {} is at bytes {} to {}, but the file ends at {}", what, offset, offset + size, size_),
           "build or copy it again");
  return {data_ + offset, static_cast<std::size_t>(size)};
}

template <class T>
T ElfFile::read(std::uint64_t offset, std::string_view what) const {
  T value;
  std::memcpy(&value, bytes(offset, sizeof value, what).data(), sizeof value);  // offsets in a broken file are not aligned
  return value;
}

std::string_view ElfFile::string_at(std::span<const std::byte> table, std::uint64_t offset) const {
  if (offset >= table.size()) refuse(path_, "is damaged: a name lies outside its string table", "build or copy it again");
  const char* text = reinterpret_cast<const char*>(table.data() + offset);
  return {text, ::strnlen(text, table.size() - offset)};
}

void ElfFile::check_header() const {
  if (size_ < SELFMAG || std::memcmp(data_, ELFMAG, SELFMAG) != 0)
    refuse(path_, "is not an ELF file: it does not begin with \\x7f 'ELF'", make_plugin_hint);
  const auto ident = bytes(0, EI_NIDENT, "ELF header");
  const auto ident_at = [&](std::size_t i) { return std::to_integer<unsigned>(ident[i]); };
  if (ident_at(EI_CLASS) != ELFCLASS64)
    refuse(path_, "is a 32-bit library; this khost is 64-bit", "build the plugin for 64 bits");
  if (ident_at(EI_DATA) != ELFDATA2LSB)
    refuse(path_, "is a big-endian library; this khost is little-endian",
           fmt::format("build the plugin for {}", host_machine_name));
  const auto header = read<Elf64_Ehdr>(0, "ELF header");
  if (header.e_machine != host_machine)
    refuse(path_, fmt::format("was built for {}; this khost runs on {}", machine_name(header.e_machine), host_machine_name),
           fmt::format("build the plugin for {}", host_machine_name));
  if (header.e_type != ET_DYN)
    refuse(path_, "is an ELF file but not a shared library", "link it as a MODULE, as khost_add_plugin() does");
  if (header.e_phentsize != sizeof(Elf64_Phdr) || (header.e_shnum && header.e_shentsize != sizeof(Elf64_Shdr)))
    refuse(path_, "is damaged: its table entries have the wrong size", "build or copy it again");
  // The loader maps these segments; one that runs past the end of the file would fault when it is touched.
  for (unsigned i = 0; i < header.e_phnum; ++i) {
    const auto segment = read<Elf64_Phdr>(header.e_phoff + std::uint64_t{i} * sizeof(Elf64_Phdr), "table of segments");
    if (segment.p_type == PT_LOAD) bytes(segment.p_offset, segment.p_filesz, "segment");
  }
}

ElfFile::Sections ElfFile::sections() const {
  const auto header = read<Elf64_Ehdr>(0, "ELF header");
  Sections result;
  for (unsigned i = 0; i < header.e_shnum; ++i)
    result.headers.push_back(read<Elf64_Shdr>(header.e_shoff + std::uint64_t{i} * sizeof(Elf64_Shdr), "table of sections"));
  return result;
}

ElfFile::Symbols ElfFile::symbols(const Sections& all, std::uint32_t type) const {
  Symbols result;
  const Elf64_Shdr* table = all.of_type(type);
  if (!table || table->sh_link >= all.headers.size()) return result;
  const Elf64_Shdr& names = all.headers[table->sh_link];
  result.names = bytes(names.sh_offset, names.sh_size, "string table of its symbols");
  bytes(table->sh_offset, table->sh_size, "symbol table");
  for (std::uint64_t at = 0; at + sizeof(Elf64_Sym) <= table->sh_size; at += sizeof(Elf64_Sym))
    result.all.push_back(read<Elf64_Sym>(table->sh_offset + at, "symbol table"));
  return result;
}

std::optional<std::span<const std::byte>> ElfFile::symbol_bytes(std::string_view name, std::size_t size) const {
  const Symbols dynamic = symbols(sections(), SHT_DYNSYM);
  for (const Elf64_Sym& symbol : dynamic.all) {
    if (symbol.st_shndx == SHN_UNDEF || string_at(dynamic.names, symbol.st_name) != name) continue;
    const auto header = read<Elf64_Ehdr>(0, "ELF header");
    for (unsigned i = 0; i < header.e_phnum; ++i) {
      const auto segment = read<Elf64_Phdr>(header.e_phoff + std::uint64_t{i} * sizeof(Elf64_Phdr), "table of segments");
      if (segment.p_type != PT_LOAD || symbol.st_value < segment.p_vaddr) continue;
      const std::uint64_t within = symbol.st_value - segment.p_vaddr;
      if (within >= segment.p_filesz) continue;
      const std::uint64_t wanted = std::min<std::uint64_t>({size, symbol.st_size, segment.p_filesz - within});
      return bytes(segment.p_offset + within, wanted, "plugin entry");
    }
    return std::span<const std::byte>{};
  }
  return std::nullopt;
}

std::vector<std::string> ElfFile::exported() const {
  std::vector<std::string> result;
  const Symbols dynamic = symbols(sections(), SHT_DYNSYM);
  for (const Elf64_Sym& symbol : dynamic.all) {
    const unsigned seen = ELF64_ST_VISIBILITY(symbol.st_other);
    if (symbol.st_shndx == SHN_UNDEF || symbol.st_shndx == SHN_ABS || ELF64_ST_BIND(symbol.st_info) == STB_LOCAL ||
        seen == STV_HIDDEN || seen == STV_INTERNAL)
      continue;
    const std::string_view name = string_at(dynamic.names, symbol.st_name);
    const auto& linkers = {"_init", "_fini", "__bss_start", "_edata", "_end"};
    if (std::find(linkers.begin(), linkers.end(), name) == linkers.end()) result.emplace_back(name);
  }
  return result;
}

std::uint64_t ElfFile::relocated(const Sections& all, std::uint64_t address, std::uint64_t stored) const {
  for (const Elf64_Shdr& section : all.headers) {
    if (section.sh_type != SHT_RELA) continue;
    for (std::uint64_t at = 0; at + sizeof(Elf64_Rela) <= section.sh_size; at += sizeof(Elf64_Rela)) {
      const auto entry = read<Elf64_Rela>(section.sh_offset + at, "table of relocations");
      if (entry.r_offset == address && ELF64_R_SYM(entry.r_info) == 0) return static_cast<std::uint64_t>(entry.r_addend);
    }
  }
  return stored;  // packed relocations leave the address in its place
}

std::vector<std::string> ElfFile::initialisers() const {
  std::vector<std::string> result;
  const Sections all = sections();
  const Symbols names = symbols(all, SHT_SYMTAB);
  bool first = true;
  for (const Elf64_Shdr& section : all.headers) {
    if (section.sh_type != SHT_INIT_ARRAY) continue;
    for (std::uint64_t at = 0; at + sizeof(std::uint64_t) <= section.sh_size; at += sizeof(std::uint64_t)) {
      const auto stored = read<std::uint64_t>(section.sh_offset + at, "table of initialisers");
      const std::uint64_t function = relocated(all, section.sh_addr + at, stored);
      std::string name;
      for (const Elf64_Sym& symbol : names.all)
        if (ELF64_ST_TYPE(symbol.st_info) == STT_FUNC && symbol.st_value == function)
          name = string_at(names.names, symbol.st_name);
      const bool compilers = name == "frame_dummy" || (first && name.empty());  // crtbeginS.o is linked first
      if (!compilers) result.push_back(name);
      first = false;
    }
  }
  return result;
}

std::vector<std::string> ElfFile::needed() const {
  std::vector<std::string> result;
  const Sections all = sections();
  const Elf64_Shdr* dynamic = all.of_type(SHT_DYNAMIC);
  if (!dynamic || dynamic->sh_link >= all.headers.size()) return result;
  const Elf64_Shdr& names_header = all.headers[dynamic->sh_link];
  const auto names = bytes(names_header.sh_offset, names_header.sh_size, "dynamic string table");
  for (std::uint64_t at = 0; at + sizeof(Elf64_Dyn) <= dynamic->sh_size; at += sizeof(Elf64_Dyn)) {
    const auto entry = read<Elf64_Dyn>(dynamic->sh_offset + at, "dynamic section");
    if (entry.d_tag == DT_NULL) break;
    if (entry.d_tag == DT_NEEDED) result.emplace_back(string_at(names, entry.d_un.d_val));
  }
  return result;
}

}  // namespace khost
