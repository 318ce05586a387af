// The "claims" of a manifest: predictions fixed before the run, checked here down to the records they speak of.
#pragma once

#include <string>
#include <vector>

#include "manifest/arms.hpp"

namespace khost {

// "< c", "> c" or "in [a, b]" as an interval; an end that is not predicted is infinite. Behind it may stand the measure's unit.
struct Prediction {
  double low, high;
  std::string unit = {};
};
Prediction parse_prediction(const std::string& text, const Place& place = {});

// The prediction less the margin at its finite ends: where an interval has to lie to confirm it. Empty when low > high.
Prediction shrunk(const Prediction& prediction, double margin);

std::vector<Claim> read_claims(Reading& reading, const Json& manifest, const std::vector<BaseRecipe>& bases,
                               const std::vector<ReadArm>& arms);
Json resolved_json(const Claim& claim);

}  // namespace khost
