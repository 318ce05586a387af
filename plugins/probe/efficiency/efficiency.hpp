#pragma once

#include "khost/probe.hpp"
#include "khost/schema.hpp"

// Loss gained per 10^4 parameters (paper 84): (L_base - L_final) / (parameters / 10^4).
class Efficiency : public khost::Probe {
 public:
  struct Config {};
  explicit Efficiency(const Config&) {}
  static void declare(khost::Signals& s, const Config&);
  void conclude(khost::Trial& trial) override;
};
