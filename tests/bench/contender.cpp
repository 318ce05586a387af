#include "bench/contender.hpp"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>

#include "../../plugins/compute/openblas_kernels.hpp"

namespace khost::bench {

namespace {

// glibc hands large blocks back to the system when they are freed and gets them page by page again in the next step. So it keeps
// them, and asks for more at a time.
const std::vector<std::pair<const char*, const char*>> keeping{
    {"MALLOC_MMAP_MAX_", "0"}, {"MALLOC_TRIM_THRESHOLD_", "17179869184"}, {"MALLOC_TOP_PAD_", "268435456"}};

// Those that Debian's OpenBLAS knows and a newer CPU may run, though it is not told so.
constexpr const char* kernels[] = {"Haswell", "Zen", "SkylakeX", "Cooperlake"};

std::vector<std::string> kernels_to_try() {
  std::vector<std::string> names;
  const blas::Cpu cpu = blas::this_cpu();
  for (const char* kernel : kernels)
    if (blas::runs(*blas::kernels_called(kernel), cpu)) names.push_back(kernel);
  const char* of_user = std::getenv("OPENBLAS_CORETYPE");
  if (of_user && *of_user && std::ranges::find(names, of_user) == names.end()) names.push_back(of_user);
  return names;
}

Candidate attempt(const Contender& contender, const Setting& setting, const std::vector<std::string>& more) {
  Candidate made{setting, "", 0, ""};
  if (!contender.is_right(setting)) {
    made.out = "wrong products";
    return made;
  }
  for (int times = 0; times < 2; ++times) {  // something else may have run meanwhile: the faster counts
    const Printed printed = contender(setting, more);
    if (!printed.said) {
      made.out = printed.failure;
      return made;
    }
    const double ms = printed.said->at("median_ms").as_number();
    made.ms = times == 0 ? ms : std::min(made.ms, ms);
    made.kernel = printed.said->at("kernel").as_string();
  }
  return made;
}

}  // namespace

Environment Setting::environment() const {
  Environment all;
  for (const auto& [name, value] : keeping)
    all.emplace_back(name, keeps_memory ? std::optional<std::string>(value) : std::nullopt);
  all.emplace_back("OPENBLAS_CORETYPE", kernel.empty() ? std::nullopt : std::optional(kernel));
  return all;
}

Printed start(const std::vector<std::string>& arguments, const Environment& environment) {
  int ends[2];
  if (::pipe(ends) != 0) return {{}, "no pipe"};
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(ends[1], 1), ::close(ends[0]), ::close(ends[1]);
    for (const auto& [name, value] : environment) value ? ::setenv(name.c_str(), value->c_str(), 1) : ::unsetenv(name.c_str());
    std::vector<char*> argv;
    for (const std::string& a : arguments) argv.push_back(const_cast<char*>(a.c_str()));
    argv.push_back(nullptr);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  ::close(ends[1]);
  std::string text;
  char part[4096];
  for (ssize_t n; (n = ::read(ends[0], part, sizeof part)) > 0;) text.append(part, static_cast<std::size_t>(n));
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) return {{}, fmt::format("ended by signal {}", WTERMSIG(status))};
  if (WEXITSTATUS(status) != 0) return {{}, fmt::format("exit code {}", WEXITSTATUS(status))};
  return {parse_json(text, arguments[0]), ""};
}

Printed Contender::run(std::vector<std::string> arguments, const Setting& setting, const std::vector<std::string>& more) const {
  arguments.insert(arguments.end(), more.begin(), more.end());
  Environment environment = setting.environment();
  if (!libraries.empty()) environment.emplace_back("LD_LIBRARY_PATH", libraries);
  return start(arguments, environment);
}

std::string Candidate::text() const {
  std::string what = setting.kernel.empty() ? "kernels of the library's choice" : "OPENBLAS_CORETYPE=" + setting.kernel;
  if (setting.keeps_memory) what += ", memory kept";
  return out.empty() ? fmt::format("{} ({}): {:.1f} ms", what, kernel, ms) : fmt::format("{}: {}", what, out);
}

Json Candidate::json() const {
  Json made{Json::Object{}};
  made.set("coretype", setting.kernel.empty() ? Json() : Json(setting.kernel));
  made.set("keeps_memory", setting.keeps_memory);
  made.set("kernel", out.empty() ? Json(kernel) : Json());
  made.set("ms", out.empty() ? Json(ms) : Json());
  made.set("out", out.empty() ? Json() : Json(out));
  return made;
}

Choice choose(const Contender& contender, const std::vector<std::string>& more,
              const std::function<void(const Candidate&)>& tell) {
  Choice choice;
  const Candidate* best = nullptr;
  choice.tried.reserve(3 + std::size(kernels) + 1);  // `best` points into it
  const auto attempt_one = [&](const Setting& setting) {
    const Candidate& made = choice.tried.emplace_back(attempt(contender, setting, more));
    if (tell) tell(made);
    if (made.out.empty() && (!best || made.ms < best->ms)) best = &made;
  };
  const auto untried = [&](const Setting& setting) {
    return std::ranges::none_of(choice.tried, [&](const Candidate& c) { return c.setting == setting; });
  };
  attempt_one({});
  if (contender.chooses_memory) attempt_one({true, ""});
  if (contender.chooses_kernel)
    for (const std::string& kernel : kernels_to_try())
      if (kernel != choice.tried.front().kernel)  // else it was the library's own choice
        attempt_one({contender.chooses_memory, kernel});
  // Beside slow kernels what memory costs is lost in the noise: the fastest decide.
  if (contender.chooses_memory && best)
    if (const Setting other{!best->setting.keeps_memory, best->setting.kernel}; untried(other)) attempt_one(other);
  if (!best) throw Error(ErrorKind::usage, "bench: " + contender.name + " does not run: " + choice.tried.back().out);
  choice.setting = best->setting;
  return choice;
}

int ended(const std::function<void()>& run) try {
  run();
  return 0;
} catch (const Error& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return e.kind() == ErrorKind::usage ? 2 : 3;
} catch (const std::exception& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}

}  // namespace khost::bench
