#include "artifact/write_once.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <filesystem>
#include <thread>
#include <vector>

#include "artifact/temporary.hpp"
#include "khost/error.hpp"
#include "unit/scratch.hpp"
#include "unit/text_file.hpp"

using namespace khost;

TEST_CASE("a file that is written once keeps what the first wrote, with many at it at once") {
  const Scratch scratch;
  const std::string path = scratch / "claims/entry.json";
  CHECK(write_once(path, "first"));
  CHECK_FALSE(write_once(path, "second"));
  CHECK(content_of(path) == "first");

  for (int round = 0; round < 20; ++round) {
    const std::string at = scratch / ("race/" + std::to_string(round));
    std::atomic<int> made{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&, t] { made += write_once(at, std::string(1000, static_cast<char>('a' + t))); });
    for (std::thread& t : threads) t.join();
    CHECK(made == 1);
    const std::string text = content_of(at);
    CHECK(text == std::string(1000, text.at(0)));
  }
  int left = 0;
  for (const auto& entry : std::filesystem::directory_iterator(scratch / "race"))
    left += is_temporary_name(entry.path().filename().string());
  CHECK(left == 0);
  CHECK_THROWS_AS(write_once(path + "/beneath/a/file", ""), Error);
}
