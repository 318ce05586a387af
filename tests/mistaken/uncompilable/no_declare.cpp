// khost_add_plugin(no_declare probe SOURCES no_declare.cpp)
#include "khost/plugin.hpp"

class NoDeclare final : public khost::Probe {
 public:
  struct Config {};
  explicit NoDeclare(const Config&) {}
};

KHOST_PLUGIN(khost::probe<NoDeclare>("no_declare", "does not say what it reads", 1))
