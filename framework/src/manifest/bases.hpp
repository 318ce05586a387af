// The "bases" of a manifest: recipes of the frozen models that arms adapt.
#pragma once

#include "manifest/components.hpp"

namespace khost {

std::vector<Field> base_fields();  // of a base's object, as a manifest writes it

// `data` and `optimizer` are the experiment's as written, which a recipe patches.
std::vector<BaseRecipe> read_bases(Reading& reading, const Json& manifest);
Json resolved_json(const BaseRecipe& base);

}  // namespace khost
