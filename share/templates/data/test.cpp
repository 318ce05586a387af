#include "my_data.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <vector>

namespace {

// What a data source may ask of the host; this one asks for nothing.
struct NoArtifacts final : khost::ArtifactStore {
  std::string get(std::string_view, const khost::Json&, std::string_view,
                  const std::function<void(const std::string&)>&) override {
    FAIL("needs no artifact");
    return "";
  }
  std::string corpus_file(std::string_view) override {
    FAIL("needs no corpus");
    return "";
  }
};

MyData made_of(const std::string& bytes) {
  const auto path = std::filesystem::temp_directory_path() / "my_data_test.txt";
  std::ofstream(path, std::ios::binary) << bytes;
  NoArtifacts artifacts;
  khost::DataContext context{artifacts, {}, ".", 1};
  return MyData({path}, context);
}

}  // namespace

TEST_CASE("the parts are the file, one after the other, and windows are of one part") {
  std::string bytes;
  for (int i = 0; i < 200; ++i) bytes += static_cast<char>(i);
  const MyData data = made_of(bytes);
  CHECK(data.vocabulary() == 256);
  CHECK(data.tokens(khost::Part::train) == 160);
  CHECK(data.tokens(khost::Part::calibration) == 20);
  CHECK(data.tokens(khost::Part::held_out) == 20);
  khost::Random random(1, "test", "windows");
  std::vector<std::int32_t> out(50 * 8);
  data.windows(khost::Part::held_out, 50, 8, random, out);
  for (std::size_t i = 0; i < out.size(); ++i) {
    CHECK(out[i] >= 180);
    if (i % 8) CHECK(out[i] == out[i - 1] + 1);
  }
}

TEST_CASE("another content is another identity, and what does not fit is said") {
  CHECK(made_of("one text, long enough").identity() != made_of("another, long enough").identity());
  const MyData data = made_of("0123456789");
  khost::Random random(1, "test", "windows");
  std::vector<std::int32_t> out(9);
  CHECK_THROWS_WITH_AS(data.windows(khost::Part::held_out, 1, 9, random, out), doctest::Contains("the held_out part has 1 bytes"),
                       khost::Error);
}
