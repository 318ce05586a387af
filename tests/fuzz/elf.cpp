// A plugin's file, looked at before any of it runs: fit with all that makes it so in it, or refused.
#include "plugin/elf.hpp"

#include "fuzz.hpp"
#include "plugin/fingerprint.hpp"
#include "plugin/registry.hpp"

using namespace khost;
using namespace khost::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes = text_of(data, size);
  const MemoryFile file(bytes);
  try {
    const ElfFile elf(file.path());
    volatile unsigned sum = 0;
    const auto entry = elf.symbol_bytes("khost_plugin_entry", 512);
    if (entry) {
      hold(entry->size() <= 512, "no more bytes than asked for");
      for (const std::byte b : *entry) sum = sum + std::to_integer<unsigned>(b);
    }
    for (const std::string& library : elf.needed())
      hold(library.size() < bytes.size() && bytes.find(library) != bytes.npos, "a needed library is named in the file", library);
    static_cast<void>(elf.symbol_bytes("", 1));
  } catch (const Error& e) {
    hold_message(e, false);
    hold(e.kind() == ErrorKind::plugin, "an unfit file is a plugin error", e.what());
  }
  try {
    const Judged judged = judge_plugin_file(file.path());
    hold(judged.api_version == KHOST_PLUGIN_API, "what is fit has this API");
    hold(judged.fingerprint == host_fingerprint(judged.fingerprint) || judged.fingerprint == KHOST_C_TABLE,
         "what is fit has this build", judged.fingerprint);
    hold(bytes.find(KHOST_MAGIC) != bytes.npos && bytes.find("khost_plugin_entry") != bytes.npos, "what is fit has an entry");
  } catch (const Error& e) {
    hold_message(e, false);
    hold(e.kind() == ErrorKind::plugin, "an unfit file is a plugin error", e.what());
  }
  return 0;
}
