// What the environment says of threads and kernels.

#include <doctest/doctest.h>
#include <strings.h>

#include <algorithm>

#include "compute/machine.hpp"
#include "e2e/khost_program.hpp"
#include "khost/json.hpp"
#include "unit/environment_variable.hpp"

namespace {

using namespace khost::test;

TEST_CASE("fewer threads by OMP_THREAD_LIMIT: the same figures; more than it allows: refused") {
  const Khost khost;
  const std::string manifest = khost.manifest();
  REQUIRE(khost({manifest, "--out", "free", "--jobs", "1", "--threads", "1"}).code == 0);
  std::filesystem::remove_all(khost.scratch / "cache");

  const EnvironmentVariable limit("OMP_THREAD_LIMIT", "1");
  const Finished limited = khost({manifest, "--out", "limited"});
  INFO(limited.err);
  REQUIRE(limited.code == 0);
  CHECK(records(khost, "free") == records(khost, "limited"));
  const khost::Json summary = khost::parse_json_file(khost.scratch / "limited/summary.json");
  CHECK(summary.at("environment").at("threads").as_integer() == 1);
  CHECK(summary.at("environment").at("jobs").as_integer() == 1);

  const Finished refused = khost({manifest, "--threads", "2"});
  CHECK(refused.code == 2);
  CHECK(has(refused.err, "2 threads were asked for, but OMP_THREAD_LIMIT allows 1"));
  CHECK(has(refused.err, "--threads 1"));
}

TEST_CASE("BLIS_ARCH_TYPE: kernels that run here are used and recorded, others are refused before BLIS dies of them") {
  const Khost khost;
  const std::string manifest = khost.manifest();
  {
    const EnvironmentVariable kernels("BLIS_ARCH_TYPE", "25");
    REQUIRE(khost({manifest, "--backend", "blis", "--out", "generic"}).code == 0);
    const khost::Json summary = khost::parse_json_file(khost.scratch / "generic/summary.json");
    CHECK(summary.at("environment").at("kernel").as_string() == "generic");
  }
  for (const char* value : {"999", "haswell", "", "2"}) {  // 2: Knights Corner, never built
    const EnvironmentVariable kernels("BLIS_ARCH_TYPE", value);
    const Finished refused = khost({manifest, "--backend", "blis"});
    INFO(refused.err);
    CHECK(refused.code == 3);
    CHECK(has(refused.err, "BLIS_ARCH_TYPE is '" + std::string(value) + "'"));
    CHECK(has(refused.err, "25 (generic)"));
  }
}

const khost::Json environment(const Khost& khost, const std::string& folder) {
  return khost::parse_json_file(khost.scratch / (folder + "/summary.json")).at("environment");
}

// The first run with that setting, on a cold cache; both with that many threads and jobs.
void same_records(const std::string& variable, const std::string& value, const std::string& threads, const std::string& jobs) {
  const Khost khost;
  const std::string manifest = khost.manifest(R"("compute": {"plugin": "openblas"})");
  const std::string trained = R"(bases={"trained": {"train": ["*"], "steps": 2, "optimizer": {"plugin": "sgd", "lr": 0.1}}})";
  REQUIRE(khost({manifest, "--out", "free", "--jobs", jobs, "--threads", threads, "--set", trained}).code == 0);
  std::filesystem::remove_all(khost.scratch / "cache");
  const EnvironmentVariable set(variable, value);
  const Finished finished = khost({manifest, "--out", "set", "--jobs", jobs, "--threads", threads, "--set", trained});
  INFO(finished.err);
  REQUIRE(finished.code == 0);
  CHECK(records(khost, "free") == records(khost, "set"));
}

TEST_CASE("OMP_MAX_ACTIVE_LEVELS=0: OpenBLAS with two threads does not wait for ever for the second") {
  same_records("OMP_MAX_ACTIVE_LEVELS", "0", "2", "1");
}

TEST_CASE("OMP_PROC_BIND, OMP_PLACES: set aside, and said in the run's environment and by doctor") {
  same_records("OMP_PROC_BIND", "true", "1", "2");
  const Khost khost;
  const EnvironmentVariable bind("OMP_PROC_BIND", "true");
  const Finished finished = khost({khost.manifest(), "--out", "bound"});
  CHECK(finished.code == 0);
  CHECK_MESSAGE(has(finished.err, "OMP_PROC_BIND=true in the environment is not followed"), finished.err);
  CHECK(has(environment(khost, "bound").at("notes").text(), "OMP_PROC_BIND=true"));
  CHECK(has(read(khost.scratch / "bound/report.md"), "is not followed"));
  CHECK(has(khost({"doctor"}).out, "OMP_PROC_BIND=true"));
}

TEST_CASE("LD_PRELOAD of another BLAS or OpenMP is refused, and doctor says so") {
  const Khost khost;
  const std::string manifest = khost.manifest();
  for (const std::string& library :
       {std::string(KHOST_NETLIB_CBLAS), std::string(KHOST_BINARY_DIR "/tests/bad_plugins/libomp.so.5")}) {
    // AddressSanitizer wants to be the first library.
    const EnvironmentVariable preload("LD_PRELOAD", library), asan("ASAN_OPTIONS", "verify_asan_link_order=0");
    const std::string name = library.substr(library.rfind('/') + 1);
    for (const char* backend : {"openblas", "reference"}) {
      const Finished refused = khost({manifest, "--backend", backend});
      INFO(refused.err);
      CHECK(refused.code == 3);
      CHECK(has(refused.err, name));
      CHECK(has(refused.err, "unset LD_PRELOAD"));
    }
    const Finished doctor = khost({"doctor"});
    CHECK(doctor.code == 3);
    CHECK_MESSAGE(has(doctor.err, name), doctor.err);
  }
}

TEST_CASE("OPENBLAS_CORETYPE: kernels that run here are used and recorded, others are refused before OpenBLAS dies of them") {
  const Khost khost;
  const std::string manifest = khost.manifest();
  int refusals = 0;
  // Of these no CPU runs all: those with FMA4 have no AVX-512.
  for (const std::string kernels : {"Prescott", "haswell", "Bulldozer", "Cooperlake", "nonsense"}) {
    const EnvironmentVariable set("OPENBLAS_CORETYPE", kernels);
    const Finished finished = khost({manifest, "--backend", "openblas", "--out", kernels});
    INFO(finished.err);
    if (finished.code == 0) {
      CHECK(strcasecmp(environment(khost, kernels).at("kernel").as_string().c_str(), kernels.c_str()) == 0);
      continue;
    }
    ++refusals;
    CHECK(finished.code == 3);
    CHECK(has(finished.err, "OPENBLAS_CORETYPE is '" + kernels + "'"));
    CHECK(has(finished.err, "Prescott"));
  }
  CHECK(refusals >= 2);
  const EnvironmentVariable set("OPENBLAS_CORETYPE", "nonsense");
  const Finished other = khost({manifest, "--backend", "reference"});  // to which it is nothing, nor to its bases
  CHECK(other.code == 0);
  const Finished doctor = khost({"doctor"});
  CHECK(doctor.code == 0);  // the usual backend is another
  CHECK(has(doctor.out, "OPENBLAS_CORETYPE"));
}

TEST_CASE("OpenBLAS: on a CPU that it is too old to know, kernels as wide as the CPU's vectors all the same") {
  const std::vector<std::string> features = khost::cpu_features();
  const auto has_all = [&](std::initializer_list<const char*> some) {
    return std::ranges::all_of(some, [&](const char* f) { return std::ranges::find(features, f) != features.end(); });
  };
  std::vector<std::string> narrow;
  if (has_all({"avx2", "fma"})) narrow = {"Prescott", "Atom", "Core2", "Nano", "Penryn", "Dunnington", "Nehalem"};
  if (has_all({"avx512f", "avx512dq", "avx512bw", "avx512vl", "avx512cd"})) narrow.insert(narrow.end(), {"Haswell", "Zen"});
  const Khost khost;
  EnvironmentVariable coretype("OPENBLAS_CORETYPE", "");
  coretype.unset();
  REQUIRE(khost({khost.manifest(), "--backend", "openblas", "--out", "chosen"}).code == 0);
  const std::string kernel = environment(khost, "chosen").at("kernel").as_string();
  CHECK_MESSAGE(std::ranges::find(narrow, kernel) == narrow.end(), kernel);
}

TEST_CASE("a backend that is refused is not quietly replaced by another") {
  Khost khost;
  std::filesystem::create_directory(khost.scratch / "plugins");
  write(khost.scratch / "plugins/openblas.so", "damaged");
  khost.plugin_path = khost.scratch / "plugins";
  const std::string manifest = khost.manifest();
  const Finished refused = khost({manifest});
  INFO(refused.err);
  CHECK(refused.code == 3);
  CHECK(has(refused.err, "'openblas' is refused"));
  CHECK(has(refused.err, "--backend onednn"));
  CHECK(khost({"doctor"}).code == 3);
  CHECK(khost({manifest, "--backend", "onednn"}).code == 0);

  // Without that of bases there is no other to name.
  std::filesystem::rename(khost.scratch / "plugins/openblas.so", khost.scratch / "plugins/onednn.so");
  for (const std::vector<std::string>& words : {std::vector<std::string>{manifest}, {manifest, "--backend", "openblas"}}) {
    const Finished without = khost(words);
    INFO(without.err);
    CHECK(without.code == 3);
    CHECK(has(without.err, "onednn.so is not an ELF file"));
    CHECK((has(without.err, "which makes the bases of every run") || has(without.err, "bases are made with it")));
  }

  // Any other file may have been a backend too: it is said.
  std::filesystem::rename(khost.scratch / "plugins/onednn.so", khost.scratch / "plugins/mine.so");
  const Finished doubtful = khost({manifest, "--out", "doubtful"});
  CHECK(doubtful.code == 0);
  CHECK_MESSAGE(has(doubtful.err, "warning: refused, and so not looked at for a backend: "), doubtful.err);
  CHECK(has(environment(khost, "doubtful").at("notes").text(), "mine.so"));
}

TEST_CASE("cblas: what is behind a stub is part of what a trial is known by") {
  const Khost khost;
  std::string versions[2];
  for (const int version : {1, 2}) {
    const std::string number = std::to_string(version);
    const Finished finished = khost(
        {khost.manifest(R"("compute": {"plugin": "cblas", "library": ")" KHOST_BINARY_DIR "/cblas/" + number + R"(/stub.so"})"),
         "--out", number});
    INFO(finished.err);
    REQUIRE(finished.code == 0);
    CHECK_FALSE(has(finished.out, "from the cache"));
    versions[version - 1] = environment(khost, number).at("version").as_string();
  }
  CHECK(versions[0] != versions[1]);
  CHECK(records(khost, "1") == records(khost, "2"));
}

TEST_CASE("threads: what the library uses is recorded, and more than there are processors is said") {
  const Khost khost;
  const std::string manifest =
      khost.manifest(R"("compute": {"plugin": "cblas", "library": ")" KHOST_BINARY_DIR R"(/cblas/serial_openblas.so"})");
  const Finished finished = khost({manifest, "--threads", "64", "--jobs", "2", "--set", "steps=1", "--out", "many"});
  INFO(finished.err);
  REQUIRE(finished.code == 0);
  CHECK(has(finished.err, "warning: 2 trials with 64 threads each"));
  CHECK(has(finished.err, "uses 1 thread of the 64 threads"));
  CHECK(environment(khost, "many").at("threads").as_integer() == 64);
  CHECK(environment(khost, "many").at("library_threads").as_integer() == 1);
}

TEST_CASE("doctor: a backend that has to be given a library is no fault") {
  const Khost khost;
  const Finished doctor = khost({"doctor", "--json"});
  INFO(doctor.err);
  const khost::Json told = khost::parse_json(doctor.out, "doctor");
  CHECK_FALSE(has(told.at("findings").text(), "cblas"));
  CHECK(has(told.at("backends").text(), "cblas"));
}

TEST_CASE("a probe that sets flush-to-zero and the locale changes no record of others") {
  const Khost khost;
  const std::string plugins = R"("plugin_path": [")" KHOST_BINARY_DIR R"(/bad_plugins"], )";
  REQUIRE(khost({khost.manifest(plugins + R"("probes": [{"plugin": "effective_rank"}])"), "--out", "without"}).code == 0);
  const Finished finished =
      khost({khost.manifest(plugins + R"("probes": [{"plugin": "unsettling"}, {"plugin": "effective_rank"}])"), "--out", "with"});
  INFO(finished.err);
  REQUIRE(finished.code == 0);
  std::string others, own;
  std::istringstream lines(records(khost, "with"));
  for (std::string line; std::getline(lines, line);) (has(line, "unsettling") ? own : others) += line + "\n";
  CHECK(others == records(khost, "without"));
  CHECK(has(own, "e-40"));  // half a denormal number, and not 0
}

}  // namespace
