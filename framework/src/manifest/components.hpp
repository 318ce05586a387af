// {"plugin": NAME, "as": NAME, KEYS} read against the plugin's schema, with the host's own keys where there are any.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "manifest/catalog.hpp"
#include "manifest/experiment.hpp"
#include "manifest/sweep.hpp"

namespace khost {

struct HostData {
  std::int64_t sequence = 127, batch = 1;
  std::string reuse = "fixed";
  std::int64_t held_out_windows = 16, calibration_windows = 16;

  static void fields(auto& f) {
    f("sequence", &HostData::sequence).at_least(1).doc("tokens of a window that are predicted, T");
    f("batch", &HostData::batch).at_least(1).doc("windows of a batch, B");
    f("reuse", &HostData::reuse).choices({"fixed", "fresh"}).doc("fixed: the same batch every step; fresh: a new one each step");
    f("held_out_windows", &HostData::held_out_windows).at_least(0).doc("windows on which held-out losses are measured; 0: none");
    f("calibration_windows", &HostData::calibration_windows).at_least(0).doc("windows on which a base's target loss is measured");
  }
};

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
DataSpec read_data(Reading& reading, const Json& given);
std::optional<AdapterSpec> read_adapter(Reading& reading, const Json& given);  // null: none

// As the resolved manifest has them.
Json resolved_json(const Component& component);
Json resolved_json(const DataSpec& data);
Json resolved_json(const std::optional<AdapterSpec>& adapter);

}  // namespace khost
