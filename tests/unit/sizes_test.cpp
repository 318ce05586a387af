// Sizes: what is computed from shapes, and what fits a machine.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <limits>

#include "compute/memory.hpp"
#include "engine/memory_need.hpp"
#include "graph/memory_plan.hpp"
#include "graph/program.hpp"
#include "khost/graph.hpp"
#include "khost/tensor.hpp"
#include "message.hpp"
#include "unit/scratch.hpp"

using namespace khost;

TEST_CASE("sizes that no memory holds are refused where they are multiplied or added, with their factors") {
  CHECK(checked_product({}) == 1);
  CHECK(checked_product({3, 5, 7}) == 105);
  CHECK(checked_product({std::int64_t{1} << 40, 0, std::int64_t{1} << 40}) == 0);
  CHECK(checked_sum({1, 2, 3}) == 6);
  CHECK(element_count({}) == 1);
  constexpr std::int64_t huge = 4611686018427387904;  // x 4 is 0 in 64 bits
  CHECK(message_of([] { checked_product({huge, 4}); }) == "4611686018427387904 x 4 numbers are more than any memory holds");
  CHECK(message_of([] {
          checked_product({std::int64_t{1} << 32, std::int64_t{1} << 32});
        }).find("more than any memory holds") != std::string::npos);
  CHECK(message_of([] { checked_product({3, -1}); }) == "a size below 0: 3 x -1");
  CHECK(message_of([] {
          checked_sum({std::numeric_limits<std::int64_t>::max(), 1});
        }).find("9223372036854775807 + 1") != std::string::npos);
  CHECK(message_of([] {
          element_count({4398046511104, 1099511627776});
        }).find("4398046511104 x 1099511627776") != std::string::npos);
  CHECK_THROWS_AS(Tensor({huge, 127}), Error);
}

TEST_CASE("what is alive at once is what the arena cannot be smaller than") {
  MemoryPlan plan;
  plan.add(16, 0, 1), plan.add(32, 1, 2), plan.add(64, 3, 3), plan.add(16, 2, 5);
  CHECK(plan.most_at_once() == 80);
  plan.place();
  CHECK(plan.floats() >= 80);
  MemoryPlan wide;
  wide.add(std::int64_t{1} << 57, 0, 1), wide.add(std::int64_t{1} << 57, 0, 1), wide.add(std::int64_t{1} << 57, 1, 1);
  CHECK_THROWS_AS(wide.most_at_once(), Error);
  CHECK_THROWS_AS(wide.place(), Error);
}

TEST_CASE("a process may have the least of machine, control groups and address space") {
  const Scratch root;
  const auto write = [&](const std::string& path, const std::string& text) {
    const std::string file = root / path;
    std::filesystem::create_directories(std::filesystem::path(file).parent_path());
    std::ofstream(file) << text;
  };
  const std::string at = root.folder();
  write("proc/meminfo", "MemTotal:        4194304 kB\nMemFree:  1 kB\n");
  write("proc/self/cgroup", "0::/user/job\n");
  CHECK(memory_limit(at).bytes == 4194304.0 * 1024);
  CHECK(memory_limit(at).what == "this machine has");
  write("sys/fs/cgroup/user/job/memory.max", "max\n");
  CHECK(memory_limit(at).bytes == 4194304.0 * 1024);
  write("sys/fs/cgroup/user/memory.max", "1073741824\n");  // of the group above
  CHECK(memory_limit(at).bytes == 1073741824.0);
  CHECK(memory_limit(at).what == "this process's cgroup allows");
  write("proc/self/cgroup", "5:cpu,memory:/docker/abc\n1:name=systemd:/\n");
  write("sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes", "536870912\n");
  write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");  // none
  CHECK(memory_limit(at).bytes == 536870912.0);
  CHECK(memory_limit(at + "/nowhere").bytes > 0);  // nothing tells
}

TEST_CASE("bytes as people read them") {
  CHECK(bytes_text(0) == "0 B");
  CHECK(bytes_text(1023) == "1.00 KiB");
  CHECK(bytes_text(1536) == "1.50 KiB");
  CHECK(bytes_text(312.0 * 1024 * 1024) == "312 MiB");
  CHECK(bytes_text(15.62 * 1024 * 1024 * 1024) == "15.6 GiB");
}

TEST_CASE("what cannot fit is refused with the sum, and with the number of jobs that would fit") {
  Arm arm;
  arm.name = "K64";
  arm.place = {"a.manifest", 7, 3};
  MemoryNeed need;
  need.weights = 1e9, need.basis = 1e8, need.trial = 2e9, need.trials = 4, need.arm = &arm;
  CHECK(need.bytes() == 9.1e9);
  CHECK_NOTHROW(expect_to_fit(need, {9.1e9, "this machine has"}));
  const std::string some = message_of([&] { expect_to_fit(need, {6e9, "this machine has"}); });
  CHECK(some.starts_with("a.manifest:7:3: arm 'K64' needs at least 8.48 GiB of memory, but this machine has 5.59 GiB"));
  CHECK(some.find("4 trials at a time of 1.86 GiB each") != std::string::npos);
  CHECK(some.find("--jobs 2 fits") != std::string::npos);
  const std::string none = message_of([&] { expect_to_fit(need, {2e9, "this machine has"}); });
  CHECK(none.find("a smaller model, batch, sequence or rank") != std::string::npos);
}

namespace {

struct Chain : Model {
  std::vector<Parameter> parameters() const override { return {{"e", {101, 16}, Init::normal, 0.02, true, -1}}; }
  void forward(Graph& g) const override { head_cross_entropy(g, gelu(g, embedding(g, "e")), "e"); }
};

}  // namespace

TEST_CASE("a program's memory is known without taking it, and is about what it takes") {
  const Chain model;
  const std::vector<WeightSlot> slots{{model.parameters()[0], nullptr, nullptr, nullptr, true}};
  const std::int64_t rehearsed = Program::bytes_of(model, slots, 3, 5);
  CHECK(rehearsed > 0);
  Tensor values({101, 16});
  Backend backend("portable", nullptr, "{}", 1);
  const Program program(model, {{model.parameters()[0], values.data(), nullptr, nullptr, true}}, 3, 5, backend);
  CHECK(program.arena_bytes() >= rehearsed);
  CHECK(program.arena_bytes() <= rehearsed + rehearsed / 2);
  CHECK_THROWS_AS(Program::bytes_of(model, slots, std::int64_t{1} << 40, std::int64_t{1} << 40), Error);
  CHECK_THROWS_AS(Program::bytes_of(model, slots, 4611686018427387904, 4), Error);
}
