#include "efficiency.hpp"

void Efficiency::declare(khost::Signals& s, const Config&) {
  const char* unit = "nats / 10^4 parameters";
  s.emit("adapter", unit, "(L_base - L_final) / (adapter parameters / 10^4), on the adapted batch");
  s.emit("trainable", unit, "the same per trainable parameter");
  s.emit("held_out", unit, "the same per adapter parameter, with the losses on held-out text");
  s.no_null("*", "a loss: noise has none");
}

void Efficiency::conclude(khost::Trial& trial) {
  const khost::Outcome& o = trial.outcome();
  const auto per = [](double gained, std::int64_t parameters) {
    return parameters > 0 ? gained / (static_cast<double>(parameters) / 1e4) : khost::missing;
  };
  trial.record("adapter", per(o.base - o.final, o.adapter_parameters));
  trial.record("trainable", per(o.base - o.final, o.trainable_parameters));
  trial.record("held_out", per(o.held_out_base - o.held_out_final, o.adapter_parameters));
}
