// How two JSON values differ, place by place: identities of trials, resolved manifests.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "khost/json.hpp"

namespace khost {

struct JsonDifference {
  std::vector<std::string> path;      // keys; an entry of a list is "[snr]", or "[3]" where it has no name
  std::optional<Json> first, second;  // nothing where that one has no such place

  bool of_hashes() const;  // both are, which say nothing to a person but that they are two
  std::string at() const;  // "probes[snr].config.batches"
};

// Objects key by key, in the second's order. Entries of a list that all have names of their own, as components do, go by these;
// others by number where the lists are as long as each other, else the lists differ as wholes.
std::vector<JsonDifference> json_differences(const Json& first, const Json& second);

}  // namespace khost
