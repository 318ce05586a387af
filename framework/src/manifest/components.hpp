// {"plugin": NAME, "as": NAME, KEYS} read against the plugin's schema, with the host's own keys where there are any.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "manifest/catalog.hpp"
#include "manifest/experiment.hpp"
#include "manifest/sweep.hpp"

namespace khost {

struct Reading {
  Catalog& catalog;
  std::vector<std::string> warnings;
  Swept swept = {};
};

// The keys that are the host's among a component's are appended to its schema and come back in `host`.
struct ReadComponent {
  Component component;
  Json host;
};
ReadComponent read_component(Reading& reading, Kind kind, const Json& given, const std::vector<Field>& host_fields = {});
Json as_component(const Json& name);  // {"plugin": NAME}, at the name's place
DataSpec read_data(Reading& reading, const Json& given);
std::optional<AdapterSpec> read_adapter(Reading& reading, const Json& given);  // null: none

// As the resolved manifest has them.
Json resolved_json(const Component& component);
Json resolved_json(const DataSpec& data);
Json resolved_json(const std::optional<AdapterSpec>& adapter);

}  // namespace khost
