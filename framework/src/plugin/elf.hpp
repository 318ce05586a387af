// Just enough of ELF64 to look at a shared library without running any of it: its dynamic symbols, the bytes behind one of
// them, and the libraries it needs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace khost {

// A memory-mapped shared library for this machine. Every access is checked against the file's size: a broken file gives an
// Error, never a crash.
class ElfFile {
 public:
  // Throws a plugin Error when the file cannot be read, is not ELF, is truncated, or was made for another machine.
  explicit ElfFile(const std::string& path);
  ~ElfFile();
  ElfFile(const ElfFile&) = delete;
  ElfFile& operator=(const ElfFile&) = delete;

  // The bytes that a defined dynamic symbol has in the file, at most `size` of them: fewer when the symbol is smaller, none
  // when it lies in memory that the file does not fill. nullopt: no such symbol is defined.
  std::optional<std::span<const std::byte>> symbol_bytes(std::string_view name, std::size_t size) const;

  std::vector<std::string> needed() const;  // DT_NEEDED: "libgomp.so.1"

  // Names of the symbols that it defines for others, without those that a linker adds by itself (_init, _end).
  std::vector<std::string> exported() const;

  // The functions that the loader runs before it hands the library over, beside the compiler's own frame_dummy: "" for one whose
  // name is not in the file (it was stripped).
  std::vector<std::string> initialisers() const;

 private:
  struct Sections;
  struct Symbols;
  std::span<const std::byte> bytes(std::uint64_t offset, std::uint64_t size, std::string_view what) const;
  template <class T>
  T read(std::uint64_t offset, std::string_view what) const;
  std::string_view string_at(std::span<const std::byte> table, std::uint64_t offset) const;
  void check_header() const;
  Sections sections() const;
  Symbols symbols(const Sections& all, std::uint32_t type) const;
  // The address that the loader puts into the word at `address`, of which the file holds `stored`.
  std::uint64_t relocated(const Sections& all, std::uint64_t address, std::uint64_t stored) const;

  std::string path_;
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace khost
