// Any JSON against a schema that has every kind of field: refused with its place, or resolved to what resolves to itself.
#include "khost/schema.hpp"

#include "fuzz.hpp"

using namespace khost;
using namespace khost::fuzz;

namespace {

struct Inner {
  double weight = 0.5;
  std::optional<std::string> name;
  static void fields(auto& f) {
    f("weight", &Inner::weight).range(0, 1).doc("a number");
    f("name", &Inner::name).doc("may be null");
  }
};

struct Config {
  bool flag = false;
  std::int64_t count = 4;
  int small = 2;
  double rate = 1e-3;
  std::string word = "alpha", path, old;
  std::vector<std::int64_t> steps = {1, 2};
  std::vector<double> shares;
  std::vector<std::string> words;
  std::optional<std::int64_t> maybe;
  Inner inner;
  std::vector<Inner> inners;
  std::optional<Inner> maybe_inner;
  Json any;

  static void fields(auto& f) {
    f("flag", &Config::flag);
    f("count", &Config::count).required().at_least(1).doc("how many");
    f("small", &Config::small).range(-5, 5);
    f("rate", &Config::rate).range(0, 1);
    f("word", &Config::word).choices({"alpha", "beta"});
    f("path", &Config::path).path();
    f("old", &Config::old).deprecated("use 'word'");
    f("steps", &Config::steps).at_least(1);
    f("shares", &Config::shares).range(0, 1);
    f("words", &Config::words);
    f("maybe", &Config::maybe).at_least(0).operational();
    f("inner", &Config::inner);
    f("inners", &Config::inners);
    f("maybe_inner", &Config::maybe_inner);
    f("any", &Config::any);
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Schema schema = schema_of<Config>();
  try {
    const Json given = parse_json(text_of(data, size), "m");
    std::vector<std::string> warnings;
    const Json resolved = resolve(schema, given, "probe 'p'", &warnings);
    for (const std::string& warning : warnings) hold_printable(warning);
    const Json again = resolve(schema, resolved, "probe 'p'");
    hold(again == resolved && again.text() == resolved.text(), "what is resolved resolves to itself", resolved.text());
    const Config config = read_config<Config>(resolved);
    hold(detail::to_json(config) == resolved, "a Config holds what was resolved", resolved.text());
    hold(identity_of(schema, resolved).as_object().size() + 1 == resolved.as_object().size(), "one field is operational");
    hold(config.count >= 1 && config.small >= -5 && config.small <= 5 && config.rate >= 0 && config.rate <= 1,
         "what is resolved is in range", resolved.text());
  } catch (const Error& e) {
    hold_message(e, true);
    hold(e.place().line > 0 && e.place().column > 0, "a message has line and column", e.what());
  }
  return 0;
}
