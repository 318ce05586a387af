// What the environment, libraries and plugins do to a process, and what khost keeps of it.
#include <doctest/doctest.h>
#include <locale.h>
#include <omp.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <cfenv>
#include <clocale>
#include <filesystem>
#include <locale>
#include <thread>

#include "compute/backend.hpp"
#include "compute/cpu_quota.hpp"
#include "core/foreign_code.hpp"
#include "core/team.hpp"
#include "khost/parallel.hpp"
#include "plugin/registry.hpp"
#include "unit/plugins.hpp"
#include "unit/scratch.hpp"
#include "unit/text_file.hpp"

extern "C" void khost_unsettle();

namespace {

using namespace khost;
using namespace khost::test;

// A system whose /proc says that this process is in that group, with that line of mountinfo.
struct FakeSystem {
  FakeSystem(const std::string& group, const std::string& mount) {
    file("proc/self/cgroup", group + "\n");
    file("proc/self/mountinfo", "22 1 8:1 / / rw - ext4 /dev/sda rw\n" + mount + "\n");
  }
  void file(const std::string& path, const std::string& text) const {
    std::filesystem::create_directories(std::filesystem::path(scratch / path).parent_path());
    write_text(scratch / path, text);
  }
  [[nodiscard]] double quota() const { return cpu_quota(scratch.folder()); }
  Scratch scratch;
};

constexpr const char* version_2 = "30 22 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate";
constexpr const char* version_1 = "35 25 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct";

// All that the two units round: long double is the x87 unit's.
bool rounds_to_nearest() {
  volatile float one = 1, tiny = 1e-20f;
  volatile long double one_x87 = 1, tiny_x87 = 1e-30L;
  return one + tiny == 1 && one_x87 + tiny_x87 == 1 && std::fegetround() == FE_TONEAREST;
}

bool keeps_denormals() {
  volatile float small = 1e-39f;
  const volatile float half = 0.5f * small;
  return half > 0;
}

std::string refusal_of(const std::string& library) {
  try {
    Backend("cblas", compute_table("cblas"), R"({"library":")" + library + R"("})", 1);
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("a control group's quota is a number of processors: version 2, each group up to the root") {
  const FakeSystem fake("0::/user/job", version_2);
  CHECK(fake.quota() == 0);
  fake.file("sys/fs/cgroup/user/job/cpu.max", "max 100000\n");
  CHECK(fake.quota() == 0);
  fake.file("sys/fs/cgroup/user/job/cpu.max", "350000 100000\n");
  CHECK(fake.quota() == 3.5);
  fake.file("sys/fs/cgroup/user/cpu.max", "75000 50000\n");
  CHECK(fake.quota() == 1.5);
  fake.file("sys/fs/cgroup/cpu.max", "100000 100000\n");  // where a container sees its own group as the root
  CHECK(fake.quota() == 1);
}

TEST_CASE("a control group's quota is a number of processors: version 1, also where a part of the hierarchy is mounted") {
  const FakeSystem fake("4:memory:/elsewhere\n3:cpu,cpuacct:/docker/1a", version_1);
  fake.file("sys/fs/cgroup/cpu,cpuacct/docker/1a/cpu.cfs_quota_us", "-1\n");
  fake.file("sys/fs/cgroup/cpu,cpuacct/docker/1a/cpu.cfs_period_us", "100000\n");
  CHECK(fake.quota() == 0);
  fake.file("sys/fs/cgroup/cpu,cpuacct/docker/1a/cpu.cfs_quota_us", "250000\n");
  CHECK(fake.quota() == 2.5);

  const FakeSystem part("3:cpu,cpuacct:/docker/1a", "35 25 0:29 /docker/1a /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu");
  part.file("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "50000\n");
  part.file("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  CHECK(part.quota() == 0.5);

  const FakeSystem cpuset("2:cpuset,cpuacct:/", "35 25 0:29 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset");
  CHECK(cpuset.quota() == 0);
  CHECK(cpu_quota("/there/is/no/such/folder") == 0);
  CHECK(available_processors() >= 1);
}

TEST_CASE(
    "a team has the threads that were asked for, or is refused: OMP_MAX_ACTIVE_LEVELS=0 and OMP_DYNAMIC do not make it fewer") {
  // On a thread of its own: these settings are a thread's.
  std::thread([] {
    omp_set_max_active_levels(0);
    omp_set_dynamic(1);
    set_team(2);
    std::atomic<int> ranges = 0, most = 0;
    parallel_for(2, 1, [&](std::int64_t, std::int64_t) {
      ++ranges;
      most = std::max<int>(most, omp_get_num_threads());
    });
    CHECK(ranges == 2);
    CHECK(most == 2);
    CHECK_THROWS_AS(set_team(0), Error);
    // What OpenBLAS waits for ever without.
    omp_set_max_active_levels(0);
    Backend openblas("openblas", compute_table("openblas"), "{}", 2);
    std::vector<float> a(300 * 300, 1), c(300 * 300);
    openblas.gemm({0, 0, 300, 300, 300, 1, a.data(), 300, a.data(), 300, 0, c.data(), 300});
    CHECK(std::ranges::all_of(c, [](float x) { return x == 300; }));
    CHECK(openblas.info().threads == 2);
  }).join();
}

// OpenBLAS has one number of threads for the process: a product under way when another context changed it was wrong.
TEST_CASE("contexts of one and of two threads multiply side by side") {
  constexpr std::int64_t m = 150, n = 230, k = 90;
  std::vector<float> a(m * k), b(k * n);
  for (std::size_t i = 0; i < a.size(); ++i) a[i] = static_cast<float>(i % 7) - 3;
  for (std::size_t i = 0; i < b.size(); ++i) b[i] = static_cast<float>(i % 5) - 2;
  std::vector<float> expected(m * n);
  for (std::int64_t i = 0; i < m; ++i)
    for (std::int64_t j = 0; j < n; ++j)
      for (std::int64_t p = 0; p < k; ++p)
        expected[static_cast<std::size_t>(i * n + j)] +=
            a[static_cast<std::size_t>(i * k + p)] * b[static_cast<std::size_t>(p * n + j)];  // small integers: exact
  for (const char* name : {"openblas", "blis", "onednn", "cblas"}) {
    CAPTURE(name);
    std::atomic<int> wrong = 0;
    const auto work = [&](int threads) {
      for (int round = 0; round < 20; ++round) {
        Backend backend(name, compute_table(name), compute_options(name), threads);
        std::vector<float> c(m * n);
        for (int i = 0; i < 5; ++i) {
          backend.gemm({0, 0, m, n, k, 1, a.data(), k, b.data(), n, 0, c.data(), n});
          wrong += c != expected;
        }
      }
    };
    std::thread one(work, 1), two(work, 2);
    one.join();
    two.join();
    CHECK(wrong == 0);
  }
}

TEST_CASE("what a library does to the number of threads stays with it") {
  std::thread([] {
    for (const char* name : {"openblas", "blis", "onednn", "cblas"}) {
      CAPTURE(name);
      Backend backend(name, compute_table(name), compute_options(name), 2);
      CHECK(omp_get_max_threads() == 2);
      const float a = 2, b = 3;
      float c = 0;
      backend.gemm({0, 0, 1, 1, 1, 1, &a, 1, &b, 1, 0, &c, 1});
      CHECK(c == 6);
      CHECK(omp_get_max_threads() == 2);  // the host's own kernels have them
    }
  }).join();
}

TEST_CASE("flush-to-zero and locale: what a plugin does when it is loaded, and in a call, ends with it") {
  REQUIRE(keeps_denormals());
  const Plugin& plugin = load_plugin_file(KHOST_BINARY_DIR "/bad_plugins/unsettling.so").front();
  const auto settled = [] {
    return keeps_denormals() && rounds_to_nearest() && ::uselocale(nullptr) == LC_GLOBAL_LOCALE &&
           std::string(std::setlocale(LC_ALL, nullptr)) == "C" && std::locale() == std::locale::classic();
  };
  CHECK(settled());
  const auto probe = create<Probe>(plugin, resolve_config(plugin, Json(Json::Object{})));
  CHECK(settled());
  khost_unsettle();
  REQUIRE_FALSE(settled());  // so that what follows can fail
  REQUIRE_FALSE(rounds_to_nearest());
  REQUIRE(::uselocale(nullptr) != LC_GLOBAL_LOCALE);
  default_floats();
  default_locale();
  CHECK(settled());
  call_plugin("a test", [] { khost_unsettle(); });
  CHECK(settled());
  CHECK_THROWS(call_plugin("a test", [] {
    khost_unsettle();
    throw Error(ErrorKind::trial, "in between");
  }));
  CHECK(settled());
}

TEST_CASE("flush-to-zero: threads of a parallel region start and end with denormals, whoever was on them before") {
  std::thread([] {
    set_team(2);
    parallel_for(2, 1, [](std::int64_t, std::int64_t) { khost_unsettle(); });
    std::atomic<int> kept = 0;
    parallel_for(2, 1, [&](std::int64_t, std::int64_t) { kept += keeps_denormals() && rounds_to_nearest(); });
    CHECK(kept == 2);
    default_floats();
    default_locale();
  }).join();
}

TEST_CASE("flush-to-zero: a compute table's calls end with denormals") {
  static constexpr khost_compute table = {sizeof(khost_compute),
                                          KHOST_COMPUTE_API,
                                          [] { return 1; },
                                          [](const char*, std::int32_t, void** context, char*, std::size_t) {
                                            *context = nullptr;
                                            khost_unsettle();
                                            return 0;
                                          },
                                          [](void*) {},
                                          [](void*, khost_compute_info*) { khost_unsettle(); },
                                          [](void*, const khost_gemm*) {
                                            khost_unsettle();
                                            return KHOST_DECLINED;
                                          },
                                          nullptr,
                                          nullptr,
                                          nullptr,
                                          nullptr};
  {
    Backend backend("unsettling", &table, "{}", 1);
    CHECK(keeps_denormals());
    const float a = 1e-39f, b = 0.5f;
    float c = 0;
    backend.gemm({0, 0, 1, 1, 1, 1, &a, 1, &b, 1, 0, &c, 1});
    CHECK(keeps_denormals());
  }
  default_locale();
}

TEST_CASE("cblas: a library with 64-bit sizes is told apart, one of a file that is none is not waited for") {
  const std::string wide = refusal_of(KHOST_BINARY_DIR "/cblas/ilp64.so");
  CHECK_MESSAGE(wide.find("takes its sizes as 64 bits (ILP64)") != std::string::npos, wide);
  const Scratch scratch;
  REQUIRE(::mkfifo((scratch / "fifo").c_str(), 0600) == 0);
  const std::string fifo = refusal_of(scratch / "fifo");
  CHECK_MESSAGE(fifo.find("is a FIFO, no file") != std::string::npos, fifo);
  const std::string device = refusal_of("/dev/zero");
  CHECK_MESSAGE(device.find("is a device, no file") != std::string::npos, device);
}

TEST_CASE("cblas: a library for programs of one thread is called by one at a time") {
  const std::string options = R"({"library":")" KHOST_BINARY_DIR R"(/cblas/serial_openblas.so"})";
  std::atomic<int> wrong = 0;
  const auto work = [&] {
    Backend backend("cblas", compute_table("cblas"), options, 1);
    std::vector<float> a(64, 1), c(64);
    for (int i = 0; i < 3000; ++i) {
      backend.gemm({0, 0, 8, 8, 8, 1, a.data(), 8, a.data(), 8, 0, c.data(), 8});
      wrong += c[0] != 8;
    }
  };
  std::thread other(work);
  work();
  other.join();
  CHECK(wrong == 0);
}

TEST_CASE("backends say which build computes, and how many threads it uses") {
  for (const char* name : {"openblas", "onednn", "blis"}) {
    const Backend backend(name, compute_table(name), "{}", 2);
    CHECK_MESSAGE(backend.info().version.find(" (build ") != std::string::npos, name);
    CHECK_MESSAGE(backend.info().threads == 2, name);
  }
  const Backend netlib("cblas", compute_table("cblas"), compute_options("cblas"), 2);
  CHECK(netlib.info().threads == 2);  // each multiplies a part
  CHECK(netlib.info().version.starts_with("files "));
  const Backend stub("cblas", compute_table("cblas"), R"({"library":")" KHOST_BINARY_DIR R"(/cblas/1/stub.so"})", 2);
  CHECK(stub.info().library == "stub.so + libkhost_behind.so");
  const auto threads_of = [](const char* library) {
    const std::string options = std::string(R"({"library":")" KHOST_BINARY_DIR "/cblas/") + library + "\"}";
    return Backend("cblas", compute_table("cblas"), options, 2).info().threads;
  };
  CHECK(threads_of("serial_openblas.so") == 1);  // however many were asked for
  CHECK(threads_of("own_threads.so") == 0);      // it does not say
}
