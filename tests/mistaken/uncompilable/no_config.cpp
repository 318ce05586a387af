// khost_add_plugin(no_config probe SOURCES no_config.cpp)
#include "khost/plugin.hpp"

class NoConfig final : public khost::Probe {
 public:
  NoConfig() {}
  static void declare(khost::Signals&) {}
};

KHOST_PLUGIN(khost::probe<NoConfig>("no_config", "has no parameters, and no Config either", 1))
