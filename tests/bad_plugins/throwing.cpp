// Fails in each way that a plugin can.
#include <stdexcept>

#include "khost/plugin.hpp"

namespace {

class Throwing : public khost::Probe {
 public:
  struct Config {
    std::string how = "error";
    std::string where = "create";
    static void fields(auto& f) {
      f("how", &Config::how).choices({"error", "exception", "integer"});
      f("where", &Config::where).choices({"create", "declare", "begin", "trial"});
    }
  };
  explicit Throwing(const Config& config) : config_(config) { fail("create"); }
  static void declare(khost::Signals& s, const Config& config) {
    if (config.where == "declare") throw std::runtime_error("no such signal today");
    s.evaluations(s.trial ? 2 : 1, khost::Part::held_out);
    if (config.where == "trial" && s.trial) s.emit("of_" + s.trial->arm, "1", "not known without a trial");
  }
  void begin(const khost::TrialInfo&) override { fail("begin"); }

 private:
  void fail(std::string_view where) const {
    if (config_.where != where) return;
    if (config_.how == "error") throw khost::Error(khost::ErrorKind::usage, "the corpus is not there").hint("install it");
    if (config_.how == "exception") throw std::runtime_error("a plain exception");
    throw 42;
  }
  Config config_;
};

}  // namespace

KHOST_PLUGIN(khost::probe<Throwing>("throwing", "fails as it is told to", 1))
