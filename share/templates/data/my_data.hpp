#pragma once

#include <array>
#include <fstream>
#include <iterator>
#include <string>

#include "khost/hash.hpp"
#include "khost/plugin.hpp"

// The bytes of a file, one token each: the first 80 % to train on, a tenth for calibration, and the last tenth held out.
class MyData final : public khost::Data {
 public:
  struct Config {
    std::string path;
    static void fields(auto& f) { f("path", &Config::path).required().path().by_content().doc("the file that is read"); }
  };

  MyData(const Config& config, khost::DataContext&) {
    std::ifstream file(config.path, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    if (!file || bytes.empty())
      throw khost::Error(khost::ErrorKind::usage, "'" + config.path + "' cannot be read, or is empty").hint("is \"path\" right?");
    const std::size_t tenth = bytes.size() / 10;
    parts_[at(khost::Part::train)] = bytes.substr(0, bytes.size() - 2 * tenth);
    parts_[at(khost::Part::calibration)] = bytes.substr(bytes.size() - 2 * tenth, tenth);
    parts_[at(khost::Part::held_out)] = bytes.substr(bytes.size() - tenth);
    identity_ = "bytes of " + khost::sha256(bytes);
  }

  std::int64_t vocabulary() const override { return 256; }
  std::string identity() const override { return identity_; }
  std::int64_t tokens(khost::Part part) const override { return std::ssize(parts_[at(part)]); }

  void windows(khost::Part part, std::int64_t count, std::int64_t length, khost::Random& random,
               std::span<std::int32_t> out) const override {
    const std::string& bytes = parts_[at(part)];
    const std::int64_t starts = std::ssize(bytes) - length + 1;
    if (starts < 1)
      throw khost::Error(khost::ErrorKind::usage, std::string("the ") + khost::name_of(part) + " part has " +
                                                      std::to_string(bytes.size()) + " bytes, and a window " +
                                                      std::to_string(length))
          .hint("shorten \"sequence\", or give a longer file");
    for (std::int64_t i = 0; i < count; ++i) {
      const auto start = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(starts)));
      for (std::int64_t t = 0; t < length; ++t)
        out[static_cast<std::size_t>(i * length + t)] = static_cast<unsigned char>(bytes[static_cast<std::size_t>(start + t)]);
    }
  }

 private:
  static std::size_t at(khost::Part part) { return static_cast<std::size_t>(part); }

  std::array<std::string, 3> parts_;
  std::string identity_;
};
