#include "page/ranks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>

namespace khost {
namespace {

std::map<std::string, double> ranks_of(const Json& manifest) {
  std::map<std::string, double> ranks;
  const Json* arms = manifest.find("arms");
  if (!arms) return ranks;
  for (const JsonMember& arm : arms->as_object()) {
    const Json* adapter = arm.value.find("adapter");
    const Json* rank = adapter && adapter->is_object() ? adapter->find("rank") : nullptr;
    if (rank && rank->is_number()) ranks[arm.key] = rank->as_number();
  }
  return ranks;
}

double figure_in(const ArmFigures& arm, std::string_view label) {
  const auto found = std::ranges::find_if(arm.figures, [&](const Figure& f) { return f.label() == label; });
  return found == arm.figures.end() ? std::nan("") : found->interval.mean;
}

}  // namespace

Ranks::Ranks(const std::string& manifest, const std::vector<BaseFigures>& bases) : parameters_of_a_dim_(std::nan("")) {
  try {
    if (!manifest.empty()) ranks_ = ranks_of(parse_json(manifest, "resolved.manifest"));
  } catch (const Error&) {  // said where pictures' specs are read
  }
  std::map<double, int> counts;
  for (const BaseFigures& base : bases)
    for (const ArmFigures& arm : base.arms)
      if (const auto rank = ranks_.find(arm.arm); rank != ranks_.end() && rank->second > 0)
        if (const double per = figure_in(arm, "parameters/adapter") / rank->second; per > 0) ++counts[per];
  int most = 0;
  for (const auto& [per, count] : counts)
    if (count > most) most = count, parameters_of_a_dim_ = per;
}

double Ranks::of(const ArmFigures& arm) const {
  const auto rank = ranks_.find(arm.arm);
  if (rank == ranks_.end()) return std::nan("");
  const double mean = figure_in(arm, "parameters/adapter_mean") / parameters_of_a_dim_;
  return std::isfinite(mean) && std::abs(mean - rank->second) > 1e-9 * rank->second ? mean : rank->second;
}

std::string Ranks::family(const std::string& arm, double K) const {
  if (const auto rank = ranks_.find(arm); rank == ranks_.end() || rank->second != K) return arm;
  const std::string digits = fmt::format("{}", K);
  const auto is_part = [&](std::size_t at) {
    return at < arm.size() && (std::isdigit(static_cast<unsigned char>(arm[at])) || arm[at] == '.');
  };
  for (std::size_t at = arm.find(digits); at != std::string::npos; at = arm.find(digits, at + 1))
    if (!(at > 0 && is_part(at - 1)) && !is_part(at + digits.size()))
      return arm.substr(0, at) + "*" + arm.substr(at + digits.size());
  return arm;
}

}  // namespace khost
