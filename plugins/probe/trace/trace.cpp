#include "trace.hpp"

#include <cstring>
#include <numeric>

namespace {

// These stay as they are over a trial: once is enough.
bool constant(std::string_view signal) {
  return signal == "tokens" || signal == "targets" || signal == "weights" || signal == "basis";
}

// What the host calls that signal.
std::string_view source(std::string_view signal) { return signal == "factors" ? "basis" : signal; }

}  // namespace

void Trace::declare(khost::Signals& s, const Config& config) {
  khost::When first_steps = khost::every(1);
  if (config.steps) {
    std::vector<std::int64_t> steps(static_cast<std::size_t>(*config.steps));
    std::iota(steps.begin(), steps.end(), std::int64_t{0});
    first_steps = khost::at(std::move(steps));
  }
  for (const std::string& signal : config.signals) s.need(source(signal), constant(signal) ? khost::at({0}) : first_steps);
}

void Trace::observe(const khost::Step& step) {
  const std::string index = std::to_string(step.index());
  for (const std::string& signal : config_.signals) {
    if (constant(signal) ? step.index() > 0 : config_.steps && step.index() >= *config_.steps) continue;
    for (const auto& [name, array] : step[source(signal)]) {
      if (signal == "tokens" || signal == "targets")
        keep(signal, array);
      else if (signal == "loss")
        keep("loss/" + index, array);
      else if (constant(signal))
        keep(signal + "/" + name, array);
      else
        keep(signal + "/" + index + "/" + name, array);
    }
  }
}

void Trace::keep(std::string name, const khost::ArrayView& array) {
  const auto size = static_cast<std::size_t>(array.size()) * 4;  // both types have four bytes
  Kept& kept = kept_.emplace_back(Kept{std::move(name), array.dtype, array.shape, std::vector<unsigned char>(size)});
  std::memcpy(kept.bytes.data(), array.data, size);
}

void Trace::conclude(khost::Trial& trial) {
  std::vector<khost::NamedArray> arrays;
  for (const Kept& k : kept_) arrays.push_back({k.name, {k.dtype, k.bytes.data(), k.shape}});
  trial.write_artifact("trace", arrays);
}
