#pragma once

#include "khost/probe.hpp"
#include "khost/schema.hpp"

// ||dW||_F after the last update, per matrix and of all matrices as one vector. Adam moves each alpha by about lr per step, so
// ||dW|| grows as sqrt(K) by itself: the control for comparisons across K.
class Displacement : public khost::Probe {
 public:
  struct Config {};
  explicit Displacement(const Config&) {}
  static void declare(khost::Signals& s, const Config&);
  void conclude(khost::Trial& trial) override;
};
