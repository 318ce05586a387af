// What the environment says of threads and kernels.

#include <doctest/doctest.h>

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

}  // namespace
