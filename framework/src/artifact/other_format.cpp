// What people have in place of a safetensors file.
#include <algorithm>
#include <array>
#include <cctype>

#include "artifact/safetensors_header.hpp"

namespace khost {
namespace {

constexpr const char* convert =
    "convert it with Python: from safetensors.torch import save_file; save_file(torch.load(FILE, weights_only=True), "
    "'NAME.safetensors')";

struct Known {
  std::string_view magic;
  const char *what, *mend;
};
constexpr std::array<Known, 10> kKnown{{
    {"version https://git-lfs", "a Git LFS pointer; the tensors themselves were not fetched",
     "fetch them: git lfs install; git lfs pull"},
    {"PK\x03\x04", "a zip archive, as torch.save() writes it (a .bin, .pt or .pth checkpoint)", convert},
    {"\x80\x02", "a Python pickle (an old torch.save() checkpoint)", convert},
    {"\x80\x03", "a Python pickle", convert},
    {"\x80\x04", "a Python pickle", convert},
    {"\x80\x05", "a Python pickle", convert},
    {"GGUF", "a GGUF file of llama.cpp", "take the safetensors checkpoint that it was made from"},
    {"\x89HDF\r\n", "an HDF5 file", "load it with Python and save it with safetensors.numpy.save_file()"},
    {"\x93NUMPY", "a NumPy array", "load it with Python and save it with safetensors.numpy.save_file()"},
    {"\x1f\x8b", "gzip-compressed", "unpack it: gunzip"},
}};

std::string_view without_blanks(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  return first == text.npos ? "" : text.substr(first);
}

bool begins_like_html(std::string_view text) {
  std::string start(text.substr(0, 9));
  std::ranges::transform(start, start.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return start == "<!doctype" || start.starts_with("<html");
}

}  // namespace

OtherFormat other_format(std::string_view bytes) {
  const auto fits = [&](const Known& k) { return bytes.starts_with(k.magic); };
  // A pickle's two bytes may also be the length of a header; then a '{' stands where the header begins.
  if (bytes.size() > 8 && bytes[8] == '{') return {};
  if (const auto* known = std::find_if(kKnown.begin(), kKnown.end(), fits); known != kKnown.end())
    return {known->what, known->mend};
  const std::string_view text = without_blanks(bytes.substr(0, 4096));
  if (begins_like_html(text)) return {"an HTML page, not the file behind it", "download it again, by its address for raw files"};
  if (text.starts_with('{'))
    return bytes.find("\"weight_map\"") != bytes.npos
               ? OtherFormat{"the index of a checkpoint in several files, not the tensors themselves",
                             "khost reads one file: load the checkpoint with Python and save it as one, with "
                             "max_shard_size='100GB'"}
               : OtherFormat{"a JSON file, not a safetensors file", "name the file that holds the tensors"};
  return {};
}

}  // namespace khost
