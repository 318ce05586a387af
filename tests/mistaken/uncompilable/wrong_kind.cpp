// khost_add_plugin(wrong_kind optimizer SOURCES wrong_kind.cpp)
#include "khost/plugin.hpp"

class WrongKind final : public khost::Probe {
 public:
  struct Config {};
  explicit WrongKind(const Config&) {}
  static void declare(khost::Signals&, const Config&) {}
};

KHOST_PLUGIN(khost::probe<WrongKind>("wrong_kind", "a probe that is called an optimizer", 1))
