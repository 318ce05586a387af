#include "engine/checkpoint.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <new>
#include <optional>

#include "artifact/file.hpp"
#include "artifact/sha256.hpp"
#include "core/interrupt.hpp"
#include "khost/error.hpp"

namespace fs = std::filesystem;

namespace khost {
namespace {

// The first line, the hash of what is trained, the state, and the SHA-256 of all that.
constexpr std::string_view magic = "khost checkpoint 2\n";
constexpr std::size_t checksum_size = 64, chunk = 1 << 16;

std::string head_of(const std::string& of) { return std::string(magic) + of + "\n"; }

// A file with the checksum of all that was written at its end.
class Summed {
 public:
  explicit Summed(NewFile& file) : file_(file) { pending_.reserve(chunk); }
  void add(const void* data, std::size_t size) {
    if (pending_.size() + size > chunk) flush();
    if (size > chunk) {
      hash_.add(data, size);
      file_.write(data, size);
    } else {
      pending_.append(static_cast<const char*>(data), size);
    }
  }
  void end() {
    flush();
    const std::string checksum = hash_.hex();
    file_.write(checksum.data(), checksum.size());
  }

 private:
  void flush() {
    hash_.add(pending_.data(), pending_.size());
    file_.write(pending_.data(), pending_.size());
    pending_.clear();
  }

  NewFile& file_;
  Sha256 hash_;
  std::string pending_;
};

// How many bytes of state it has; nothing when it is not a whole checkpoint of that. The file stands at the first of them.
std::optional<std::uintmax_t> state_of_file(std::ifstream& file, const std::string& path, const std::string& of) {
  const std::string head = head_of(of);
  std::error_code error;
  const std::uintmax_t size = fs::file_size(path, error);
  if (error || size < head.size() + checksum_size) return std::nullopt;
  Sha256 hash;
  std::string buffer(chunk, '\0'), begin;
  for (std::uintmax_t left = size - checksum_size; left > 0;) {
    const std::size_t next = std::min<std::uintmax_t>(left, chunk);
    if (!file.read(buffer.data(), static_cast<std::streamsize>(next))) return std::nullopt;
    if (begin.empty()) begin = buffer.substr(0, head.size());
    hash.add(buffer.data(), next);
    left -= next;
  }
  std::string checksum(checksum_size, '\0');
  if (!file.read(checksum.data(), checksum_size) || begin != head || hash.hex() != checksum) return std::nullopt;
  file.seekg(static_cast<std::streamoff>(head.size()));
  return size - head.size() - checksum_size;
}

}  // namespace

std::string checkpoint_file(const std::string& cache_root, const std::string& hash) {
  return (fs::path(cache_root) / "checkpoints" / hash).string();
}

bool has_checkpoint(const std::string& cache_root, const std::string& hash) {
  std::error_code none;
  return fs::is_regular_file(checkpoint_file(cache_root, hash), none);
}

void remove_checkpoint(const std::string& cache_root, const std::string& hash) {
  std::error_code gone;
  fs::remove(checkpoint_file(cache_root, hash), gone);
}

Checkpoint::Checkpoint(std::string file, std::string of, double period)
    : file_(std::move(file)), of_(std::move(of)), period_(period), possible_(!file_.empty()) {}

bool Checkpoint::resume(const Visit& visit) {
  std::error_code none;
  if (file_.empty() || !fs::is_regular_file(file_, none)) return false;
  std::ifstream in(file_, std::ios::binary);
  const auto size = state_of_file(in, file_, of_);
  if (!size) {
    spdlog::warn("{}: a damaged checkpoint; it is begun anew", file_);
    remove();
    return false;
  }
  try {
    StateReader reader(
        [&](void* data, std::size_t bytes) {
          if (!in.read(static_cast<char*>(data), static_cast<std::streamsize>(bytes)))
            throw Error(ErrorKind::usage, "a checkpoint could not be read to its end");
        },
        *size);
    visit(reader);
    reader.end();
  } catch (...) {
    remove();
    throw;
  }
  last_ = std::chrono::steady_clock::now();
  return true;
}

bool Checkpoint::worth_keeping() const {
  return possible_ &&
         std::chrono::steady_clock::now() - last_ >= std::min<std::chrono::duration<double>>(period_, std::chrono::seconds(1));
}

bool Checkpoint::due() const { return possible_ && std::chrono::steady_clock::now() - last_ >= period_; }

void Checkpoint::keep(const Visit& visit) {
  if (!possible_) return;
  const Activity writing("writing a checkpoint", Activity::Kind::finished);
  const auto not_kept = [&](const std::string& why) {
    spdlog::warn("no checkpoint is kept: {}", why);
    possible_ = false;
  };
  try {
    std::error_code made;
    fs::create_directories(fs::path(file_).parent_path(), made);  // that it failed is told by the file
    NewFile file(file_);
    Summed summed(file);
    const std::string head = head_of(of_);
    summed.add(head.data(), head.size());
    StateWriter writer([&](const void* data, std::size_t size) { summed.add(data, size); });
    visit(writer);
    possible_ = writer.known();
    if (!possible_) return;
    summed.end();
    file.keep();
  } catch (const Error& e) {
    not_kept(e.what());
  } catch (const std::bad_alloc&) {
    not_kept("there was not enough memory");
  }
  last_ = std::chrono::steady_clock::now();
}

void Checkpoint::remove() const {
  std::error_code gone;
  if (!file_.empty()) fs::remove(file_, gone);
}

}  // namespace khost
