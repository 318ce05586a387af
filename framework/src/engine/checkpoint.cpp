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

class Writer final : public State {
 public:
  explicit Writer(NewFile& file) : State(false), file_(file) { pending_.reserve(chunk); }
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
  void bytes(void* data, std::size_t size) override { add(data, size); }
  std::size_t checked(std::size_t count, std::size_t) override { return count; }

  NewFile& file_;
  Sha256 hash_;
  std::string pending_;
};

class Reader final : public State {
 public:
  // The next `size` bytes of `file`.
  Reader(std::ifstream& file, std::uintmax_t size) : State(true), file_(file), left_(size) {}
  bool at_end() const { return left_ == 0; }

 private:
  [[noreturn]] static void short_of() {
    throw Error(ErrorKind::plugin, "more is read of a checkpoint than was written to it")
        .hint("a state() must read what it wrote, in the same order");
  }
  void bytes(void* data, std::size_t size) override {
    if (size > left_) short_of();
    if (!file_.read(static_cast<char*>(data), static_cast<std::streamsize>(size)))
      throw Error(ErrorKind::usage, "a checkpoint could not be read to its end");
    left_ -= size;
  }
  std::size_t checked(std::size_t count, std::size_t size) override {
    if (count > left_ / size) short_of();
    return count;
  }

  std::ifstream& file_;
  std::uintmax_t left_;
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
    Reader reader(in, *size);
    visit(reader);
    if (!reader.at_end())
      throw Error(ErrorKind::plugin, "less is read of a checkpoint than was written to it")
          .hint("a state() must read what it wrote, in the same order");
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
    Writer writer(file);
    const std::string head = head_of(of_);
    writer.add(head.data(), head.size());
    visit(writer);
    possible_ = writer.known();
    if (!possible_) return;
    writer.end();
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
