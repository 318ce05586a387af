#include "page/figures.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "artifact/file.hpp"
#include "artifact/share.hpp"
#include "page/html.hpp"
#include "page/picture_data.hpp"

extern char** environ;

namespace fs = std::filesystem;

namespace khost {
namespace {

// Waits for its end. What it complains of goes where khost's errors go.
void run_program(std::vector<std::string> words, const char* package, bool quiet = false) {
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  pid_t pid = 0;
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  if (quiet) ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  const int failure = ::posix_spawnp(&pid, arguments[0], &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (failure == ENOENT)
    throw Error(ErrorKind::usage, words[0] + " is not there: --figures draws with it")
        .hint(fmt::format("it is in the Debian package {}: apt-get install {}", package, package));
  if (failure) throw Error(ErrorKind::usage, words[0] + " cannot be started: " + std::strerror(failure));
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    throw Error(ErrorKind::usage, fmt::format("{} failed with {}; what it said stands above", words[0],
                                              WIFEXITED(status) ? fmt::format("exit code {}", WEXITSTATUS(status)) : "a signal"));
}

// Removed when it goes.
struct Passing {
  std::string path;
  ~Passing() {
    std::error_code none;
    fs::remove(path, none);
  }
};

}  // namespace

std::size_t write_figures(const std::string& folder, const Run& run, const RunReader& reader, const Published& published) {
  run_program({"node", "--version"}, "nodejs", true);  // before there is half a folder
  run_program({"rsvg-convert", "--version"}, "librsvg2-bin", true);
  const std::vector<BaseFigures> bases = figures_of(run, published.figures);
  const RunPictures of(run, reader, bases);
  std::error_code failure;
  fs::create_directories(folder, failure);
  if (failure) throw Error(ErrorKind::usage, "cannot make the folder '" + folder + "': " + failure.message());
  const std::string drawer = share_file("report/figures.js");
  if (drawer.empty())
    throw Error(ErrorKind::usage, "khost's share folder has no report/figures.js").hint("build or install khost again");
  Json::List data;
  std::vector<std::string> ids;
  for (const auto* list : {&of.claims, &of.pictures})
    for (const Picture& p : *list) {
      if (!p.has_marks()) continue;
      data.push_back(picture_json(p));
      ids.push_back(p.id);
      write_file_atomically(folder + "/" + p.id + ".csv", picture_csv(p));
    }
  if (ids.empty()) throw Error(ErrorKind::usage, "this run has nothing to draw yet").hint("khost show says what it has");
  const Passing list{folder + "/.pictures.json"}, forms{folder + "/.templates.json"};
  write_file_atomically(list.path, Json(std::move(data)).text());
  write_file_atomically(forms.path, picture_templates().text());
  run_program({"node", drawer, list.path, forms.path}, "nodejs");
  for (const std::string& id : ids) {
    const std::string svg = folder + "/" + id + ".svg";
    run_program({"rsvg-convert", "--format=pdf", "--output=" + folder + "/" + id + ".pdf", svg}, "librsvg2-bin");
  }
  return ids.size();
}

}  // namespace khost
