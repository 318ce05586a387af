// share/published/coverage: every figure and statement of papers 84 and 85 has its record, its claim, or the reason why not.
#include <doctest/doctest.h>

#include <map>
#include <set>

#include "khost/json.hpp"
#include "manifest/experiment.hpp"
#include "report/text.hpp"
#include "unit/made_file.hpp"

using namespace khost;

namespace {

const std::string source = KHOST_SOURCE_DIR;

struct Item {
  std::string id, quote, says, why, slip;
  std::vector<std::string> records, claims;
};

std::vector<Item> items() {
  std::vector<Item> out;
  const Json file = parse_json_file(source + "/share/published/coverage/papers84-85.json");
  for (const Json& json : file.at("items").as_list()) {
    Item& item = out.emplace_back();
    for (const JsonMember& m : json.as_object()) {
      const std::map<std::string, std::string*> texts{
          {"id", &item.id}, {"quote", &item.quote}, {"says", &item.says}, {"why", &item.why}, {"slip", &item.slip}};
      if (const auto text = texts.find(m.key); text != texts.end()) {
        *text->second = m.value.as_string();
        continue;
      }
      REQUIRE_MESSAGE((m.key == "records" || m.key == "claims"), m.key);
      for (const Json& path : m.value.as_list()) (m.key == "records" ? item.records : item.claims).push_back(path.as_string());
    }
  }
  return out;
}

std::pair<std::string, std::string> split(const std::string& path) {
  const std::size_t slash = path.find('/');
  REQUIRE(slash != std::string::npos);
  return {path.substr(0, slash), path.substr(slash + 1)};
}

// Each name in code, as Markdown has it.
std::string names(const std::vector<std::string>& all) {
  std::string out;
  for (const std::string& name : all) out += (out.empty() ? "`" : ", `") + name + "`";
  return out;
}

std::string page(const std::vector<Item>& all) {
  std::string out =
      "# Where each sentence of papers 84 and 85 is tested\n\n"
      "Every figure and statement of the two papers, in their order, with what of khost measures it "
      "(EXPERIMENT/ARM/PROBE/RECORD) and which "
      "claims of experiments/EXPERIMENT.manifest test it; or the reason why nothing does. A slip is an error of the paper's own, "
      "shown and "
      "never mended. Made from share/published/coverage; a test fails when a record or a claim is lost.\n";
  std::string paper;
  for (const Item& item : all) {
    if (const std::string now = item.id.substr(0, 2); now != paper) {
      paper = now;
      out += "\n## Paper " + paper + "\n\n| | it says | measured by | tested by | |\n|---|---|---|---|---|\n";
    }
    std::string note = item.why;
    if (!item.slip.empty()) note += (note.empty() ? "Slip: " : " Slip: ") + item.slip;
    out += "| " + item.id + " | " + markdown(item.says) + " | " + names(item.records) + " | " + names(item.claims) + " | " +
           markdown(note) + " |\n";
  }
  return out;
}

}  // namespace

TEST_CASE("coverage: 141 of 141 figures and statements of papers 84 and 85") {
  std::map<std::string, int> count;
  std::set<std::string> ids, quotes;
  for (const Item& item : items()) {
    CAPTURE(item.id);
    const std::string paper = item.id.substr(0, 3);
    CHECK(item.id == paper + std::to_string(++count[paper]));
    CHECK(ids.insert(item.id).second);
    CHECK_FALSE(item.quote.empty());
    CHECK_FALSE(item.says.empty());
    CHECK_FALSE((item.records.empty() && item.claims.empty() && item.why.empty()));
  }
  CHECK(count == std::map<std::string, int>{{"84-", 76}, {"85-", 65}});
}

TEST_CASE("coverage: every record and claim that it names is there") {
  std::map<std::string, std::vector<std::string>> records, claims;  // by experiment
  for (const Item& item : items()) {
    for (const std::string& path : item.records) records[split(path).first].push_back(split(path).second);
    for (const std::string& path : item.claims) claims[split(path).first].push_back(split(path).second);
  }
  for (const auto& [experiment, ids] : claims) {
    CAPTURE(experiment);
    std::set<std::string> there;
    for (const Claim& claim : read_experiment(source + "/experiments/" + experiment + ".manifest", {}).experiment.claims)
      there.insert(claim.id);
    for (const std::string& id : ids) CHECK_MESSAGE(there.contains(id), id);
  }
  // As claims of their own: a manifest whose claims name a record that no arm makes is not read.
  for (const auto& [experiment, paths] : records) {
    CAPTURE(experiment);
    Json::List list;
    std::set<std::string> seen;
    for (const std::string& path : paths)
      if (seen.insert(path).second)
        list.push_back(Json::object({{"id", "c" + std::to_string(list.size())},
                                     {"let", Json::object({{"a", path}})},
                                     {"measure", "a"},
                                     {"predicts", "< 1"},
                                     {"margin", 0}}));
    CHECK_NOTHROW(
        read_experiment(source + "/experiments/" + experiment + ".manifest", {{"claims", Json(std::move(list)).text()}}));
  }
}

TEST_CASE("coverage: docs/coverage.md is made from it") {
  check_made(source + "/docs/coverage.md", page(items()), "coverage: docs*");
}
