// A piece of a manifest that uses a plugin.
#pragma once

#include "khost/schema.hpp"
#include "plugin/loader.hpp"

namespace khost {

// What its author put beside the plugin, NAME.example.manifest; else made of the defaults of its parameters.
Json example_of(const Plugin& plugin, const Schema& schema);

// The plugin's own parameters in an example: of the first object that names it.
Json config_in(const Json& example, const Plugin& plugin, const Schema& schema);

// Lines of a manifest, without the braces around them.
std::string example_text(const Json& example);

}  // namespace khost
