#include "store/shipped.hpp"

#include "artifact/share.hpp"

namespace khost {

Json shipped_json(const Experiment& experiment, const std::vector<ClaimDesign>& designs) {
  Json::List claims;
  for (const ClaimDesign& d : designs)
    claims.push_back(Json::object({{"id", d.id}, {"key", d.key}, {"fixed", d.fixed}, {"trials", d.trials}}));
  return Json::object({{"khost", KHOST_VERSION},
                       {"experiment", experiment.name},
                       {"family", designs.empty() ? "" : designs.front().family},
                       {"family_size", family_size(experiment)},
                       {"claims", std::move(claims)}});
}

std::optional<Json> shipped_registration(const std::string& experiment) {
  const std::string path = share_file("registered/" + experiment + ".json");
  if (path.empty()) return std::nullopt;
  return parse_json_file(path);
}

}  // namespace khost
