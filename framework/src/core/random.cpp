#include "khost/random.hpp"

#include <Random123/philox.h>

#include <cmath>
#include <numbers>
#include <utility>

namespace khost {

namespace {

// FNV-1a, 64 bits: a stable name for a stream. The separator keeps ("ab", "c") apart from ("a", "bc").
std::uint64_t stream_name(std::string_view instance, std::string_view purpose) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  const auto mix = [&](unsigned char c) { hash = (hash ^ c) * 0x100000001b3u; };
  for (const char c : instance) mix(static_cast<unsigned char>(c));
  mix(0xff);
  for (const char c : purpose) mix(static_cast<unsigned char>(c));
  return hash;
}

std::uint32_t low(std::uint64_t x) { return static_cast<std::uint32_t>(x); }
std::uint32_t high(std::uint64_t x) { return static_cast<std::uint32_t>(x >> 32); }

}  // namespace

Random::Random(std::uint64_t seed, std::string_view instance, std::string_view purpose)
    : key_(seed), stream_(stream_name(instance, purpose)) {}

void Random::refill() {
  const r123::Philox4x32::ctr_type counter{{low(block_), high(block_), low(stream_), high(stream_)}};
  const r123::Philox4x32::key_type key{{low(key_), high(key_)}};
  const auto numbers = r123::Philox4x32{}(counter, key);
  for (int i = 0; i < 4; ++i) buffer_[i] = numbers[static_cast<std::size_t>(i)];
  ++block_;
  used_ = 0;
}

std::uint32_t Random::bits() {
  if (used_ == 4) refill();
  return buffer_[used_++];
}

double Random::uniform() {
  const std::uint64_t wide = (std::uint64_t{bits()} << 32) | bits();
  return static_cast<double>(wide >> 11) * 0x1p-53;
}

double Random::normal() {
  if (has_spare_) {
    has_spare_ = false;
    return spare_;
  }
  const double radius = std::sqrt(-2 * std::log(1 - uniform()));  // 1 - u is in (0, 1]
  const double angle = 2 * std::numbers::pi * uniform();
  spare_ = radius * std::sin(angle);
  has_spare_ = true;
  return radius * std::cos(angle);
}

std::uint64_t Random::below(std::uint64_t n) {
  const std::uint64_t unbiased = -n % n;  // 2^64 mod n: draws below it are the ones that would be too frequent
  for (;;) {
    const std::uint64_t wide = (std::uint64_t{bits()} << 32) | bits();
    if (wide >= unbiased) return wide % n;
  }
}

void Random::normal(std::span<float> out, double sd) {
  for (float& x : out) x = static_cast<float>(sd * normal());
}

void Random::shuffle(std::span<int> items) {
  for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[below(i)]);
}

}  // namespace khost
