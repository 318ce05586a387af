// Writes the first inputs of each fuzz target into FOLDER/NAME: what the tests and the experiments have.
#include <elf.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "fuzz.hpp"
#include "khost/plugin.hpp"
#include "khost/safetensors.hpp"
#include "store/trial_files.hpp"
#include "unit/manifest_fixture.hpp"
#include "unit/scratch.hpp"

using namespace khost;
namespace fs = std::filesystem;

namespace {

std::string bytes_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class Corpus {
 public:
  Corpus(const fs::path& folder, const std::string& target) : folder_(folder / target) { fs::create_directories(folder_); }
  void add(std::string_view bytes) {
    const std::string name = "seed" + std::to_string(count_++);
    std::ofstream(folder_ / name, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }

 private:
  fs::path folder_;
  int count_ = 0;
};

const fs::path sources = KHOST_SOURCE_DIR;

// Every string that stands under `key` anywhere in a manifest.
void gather(const Json& json, std::string_view key, std::vector<std::string>& out) {
  if (json.is_list())
    for (const Json& each : json.as_list()) gather(each, key, out);
  if (!json.is_object()) return;
  for (const JsonMember& m : json.as_object()) {
    if (m.key == key && m.value.is_string()) out.push_back(m.value.as_string());
    if (m.key == key && m.value.is_object())
      for (const JsonMember& named : m.value.as_object())
        if (named.value.is_string()) out.push_back(named.value.as_string());
    gather(m.value, key, out);
  }
}

void manifests(const fs::path& folder) {
  Corpus corpus(folder, "manifest"), measures(folder, "measure"), paths(folder, "record_path"), schemas(folder, "schema");
  corpus.add(test::good);
  corpus.add(test::rich);
  corpus.add(std::string("{\"include\": [\"a\", \"b\"], \"seeds\": 2}\n--- a\n") + test::good +
             "\n--- b\n{\"include\": \"a\", \"arms\": {\"K8\": null}}\n+++ steps=3\n+++ arms.K16.adapter.rank=1e1\n+++ "
             "probes.snr.split=3\n");
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(sources / "experiments"))
    if (entry.is_regular_file()) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::vector<std::string> measure, let, predicts;
  for (const fs::path& file : files) {
    corpus.add(bytes_of(file));
    const Json json = parse_json_file(file.string());
    gather(json, "measure", measure);
    gather(json, "let", let);
    gather(json, "predicts", predicts);
  }
  for (const char* text :
       {"a / b", "min(list) + mean(pair) - sd(open) * a", "pearson(list, pair)", "a > b ? x1 : argmin(1, 2, 0)",
        "range(list, 3e-2) ^ -abs(ln(b))", "(a && b) || x1 != .5", "1e5 - _pi"})
    measures.add(text);
  for (const std::string& text : measure) measures.add(text);
  for (std::size_t i = 0; i < let.size(); ++i)
    paths.add(let[i] + "\n" + let[(i + 1) % let.size()] + "\n" + predicts[i % predicts.size()]);
  paths.add("in_basis/layer*\nin_basis/layer<l>\nin [0.4, 0.6]");
  paths.add("layer.*.mlp.*\nlayer.10.mlp.up\n< -1e-3");
  for (const char* text :
       {R"({"count": 3})", R"({"count": 1e3, "rate": 0.5, "word": "beta", "steps": [1, 2.0], "shares": [0, 1], "words": ["a"]})",
        R"({"count": 1, "maybe": null, "inner": {"weight": 1, "name": "x"}, "inners": [{"weight": 0}, {}], "maybe_inner": {}})",
        R"({"count": 2, "any": [[0, "K"], {"a": null}], "old": "x", "path": "../a", "flag": true, "small": -5})"})
    schemas.add(text);
}

void tensors(const fs::path& folder) {
  Corpus corpus(folder, "safetensors");
  const Scratch scratch;
  const std::vector<float> floats = {1, -2, 0.5f, 1e30f};
  const std::vector<std::int32_t> ints = {7, -1};
  const std::vector<NamedArray> arrays = {{"layer.0.attn.qkv", {DType::f32, floats.data(), {2, 2}}},
                                          {"t", {DType::i32, ints.data(), {2}}},
                                          {"e", {DType::i32, nullptr, {0, 3}}}};
  write_safetensors(scratch / "f", arrays, {{"format", "pt"}});
  corpus.add(bytes_of(scratch / "f"));
  const auto with = [&](const std::string& header, std::size_t data) {
    std::string bytes(8, '\0');
    const std::uint64_t length = header.size();
    std::memcpy(bytes.data(), &length, 8);
    corpus.add(bytes.append(header).append(data, '\x3c'));
  };
  with(R"({"w":{"dtype":"F16","shape":[3],"data_offsets":[1,7]},"m":{"dtype":"BOOL","shape":[1],"data_offsets":[0,1]}})", 7);
  with(R"({"__metadata__":{"n":1,"x":null,"l":[2]},"g":{"dtype":"BF16","shape":[1,1],"data_offsets":[0,2]}})", 2);
  with(R"({"__metadata__":null,"f":{"dtype":"F4","shape":[2],"data_offsets":[0,1]}})", 1);
  with("{}", 0);
  corpus.add("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n");
  corpus.add(R"({"metadata": {}, "weight_map": {"a": "b"}})");
}

void trials(const fs::path& folder) {
  Corpus corpus(folder, "trial");
  TrialResult trial;
  trial.key = {"K8", "plain", 0, 3};
  trial.hash = "0123abcd";
  trial.status = "done";
  trial.seconds = 1.25;
  trial.adapter_parameters = 100;
  for (const Record& r : {Record{"loss", "final", -1, 6.5, "nats"}, Record{"snr", "drift/0", -1, std::nan(""), "1"},
                          Record{"e", "x", -1, -INFINITY, "1"}})
    trial.add(r);
  const std::string text = trial_files(trial, ".").json;
  corpus.add("\x02" + text);
  corpus.add("\x01" + parse_json(text, "t").at("trial").text());
  corpus.add(std::string(1, '\0') + R"({"kind": "thing", "bytes": 14, "sha256": "00", "recipe": {}})");
  corpus.add(std::string(1, '\0'));
  corpus.add(std::string("\x08\x40\x00\x01\x02K8\x01p\0\x03\0\x03"
                         "abc\0\0\0\0\0\0\0\xf4?",
                         25) +
             std::string(40, '\x07'));
  corpus.add("\x09" + std::string(80, '\x21'));
}

// A shared library of the least that the reader looks at: one segment, a dynamic symbol with a plugin's entry, one needed
// library.
std::string library(std::string_view fingerprint, std::string_view needed) {
  const std::string names = std::string("\0khost_plugin_entry\0", 20) + std::string(needed) + '\0';
  khost_entry entry{};
  std::memcpy(entry.magic, KHOST_MAGIC, 8);
  entry.struct_size = sizeof entry;
  entry.api_version = KHOST_PLUGIN_API;
  std::memcpy(entry.fingerprint, fingerprint.data(), std::min(fingerprint.size(), sizeof entry.fingerprint - 1));
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_type = ET_DYN;
#if defined(__x86_64__)
  header.e_machine = EM_X86_64;
#else
  header.e_machine = EM_AARCH64;
#endif
  header.e_version = EV_CURRENT;
  header.e_ehsize = sizeof header;
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_shentsize = sizeof(Elf64_Shdr);
  header.e_phnum = 1;
  header.e_shnum = 4;
  header.e_phoff = sizeof header;
  const std::uint64_t entry_at = header.e_phoff + sizeof(Elf64_Phdr), names_at = entry_at + sizeof entry,
                      symbols_at = names_at + names.size(), dynamic_at = symbols_at + 2 * sizeof(Elf64_Sym);
  header.e_shoff = dynamic_at + 2 * sizeof(Elf64_Dyn);
  Elf64_Phdr segment{};
  segment.p_type = PT_LOAD;
  segment.p_filesz = segment.p_memsz = header.e_shoff;
  Elf64_Sym symbols[2]{};
  symbols[1].st_name = 1;
  symbols[1].st_info = ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT);
  symbols[1].st_shndx = 1;
  symbols[1].st_value = entry_at;
  symbols[1].st_size = sizeof entry;
  Elf64_Dyn dynamic[2]{};
  dynamic[0].d_tag = needed.empty() ? DT_NULL : DT_NEEDED;
  dynamic[0].d_un.d_val = 20;
  Elf64_Shdr sections[4]{};
  sections[1].sh_type = SHT_STRTAB;
  sections[1].sh_offset = names_at;
  sections[1].sh_size = names.size();
  sections[2].sh_type = SHT_DYNSYM;
  sections[2].sh_offset = symbols_at;
  sections[2].sh_size = sizeof symbols;
  sections[2].sh_link = 1;
  sections[2].sh_entsize = sizeof(Elf64_Sym);
  sections[3].sh_type = SHT_DYNAMIC;
  sections[3].sh_offset = dynamic_at;
  sections[3].sh_size = sizeof dynamic;
  sections[3].sh_link = 1;
  std::string bytes;
  const auto put = [&](const void* data, std::size_t size) { bytes.append(static_cast<const char*>(data), size); };
  put(&header, sizeof header);
  put(&segment, sizeof segment);
  put(&entry, sizeof entry);
  bytes += names;
  put(symbols, sizeof symbols);
  put(dynamic, sizeof dynamic);
  put(sections, sizeof sections);
  return bytes;
}

void libraries(const fs::path& folder) {
  Corpus corpus(folder, "elf");
  const detail::Fingerprint fingerprint = detail::fingerprint(detail::only(Kind::probe));
  corpus.add(library(fingerprint.text, ""));
  corpus.add(library(KHOST_C_TABLE, "libgomp.so.1"));
  corpus.add(library("abi=0;sdk.probe=0", "libomp.so.5"));
  corpus.add(library(fingerprint.text, "libc.so.6").substr(0, 700));
}

void texts(const fs::path& folder) {
  Corpus corpus(folder, "tokens");
  const std::string village = bytes_of(sources / "tests/data/village.txt");
  corpus.add("b" + village.substr(0, 600));
  corpus.add("a" + village.substr(0, 300));
  corpus.add("b\xef\xbb\xbf one\r\ntwo \xe2\x96\x85\r\n\r\n\xe2\x80\x8b\n\nthree\rfour \xef\xbf\xbd\n");
  corpus.add(std::string("b\x1f\x8b\x08\0\0\0\0\0\0\x03\x4b\x4c\x4a\xe6\x02\0\x4e\x81\x88\x47\x04\0\0\0", 25));  // "abc\n"
  corpus.add(
      "b\xff\xfe"
      "a");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
    return 2;
  }
  manifests(argv[1]);
  tensors(argv[1]);
  trials(argv[1]);
  libraries(argv[1]);
  texts(argv[1]);
  return 0;
}
