#include "export/folder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <optional>

#include "artifact/file.hpp"
#include "khost/error.hpp"

namespace fs = std::filesystem;

namespace khost {
namespace {

constexpr const char* of_events = "tensorboard";
constexpr std::int64_t note_format = 1;
constexpr std::size_t longest_name = 255;  // bytes, of most file systems

void make_folder(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (!error) return;
  errno = error.value();
  throw_file_error("make the folder", path);
}

// What an earlier export noted of the folder; nothing where it is empty or not there.
std::optional<Json> earlier_note(const std::string& path) {
  std::error_code none;
  if (!fs::exists(path, none)) return std::nullopt;
  if (!fs::is_directory(path, none))
    throw Error(ErrorKind::usage, "'" + path + "' is there, and is no folder").hint("another name makes a new one");
  const std::string note = path + "/" + export_note;
  if (fs::is_regular_file(note, none)) try {
      Json read = parse_json_file(note);
      if (const Json* format = read.find("khost_export"); format && format->as_integer() == note_format) return read;
    } catch (const Error& e) {
      if (e.kind() == ErrorKind::interrupted) throw;
    }
  if (fs::is_empty(path, none)) return std::nullopt;
  throw Error(ErrorKind::usage, "the folder '" + path + "' is not empty, and khost export did not write it")
      .hint("name another one, or a new one");
}

std::vector<std::string> files_of(const Json& note) {
  std::vector<std::string> out;
  if (const Json* files = note.find("files"))
    for (const Json& file : files->as_list())  // nothing that leads out of the folder
      if (const std::string& name = file.as_string(); name == fs::path(name).filename()) out.push_back(name);
  return out;
}

void write_note(const std::string& path, const Json& note) {
  write_file_atomically(path + "/" + export_note, note.pretty() + "\n");
}

Json list_of(const std::vector<std::string>& names) {
  Json::List out;
  for (const std::string& name : names) out.push_back(name);
  return out;
}

[[noreturn]] void refuse_kind(const std::string& path, const std::string& to) {
  throw Error(ErrorKind::usage, "the folder '" + path + "' holds what khost export --to " + to + " wrote")
      .hint("name another one");
}

}  // namespace

std::string file_name_of(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
                       (c == '.' && !out.empty());
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", byte);
  }
  if (out.empty() || out.size() > longest_name)
    throw Error(ErrorKind::usage, "'" + std::string(text) + "' cannot be a file's name");
  return out;
}

ExportFolder::ExportFolder(std::string path, std::string to, std::vector<std::string> files)
    : path_(std::move(path)), to_(std::move(to)), files_(std::move(files)) {
  const auto earlier = earlier_note(path_);
  if (!earlier) return;
  if (earlier->at("to").as_string() == of_events) refuse_kind(path_, of_events);
  for (const std::string& file : files_of(*earlier))
    if (std::ranges::find(files_, file) == files_.end()) stale_.push_back(file);
}

void ExportFolder::begin() const {
  make_folder(path_);
  std::vector<std::string> all = files_;
  all.insert(all.end(), stale_.begin(), stale_.end());
  // What is left when this one is broken off is khost's too.
  write_note(path_, Json::object({{"khost_export", note_format}, {"to", to_}, {"files", list_of(all)}, {"whole", false}}));
}

void ExportFolder::keep(const Json& of) const {
  std::error_code error;
  for (const std::string& file : stale_) fs::remove(path_ + "/" + file, error);
  write_note(path_,
             Json::object({{"khost_export", note_format}, {"to", to_}, {"files", list_of(files_)}, {"whole", true}, {"of", of}}));
}

EventFolder::EventFolder(std::string path) : path_(std::move(path)) {
  const auto earlier = earlier_note(path_);
  if (!earlier) return;
  if (const std::string& to = earlier->at("to").as_string(); to != of_events) refuse_kind(path_, to);
  for (const JsonMember& run : earlier->at("runs").as_object()) runs_[run.key] = run.value.as_string();
}

void EventFolder::begin(const std::string& experiment, const std::string& run_hash) {
  const auto [run, is_new] = runs_.emplace(experiment, run_hash);
  if (run->second != run_hash)
    throw Error(ErrorKind::usage, "the folder '" + path_ + "' holds events of another run of " + experiment + ", " + run->second +
                                      "; this is run " + run_hash)
        .hint("a folder of its own keeps the two apart: tensorboard --logdir PARENT shows both");
  std::error_code none;
  if (!is_new && fs::exists(path_ + "/" + export_note, none)) return;
  make_folder(path_);
  Json runs{Json::Object{}};
  for (const auto& [name, hash] : runs_) runs.set(name, hash);
  write_note(path_, Json::object({{"khost_export", note_format}, {"to", of_events}, {"runs", runs}}));
}

std::string EventFolder::file(const std::string& experiment, const std::string& base, const std::string& arm, std::int64_t draw,
                              std::uint64_t seed) const {
  const std::string trial = (draw ? "draw" + std::to_string(draw) + "-" : "") + "seed" + std::to_string(seed);
  const std::string folder =
      path_ + "/" + file_name_of(experiment) + "/" + file_name_of(base) + "/" + file_name_of(arm) + "/" + trial;
  make_folder(folder);
  return folder + "/events.out.tfevents.0.khost";
}

}  // namespace khost
