#include "engine/checkpoint.hpp"

#include <spdlog/spdlog.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "artifact/file.hpp"
#include "khost/error.hpp"
#include "khost/hash.hpp"

namespace fs = std::filesystem;

namespace khost {
namespace {

constexpr std::string_view magic = "khost checkpoint 1\n";

class Writer final : public State {
 public:
  Writer() : State(false) {}
  std::string content;

 private:
  void bytes(void* data, std::size_t size) override { content.append(static_cast<const char*>(data), size); }
  std::size_t checked(std::size_t count, std::size_t) override { return count; }
};

class Reader final : public State {
 public:
  explicit Reader(std::string_view content) : State(true), left_(content) {}
  bool at_end() const { return left_.empty(); }

 private:
  [[noreturn]] static void short_of() {
    throw Error(ErrorKind::plugin, "more is read of a checkpoint than was written to it")
        .hint("a state() must read what it wrote, in the same order");
  }
  void bytes(void* data, std::size_t size) override {
    if (size > left_.size()) short_of();
    if (size) std::memcpy(data, left_.data(), size);
    left_.remove_prefix(size);
  }
  std::size_t checked(std::size_t count, std::size_t size) override {
    if (count > left_.size() / size) short_of();
    return count;
  }
  std::string_view left_;
};

std::string head_of(const std::string& of, std::string_view content) {
  return std::string(magic) + of + "\n" + sha256(content) + "\n";
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
  std::ostringstream text;
  text << in.rdbuf();
  const std::string all = std::move(text).str();
  const std::size_t head = magic.size() + of_.size() + 1 + sha256("").size() + 1;
  const std::string_view content = all.size() < head ? std::string_view() : std::string_view(all).substr(head);
  if (all.size() < head || all.compare(0, head, head_of(of_, content)) != 0) {
    spdlog::warn("{}: a damaged checkpoint; it is begun anew", file_);
    remove();
    return false;
  }
  try {
    Reader reader(content);
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

bool Checkpoint::due() const { return possible_ && std::chrono::steady_clock::now() - last_ >= period_; }

void Checkpoint::keep(const Visit& visit) {
  if (!possible_) return;
  Writer writer;
  visit(writer);
  possible_ = writer.known();
  if (!possible_) return;
  try {
    std::error_code made;
    fs::create_directories(fs::path(file_).parent_path(), made);  // that it failed is told by the file
    NewFile file(file_);
    const std::string head = head_of(of_, writer.content);
    file.write(head.data(), head.size());
    file.write(writer.content.data(), writer.content.size());
    file.keep();
  } catch (const Error& e) {
    spdlog::warn("no checkpoint is kept: {}", e.what());
    possible_ = false;
  }
  last_ = std::chrono::steady_clock::now();
}

void Checkpoint::remove() const {
  std::error_code gone;
  if (!file_.empty()) fs::remove(file_, gone);
}

}  // namespace khost
