// A data source with one fault, chosen by its configuration; without one it is fit. For `khost check`.
#include <sys/stat.h>

#include <atomic>
#include <thread>
#include <vector>

#include "khost/plugin.hpp"

namespace {

class Misbehaving final : public khost::Data {
 public:
  struct Config {
    std::string fault;
    static void fields(auto& f) { f("fault", &Config::fault).doc("what it does wrong"); }
  };
  Misbehaving(const Config& config, khost::DataContext&) : fault_(config.fault) {
    static std::uint64_t instances = 0;
    if (is("non-deterministic")) ++instances;
    for (std::size_t part = 0; part < 3; ++part) {
      khost::Random random(instances, "misbehaving",
                           is("overlapping parts") ? "all" : khost::name_of(static_cast<khost::Part>(part)));
      for (int i = 0; i < 4000; ++i) tokens_[part].push_back(static_cast<std::int32_t>(random.below(101)));
    }
  }
  std::int64_t vocabulary() const override { return is("token outside") ? 100 : 101; }
  std::string identity() const override { return "misbehaving"; }
  std::int64_t tokens(khost::Part part) const override { return std::ssize(tokens_[static_cast<std::size_t>(part)]); }
  void windows(khost::Part part, std::int64_t count, std::int64_t length, khost::Random& random,
               std::span<std::int32_t> out) const override {
    if (is("umask in windows")) ::umask(0777);
    const auto& all = tokens_[static_cast<std::size_t>(part)];
    for (std::int64_t i = 0; i < count; ++i) {
      std::size_t start = is("ignores the stream") ? 7 : random.below(all.size() - static_cast<std::size_t>(length) + 1);
      if (is("not thread-safe")) {
        start_ = start;
        std::this_thread::yield();
        start = start_;
      }
      for (std::int64_t t = 0; t < length; ++t)
        out[static_cast<std::size_t>(i * length + t)] = all[start + static_cast<std::size_t>(t)];
    }
  }

 private:
  bool is(std::string_view fault) const { return fault_ == fault; }

  std::string fault_;
  std::vector<std::int32_t> tokens_[3];
  mutable std::atomic<std::size_t> start_ = 0;  // a place in the text: whoever comes between has moved it
};

}  // namespace

KHOST_PLUGIN(khost::data<Misbehaving>("misbehaving_data", "a data source with a fault", 1))
