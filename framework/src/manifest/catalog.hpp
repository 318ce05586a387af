// What the manifest reader asks about plugins, so that it can be read and tested without loading any.
#pragma once

#include <string>

#include "khost/plugin.hpp"

namespace khost {

class Catalog {
 public:
  virtual ~Catalog() = default;
  // The schema of plugin NAME, and for a probe what `resolved` declares (null: its defaults). Throws a plugin Error when there is
  // no such plugin.
  virtual Description describe(Kind kind, const std::string& name, const Json* resolved) = 0;
  virtual bool is_policy(const std::string& probe) = 0;
};

}  // namespace khost
