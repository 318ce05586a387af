// A compute table that declines everything; links no libkhost.
#include "khost/plugin.hpp"

namespace {

int score() { return 0; }
int create(const char*, std::int32_t, void** context, char*, size_t) {
  *context = nullptr;
  return 0;
}
void destroy(void*) {}
void info(void*, khost_compute_info* out) { *out = {}; }

constexpr khost_compute table{
    sizeof(khost_compute), KHOST_COMPUTE_API, score, create, destroy, info, nullptr, nullptr, nullptr, nullptr, nullptr};

}  // namespace

KHOST_COMPUTE_PLUGIN(khost::compute("table", "declines everything", 1, &table))
