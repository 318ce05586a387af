// How the bench finds a contender's best setting, with shell scripts for contenders.
#include <doctest/doctest.h>

#include <algorithm>

#include "bench/contender.hpp"
#include "khost/error.hpp"
#include "unit/environment_variable.hpp"

using namespace khost;
using namespace khost::bench;

namespace {

// A step is 10 ms, less 4 where memory is kept, and less what the kernel of that name is worth: `swift` 3, `wrong` and `ill`
// most.
constexpr const char* step = R"(
  kernel=${OPENBLAS_CORETYPE-own}; ms=10
  [ "$MALLOC_MMAP_MAX_$MALLOC_TRIM_THRESHOLD_$MALLOC_TOP_PAD_" != 017179869184268435456 ] || ms=$((ms - 4))
  case $kernel in swift) ms=$((ms - 3)) ;; wrong) ms=0 ;; ill) kill -ILL $$ ;; esac
  echo "{\"kernel\": \"$kernel\", \"median_ms\": $ms, \"given\": \"$1 ${LD_LIBRARY_PATH-}\"}")";
constexpr const char* products = "[ \"${OPENBLAS_CORETYPE-}\" != wrong ] && echo '{}'";

Contender contender(bool memory, bool kernel) {
  return {"it", {"/bin/sh", "-c", step, "sh"}, {"/bin/sh", "-c", products}, "/some/libraries", memory, kernel};
}

const Candidate* tried(const Choice& choice, const std::string& kernel) {
  const auto found = std::ranges::find_if(choice.tried, [&](const Candidate& c) { return c.setting.kernel == kernel; });
  return found == choice.tried.end() ? nullptr : &*found;
}

}  // namespace

TEST_CASE("bench: the fastest setting is found, and the user's kernel is one of them") {
  const test::EnvironmentVariable user("OPENBLAS_CORETYPE", "swift");
  std::size_t told = 0;
  const Choice both = choose(contender(true, true), {"more"}, [&](const Candidate&) { ++told; });
  CHECK(told == both.tried.size());
  CHECK(both.setting == Setting{true, "swift"});
  REQUIRE(both.tried.size() >= 3);
  CHECK(both.tried[0].setting == Setting{});
  CHECK(both.tried[0].kernel == "own");  // the user's is taken away
  CHECK(both.tried[0].ms == 10);
  CHECK(both.tried[1].setting == Setting{true, ""});
  CHECK(both.tried[1].ms == 6);
  CHECK(both.tried.back().setting == Setting{false, "swift"});  // the fastest kernel, with memory the other way
  CHECK(both.tried.back().ms == 7);
  CHECK(tried(both, "swift")->ms == 3);
  CHECK(tried(both, "swift")->text() == "OPENBLAS_CORETYPE=swift, memory kept (swift): 3.0 ms");
  CHECK(choose(contender(false, true), {}).setting == Setting{false, "swift"});
  CHECK(choose(contender(true, false), {}).tried.size() == 2);
  const Printed printed = contender(true, true)(both.setting, {"more"});
  REQUIRE(printed.said);
  CHECK(printed.said->at("given").as_string() == "more /some/libraries");
}

TEST_CASE("bench: kernels that compute wrong products or cannot run are out, with the reason") {
  for (const auto& [kernel, reason] : {std::pair{"wrong", "wrong products"}, std::pair{"ill", "ended by signal 4"}}) {
    const test::EnvironmentVariable user("OPENBLAS_CORETYPE", kernel);
    const Choice choice = choose(contender(false, true), {});
    CHECK(choice.setting.kernel != kernel);
    REQUIRE(tried(choice, kernel));
    CHECK(tried(choice, kernel)->out == reason);
    CHECK(tried(choice, kernel)->json().at("ms").is_null());
  }
}

TEST_CASE("bench: a contender that does not run is named with its exit code") {
  Contender broken = contender(false, false);
  broken.step = {"/bin/sh", "-c", "exit 3"};
  try {
    choose(broken, {});
    FAIL("it ran");
  } catch (const Error& e) {
    CHECK(e.message() == "bench: it does not run: exit code 3");
  }
  broken.step = {"/no/such/program"};
  CHECK(broken({}, {}).failure == "exit code 127");
}
