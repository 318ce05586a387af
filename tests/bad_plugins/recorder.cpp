// Declares or makes records that nobody could use.
#include "khost/plugin.hpp"

namespace {

class Recorder : public khost::Probe {
 public:
  struct Config {
    std::string fault = "none";
    static void fields(auto& f) {
      f("fault", &Config::fault)
          .choices({"none", "shadow", "any_shadow", "name", "unit", "no_null", "null", "basis", "twice", "twice_at_end",
                    "unreadable", "beside"});
    }
  };
  explicit Recorder(const Config& config) : config_(config) {}
  static void declare(khost::Signals& s, const Config& config) {
    s.need("loss").emit("value", "nats", "").emit("of/<what>", "1", "");
    if (config.fault == "shadow") s.emit("/loss/final", "nats", "");
    if (config.fault == "any_shadow") s.emit("/<where>/final", "nats", "");
    if (config.fault == "name") s.emit("norm of grad!/<x", "nats", "");
    if (config.fault == "unit") s.emit("fruit", "bananas", "");
    if (config.fault == "no_null") s.no_null("valeu", "a loss");
    if (config.fault == "null") s.null("value", "Gaussian losses");
    if (config.fault == "basis") s.need("basis.svd");
    if (config.fault == "beside") s.emit("/shared/value", "nats", "");
  }
  void observe(const khost::Step& step) override {
    step.record("value", 1);
    if (config_.fault == "twice" && step.index() == 1) step.record("value", 2);
    if (config_.fault == "unreadable") step.record("of/this or that", 1);
  }
  void conclude(khost::Trial& trial) override {
    trial.record("value", 1);
    if (config_.fault == "twice_at_end") trial.record("value", 2);
  }

 private:
  Config config_;
};

}  // namespace

KHOST_PLUGIN(khost::probe<Recorder>("recorder", "makes records that nobody could use", 1))
