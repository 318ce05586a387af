#include "report/not_finite.hpp"

#include <algorithm>
#include <cmath>

namespace khost {

std::string NotFinite::text() const {
  std::string text = infinite ? "infinite" : "NaN";
  text += " in " + std::to_string(trials) + " of " + std::to_string(of) + (of == 1 ? " trial" : " trials") + ", first ";
  text += step < 0 ? "with" : "at step " + std::to_string(step) + " of";
  text += " seed " + std::to_string(seed);
  return draw ? text + ", draw " + std::to_string(draw) : text;
}

std::vector<NotFinite> not_finite(const std::vector<BaseFigures>& bases) {
  std::vector<NotFinite> out;
  for (const BaseFigures& base : bases)
    for (const ArmFigures& arm : base.arms) {
      const std::size_t begin = out.size();
      for (const TrialResult* trial : arm.trials) {
        if (trial->status != "done") continue;
        std::vector<std::size_t> counted;
        for (const RecordSeries& r : trial->series)
          for (const auto& [step, value] : r.points) {
            if (std::isfinite(value)) continue;
            const bool infinite = std::isinf(value);
            const auto same = [&](const NotFinite& n) {
              return n.probe == r.probe && n.name == r.name && n.infinite == infinite;
            };
            auto found = std::find_if(out.begin() + static_cast<std::ptrdiff_t>(begin), out.end(), same);
            if (found == out.end()) {
              out.push_back({base.base, arm.arm, r.probe, r.name, infinite, 0, static_cast<int>(arm.trials.size()),
                             trial->key.draw, trial->key.seed, step});
              found = out.end() - 1;
            }
            const auto index = static_cast<std::size_t>(found - out.begin());
            if (std::ranges::find(counted, index) != counted.end()) continue;
            counted.push_back(index);
            ++found->trials;
          }
      }
    }
  return out;
}

Json number_json(double value) {
  if (std::isinf(value)) return Json(value > 0 ? "inf" : "-inf");
  return Json(value);  // NaN is written as null
}

Json json_of(const NotFinite& record) {
  return Json::object({{"trials", record.trials},
                       {"of", record.of},
                       {"first", Json::object({{"draw", record.draw},
                                               {"seed", Json(record.seed)},
                                               {"step", record.step < 0 ? Json() : Json(record.step)}})}});
}

}  // namespace khost
