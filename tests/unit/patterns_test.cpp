#include "plan/patterns.hpp"

#include <doctest/doctest.h>

#include "message.hpp"

using namespace khost;

namespace {
bool fits(const std::string& pattern, const std::string& name, bool adaptable = false) {
  Parameter p;
  p.name = name;
  p.adaptable = adaptable;
  return name_matches(pattern, p);
}
}  // namespace

TEST_CASE("name patterns: * is any run of characters") {
  CHECK(fits("*", ""));
  CHECK(fits("*", "tok_emb"));
  CHECK(fits("layer.*.mlp.*", "layer.10.mlp.up"));
  CHECK(fits("layer.*", "layer."));
  CHECK(fits("*up", "layer.up.up"));
  CHECK(fits("a**b", "ab"));
  CHECK(fits("*a*b*", "xxaxxbxx"));
  CHECK_FALSE(fits("", "a"));
  CHECK_FALSE(fits("layer.*", "layer"));
  CHECK_FALSE(fits("*up", "layer.upper"));
  CHECK_FALSE(fits("a*b*c", "acb"));
  CHECK_FALSE(fits("layer.?", "layer.1"));
  CHECK(fits("@matrices", "w", true));
  CHECK_FALSE(fits("@matrices", "@matrices"));
  std::string pattern, name(5000, 'a');
  for (int i = 0; i < 300; ++i) pattern += "*a";
  CHECK(fits(pattern, name));
  CHECK_FALSE(fits(pattern + "*b", name));  // took exponential time
}

TEST_CASE("name patterns: one that picks nothing, or stands there twice") {
  std::vector<Parameter> parameters(2);
  parameters[0].name = "tok_emb";
  parameters[1].name = "pos_emb";
  CHECK(chosen({"tok_emb", "pos*"}, parameters, "'train'", {}) == std::vector<bool>{true, true});
  CHECK(message_of([&] { chosen({"tok_emd"}, parameters, "'train'", {}); }) ==
        "'train' names 'tok_emd', which matches no tensor of the model\n  did you mean 'tok_emb'?");
  CHECK(message_of([&] { chosen({"*", "tok*", "*"}, parameters, "'train'", {}); }) == "'train' names '*' twice");
}
