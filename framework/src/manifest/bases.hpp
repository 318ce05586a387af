// The "bases" of a manifest: recipes of the frozen models that arms adapt.
#pragma once

#include "manifest/components.hpp"

namespace khost {

// `data` and `optimizer` are the experiment's as written, which a recipe patches.
std::vector<BaseRecipe> read_bases(Reading& reading, const Json& manifest);
Json resolved_json(const BaseRecipe& base);

}  // namespace khost
