#include "plugin/record_names.hpp"

#include <doctest/doctest.h>

#include <random>
#include <string>

#include "khost/signal.hpp"
#include "manifest/record_path.hpp"
#include "message.hpp"
#include "plugin/guarded.hpp"

using namespace khost;

namespace {

// A model with one matrix of that name.
struct Named : Model {
  explicit Named(std::string n) : name(std::move(n)) {}
  std::vector<Parameter> parameters() const override { return {{name, {2, 2}, Init::normal, 0.02, true, 0}}; }
  void forward(Graph&) const override {}
  std::string name;
};

}  // namespace

TEST_CASE("a model's parameters are called what records and patterns can name again") {
  const auto complaint = [](const std::string& name) {
    return message_of([&] { guarded(std::make_shared<Named>(name), "model 'named'")->parameters(); });
  };
  for (const std::string& name : {std::string("tok_emb"), std::string("layer.0.attn-1.qkv"), std::string(128, 'x')})
    CHECK(complaint(name) == "");
  const std::pair<std::string, const char*> faults[] = {{"", "it is empty"},
                                                        {"a b", "it has a space"},
                                                        {"a*b", "it has '*'"},
                                                        {"a:b", "it has ':'"},
                                                        {"<x>", "it has '<'"},
                                                        {"@matrices", "it has '@'"},
                                                        {"\xc3\xa9", "it has the byte"},
                                                        {std::string(129, 'x'), "it has 129 characters"},
                                                        {"a/b", "it has '/'"}};
  for (const auto& [name, fault] : faults) {
    const std::string said = complaint(name);
    INFO(said);
    CHECK(said.find(std::string("cannot be a parameter's name: ") + fault) != std::string::npos);
    CHECK(said.find("model 'named' in parameters") != std::string::npos);
    CHECK(said.find("1 to 128 letters, digits, '_', '.' and '-'") != std::string::npos);
  }
}

TEST_CASE("names of records: parts of letters, digits and _.-, and what else is said of them") {
  for (const char* name : {"a", "drift/0", "in_basis/layer12", "matrix/layer.0.attn.qkv", "/grad/mean/0", "/x/y", "A-b/9"}) {
    CAPTURE(name);
    CHECK(fault_of_name(name, NameForm::made).empty());
    CHECK(fault_of_name(name, NameForm::declared).empty());
  }
  for (const char* name : {"drift/<group>", "<basis>/block/k<K>/step<s>", "/grad/mean/<group>", "keep<k>", "<a><b>"}) {
    CAPTURE(name);
    CHECK(fault_of_name(name, NameForm::declared).empty());
    CHECK(fault_of_name(name, NameForm::made) == "it has '<'");
  }
  const auto fault = [](std::string_view name) { return fault_of_name(name, NameForm::declared); };
  CHECK(fault("norm of grad") == "it has a space");
  CHECK(fault("grad!") == "it has '!'");
  CHECK(fault("loss*") == "it has '*'");
  CHECK(fault("a\tb") == "it has the byte 0x09");
  CHECK(fault("\xc3\xa4") == "it has the byte 0xc3");
  CHECK(fault("a<x") == "a '<' of it is not closed");
  CHECK(fault("a<>") == "it has a placeholder without a name");
  CHECK(fault("a<b/c>") == "a '<' of it is not closed");
  CHECK(fault("a<b c>") == "it has a space in a placeholder");
  CHECK(fault("a>b") == "it has '>'");
  for (const char* name : {"", "a/", "a//b", "//a", "/a/"}) CHECK(fault(name) == "a part of it is empty");
  for (const char* name : {"/", "/alone"}) CHECK(fault(name).find("names the instance and the record") != std::string::npos);
  CHECK(fault("/loss/final") == "records under 'loss' are khost's own");
  CHECK(fault("/parameters/adapter") == "records under 'parameters' are khost's own");
  CHECK(fault("/<where>/final").find("placeholder") != std::string::npos);
  CHECK(fault("loss/final").empty());  // under the instance: hides nothing
  CHECK(fault(std::string(201, 'a')) == "it has 201 characters; the most is 200");
}

TEST_CASE("whatever the grammar takes, a path can name again, and a pattern meets") {
  std::mt19937 random(11);
  const std::string characters = "aZ09_.-/<>*! @\"\\\n\xc3,;";
  int taken = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string name;
    for (std::size_t i = 0, n = 1 + random() % 8; i < n; ++i) name += characters[random() % (round % 2 ? characters.size() : 8)];
    if (!fault_of_name(name, NameForm::made).empty() || name.starts_with('/')) continue;
    ++taken;
    const auto path = parse_record_path("@base/arm/probe/" + name);
    REQUIRE(path);
    CHECK(path->record == name);
    CHECK(path->probe == "probe");
    CHECK(patterns_meet(name, name));
    CHECK(matches_record(name, name));
    std::string other = name;
    other[random() % other.size()] = 'Q';
    CHECK(patterns_meet(name, other) == (name == other));  // no character of a name is a wildcard
  }
  CHECK(taken > 1000);
}
