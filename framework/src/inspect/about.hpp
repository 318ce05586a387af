// All there is to say of one plugin, gathered once: `khost inspect` says it on a terminal and as JSON, its page in docs/plugins
// as Markdown.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "khost/adapter.hpp"
#include "khost/model.hpp"
#include "plugin/registry.hpp"

namespace khost {

// Tensors that differ in the number of their layer alone are one: "layer.<l>.attn.qkv".
struct AboutTensor {
  std::string name, shape;  // "[768, 256]"; in letters where it depends on what the tensor is made for: "[V, 256]", "[K, n]"
  bool adaptable = false;
  int layers = 0;  // how many there are of it; 0: it belongs to no layer
};

struct About {
  const Plugin* plugin = nullptr;
  Description description = {};
  std::vector<Field> host_keys = {};  // what the manifest takes beside the plugin's own parameters
  Json example = {};                  // keys of a manifest
  std::string page = {};              // "" where there is none

  // Of what the example makes of it: with its defaults, mostly.
  std::vector<AboutTensor> tensors = {};  // of a model, or of an adapter for each matrix
  std::vector<std::string> exposed = {};  // by a model, for probes: "layer.<l>.resid_post"
  std::optional<int> slots = {};          // of an optimizer
  std::string unmade = {};                // why it could not be made; "" when it could
};

// Throws a plugin Error when the plugin does not say what it is.
About about(const Plugin& plugin);

// A line for each cost, without its full stop.
std::vector<std::string> costs_of(const About& about);

// What its kind is called where policies have a name of their own: "policy", "probe", "optimizer".
std::string kind_words(const Plugin& plugin);

// What a plugin's numerics version means.
inline constexpr const char* numerics_words = "raised whenever the plugin's figures change; trials of another one are not reused";

}  // namespace khost
