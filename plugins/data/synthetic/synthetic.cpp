#include "synthetic.hpp"

#include <algorithm>
#include <cmath>

#include "khost/error.hpp"
#include "khost/hash.hpp"
#include "khost/schema.hpp"
#include "khost/tensor.hpp"

namespace khost {
namespace {

using Config = Synthetic::Config;

class Language {
 public:
  explicit Language(const Config& config) : branching_(static_cast<std::size_t>(config.branching)), coherence_(config.coherence) {
    double sum = 0;
    for (std::int64_t r = 0; r < config.vocab; ++r)
      cumulative_.push_back(sum += std::pow(static_cast<double>(r + 1), -config.zipf));
    Random table(static_cast<std::uint64_t>(config.source_seed), "synthetic", "table");
    successors_.resize(cumulative_.size() * branching_);
    for (std::int32_t& successor : successors_) successor = draw(table);
  }

  std::int32_t draw(Random& random) const {
    const double at = random.uniform() * cumulative_.back();
    const auto found = std::upper_bound(cumulative_.begin(), cumulative_.end(), at);
    // Rounding may put `at` on the very end.
    return static_cast<std::int32_t>(std::min(found - cumulative_.begin(), std::ssize(cumulative_) - 1));
  }

  std::int32_t next(std::int32_t token, Random& random) const {
    if (random.uniform() >= coherence_) return draw(random);
    return successors_[static_cast<std::size_t>(token) * branching_ + random.below(branching_)];
  }

 private:
  std::size_t branching_;
  double coherence_;
  std::vector<double> cumulative_;        // [vocab]
  std::vector<std::int32_t> successors_;  // [vocab, branching]
};

Json json_of(const Config& config) { return detail::to_json(config); }

void check_siblings(const Config& config, const DataContext& context) {
  for (const Json& sibling : context.siblings) {
    const auto other = read_config<Config>(sibling);
    if (other.vocab == config.vocab) continue;
    throw Error(ErrorKind::usage, sibling.place,
                "data 'synthetic': \"vocab\" is " + std::to_string(other.vocab) + " here, but " + std::to_string(config.vocab) +
                    " elsewhere in this experiment")
        .hint("all data of one experiment, its bases' included, must agree on \"vocab\"");
  }
}

}  // namespace

Synthetic::Synthetic(const Config& config, DataContext& context) : vocabulary_(config.vocab) {
  check_siblings(config, context);
  if (config.held_out + config.calibration >= 1) {
    throw Error(ErrorKind::usage, "data 'synthetic': \"held_out\" and \"calibration\" together leave no token to train on")
        .hint("their sum must be below 1");
  }
  identity_ = "synthetic " + sha256(json_of(config).canonical());
  const Language language(config);
  const auto share = [&](double fraction) {
    return static_cast<std::int64_t>(std::llround(fraction * static_cast<double>(config.tokens)));
  };
  const auto walk = [&](Part part, std::int64_t length) {
    Random random(static_cast<std::uint64_t>(config.source_seed), "synthetic", name_of(part));
    auto& tokens = parts_[static_cast<std::size_t>(part)];
    tokens.reserve(static_cast<std::size_t>(length));
    for (std::int64_t i = 0; i < length; ++i)
      tokens.push_back(i == 0 ? language.draw(random) : language.next(tokens.back(), random));
  };
  const std::int64_t held_out = share(config.held_out), calibration = share(config.calibration);
  walk(Part::held_out, held_out);
  walk(Part::calibration, calibration);
  walk(Part::train, config.tokens - held_out - calibration);
}

void Synthetic::windows(Part part, std::int64_t count, std::int64_t length, Random& random, std::span<std::int32_t> out) const {
  const auto& all = parts_[static_cast<std::size_t>(part)];
  if (count < 0 || length < 1 || std::ssize(out) != checked_product({count, length})) {
    throw Error(ErrorKind::plugin, "data 'synthetic': " + std::to_string(count) + " windows of " + std::to_string(length) +
                                       " tokens do not fill " + std::to_string(out.size()) + " places");
  }
  if (std::ssize(all) < length) {
    throw Error(ErrorKind::usage, "a window of " + std::to_string(length) + " tokens is longer than the text: the " +
                                      name_of(part) + " part of the synthetic data has " + std::to_string(all.size()))
        .hint("shorten \"sequence\", or raise \"tokens\"");
  }
  const auto starts = static_cast<std::uint64_t>(std::ssize(all) - length + 1);
  for (std::int64_t i = 0; i < count; ++i) {
    std::copy_n(all.begin() + static_cast<std::ptrdiff_t>(random.below(starts)), length, out.begin() + i * length);
  }
}

}  // namespace khost
