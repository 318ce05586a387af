#include "khost/plugin.hpp"

#include "k_schedule.hpp"

KHOST_PLUGIN(khost::probe<KSchedule>("k_schedule", "grows or shrinks K during training, at fixed shares of the steps", 1))
