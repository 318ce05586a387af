// share/published: that the files are read, that they say what the papers say, and that their records can be.
#include <doctest/doctest.h>
#include <stdlib.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <set>
#include <sstream>

#include "artifact/share.hpp"
#include "khost/json.hpp"
#include "manifest/record_path.hpp"
#include "report/report.hpp"
#include "unit/environment_variable.hpp"
#include "unit/scratch.hpp"
#include "unit/text_file.hpp"

using namespace khost;
namespace fs = std::filesystem;

namespace {

constexpr std::int64_t budget = 61479680;  // paper 82's parameters x steps
constexpr std::int64_t per_dim = 48031;    // sum of m + n over the papers' 33 matrices

// As the build tree has them.
std::vector<std::string> names() {
  std::vector<std::string> found;
  for (const std::string& folder : share_folders()) {
    if (!fs::is_directory(fs::path(folder) / "published")) continue;
    for (const auto& entry : fs::directory_iterator(fs::path(folder) / "published"))
      if (entry.path().extension() == ".json") found.push_back(entry.path().stem());
    break;
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::map<std::string, PublishedFigure> by_record(const std::string& name) {
  std::map<std::string, PublishedFigure> figures;
  for (const PublishedFigure& f : read_published(name).figures) figures[f.record] = f;
  return figures;
}

// "1,536,992", "0.480", "63 %".
double number_of(std::string printed) {
  std::erase(printed, ',');
  const double number = std::stod(printed);
  return printed.ends_with(" %") ? number / 100 : number;
}

// As printed with so many decimals.
double rounded(double value, int decimals) {
  const double unit = std::pow(10.0, -decimals);
  return std::round(value / unit) * unit;
}

// The arms a manifest runs, each with its patch and that of the file it includes.
std::map<std::string, std::vector<Json>> arms_of(const fs::path& manifest) {
  const Json file = parse_json_file(manifest);
  std::map<std::string, std::vector<Json>> arms;
  if (const Json* include = file.find("include")) arms = arms_of(manifest.parent_path() / include->as_string());
  if (const Json* list = file.find("arms"))
    for (const JsonMember& arm : list->as_object()) {
      if (arm.value.is_null())
        arms.erase(arm.key);
      else
        arms[arm.key].push_back(arm.value);
    }
  return arms;
}

}  // namespace

TEST_CASE("every paper of the K series has its published figures") {
  CHECK(names() == std::vector<std::string>{"paper81", "paper82", "paper83", "paper84", "paper84-d512", "paper85", "paper86",
                                            "paper87", "paper88"});
  CHECK(read_published("").figures.empty());
  for (const std::string& name : names()) {
    CAPTURE(name);
    const Published published = read_published(name);
    for (const PublishedFigure& f : published.figures) {
      CAPTURE(f.record);
      const auto path = parse_record_path(f.record);
      REQUIRE(path);
      CHECK(path->base.empty());  // a published figure stands on every base
      CHECK_FALSE(path->record.ends_with('/'));
      CHECK_FALSE(f.where.empty());
      CHECK(number_of(f.printed) == doctest::Approx(f.value).epsilon(1e-12));
    }
    CHECK_FALSE(published.without_record.empty());
    for (const FigureWithoutRecord& f : published.without_record) {
      CHECK_FALSE(f.figure.empty());
      CHECK_FALSE(f.where.empty());
      CHECK_MESSAGE(f.why.ends_with('.'), f.figure);
    }
  }
}

TEST_CASE("no source and no note stands there for nothing") {
  for (const std::string& name : names()) {
    CAPTURE(name);
    const Json file = parse_json_file(share_file("published/" + name + ".json"));
    std::set<std::string> used;
    for (const char* list : {"figures", "without_record"})
      for (const Json& json : file.at(list).as_list())
        for (const char* key : {"where", "note"})
          if (const Json* found = json.find(key)) used.insert(found->as_string());
    for (const char* list : {"sources", "notes"})
      for (const JsonMember& member : file.at(list).as_object()) CHECK_MESSAGE(used.contains(member.key), member.key);
  }
}

TEST_CASE("published figures stand at arms and checkpoints that the manifests have") {
  const fs::path folder = fs::path(KHOST_SOURCE_DIR) / "experiments";
  int manifests = 0;
  for (const std::string& name : names()) {
    CAPTURE(name);
    const fs::path manifest = folder / (name + ".manifest");
    if (!fs::exists(manifest)) continue;
    ++manifests;
    const auto arms = arms_of(manifest);
    for (const PublishedFigure& f : read_published(name).figures) {
      CAPTURE(f.record);
      const RecordPath path = parse_record_path(f.record).value();
      const auto arm = arms.find(path.arm);
      REQUIRE(arm != arms.end());
      if (path.probe != "loss" || !path.record.starts_with("at")) continue;
      const std::int64_t at = std::stoll(path.record.substr(2));
      bool recorded = false;
      std::int64_t steps = 40;
      for (const Json& patch : arm->second) {
        if (const Json* found = patch.find("steps")) steps = found->as_integer();
        if (const Json* found = patch.find("record_at")) {
          recorded = false;
          for (const Json& n : found->as_list()) recorded |= n.as_integer() == at;
        }
      }
      CHECK((recorded || at > steps));  // beyond its steps: for who lets it run longer (paper 82's 5,120)
    }
  }
  CHECK(manifests > 0);
}

TEST_CASE("parameter counts and budget steps follow from one another") {
  const std::map<std::int64_t, std::int64_t> steps = {{2, 640}, {4, 320}, {8, 160}, {16, 80}, {32, 40}, {64, 20}};
  const std::map<std::int64_t, std::string> printed = {{2, "96,062"},   {4, "192,124"},    {8, "384,248"},
                                                       {16, "768,496"}, {32, "1,536,992"}, {64, "3,073,984"}};
  int counts = 0;
  for (const std::string& name : names())
    for (const auto& one : by_record(name)) {
      const std::string& record = one.first;
      const auto& figure = one.second;
      if (!record.ends_with("/parameters/adapter") || record[0] != 'K') continue;
      CAPTURE(name);
      CAPTURE(record);
      const std::int64_t k = std::stoll(record.substr(1));
      REQUIRE(steps.contains(k));
      const auto parameters = static_cast<std::int64_t>(figure.value);
      CHECK(parameters == per_dim * k);
      CHECK(figure.printed == printed.at(k));
      CHECK(budget / parameters == steps.at(k));
      CHECK(parameters * steps.at(k) <= budget);
      CHECK(parameters * (steps.at(k) + 1) > budget);
      ++counts;
    }
  CHECK(counts > 30);
  const auto paper82 = by_record("paper82");
  for (const auto& [k, n] : steps) CHECK(paper82.contains("K" + std::to_string(k) + "-untied/parameters/adapter"));
  CHECK(paper82.at("K2-untied/loss/at640").value == 9.0486);
  CHECK(paper82.at("K16-untied/loss/final").note.find("retracts") != std::string::npos);
}

TEST_CASE("paper 84's table computed again: efficiencies, assigned K, parameters") {
  const auto figures = by_record("paper84");
  for (const std::string arm : {"K8", "K16", "adaptive", "K32", "K64"}) {
    CAPTURE(arm);
    const double gain = figures.at(arm + "/loss/base").value - figures.at(arm + "/loss/final").value;
    const double efficiency = gain / (figures.at(arm + "/parameters/adapter").value / 1e4);
    CHECK(rounded(efficiency, 5) == doctest::Approx(figures.at(arm + "/efficiency/adapter").value).epsilon(1e-9));
  }
  double sum = 0;
  std::vector<double> ers;
  for (int layer = 0; layer < 8; ++layer) {
    const std::string l = "layer" + std::to_string(layer);
    ers.push_back(figures.at("K32/effective_rank/in_basis/" + l).value);
    const double k = figures.at("adaptive/adaptive_k/" + l + "/k").value;
    CHECK(k == std::round(ers.back() / 0.62));
    sum += k;
  }
  CHECK(sum / 8 == figures.at("adaptive/adaptive_k/mean_layer_k").value);
  // A layer's four matrices have 4,096 parameters a dim, the embedding 15,263 and stays at 32.
  const double adaptive = figures.at("adaptive/parameters/adapter").value;
  CHECK(adaptive == 4096 * sum + 15263 * 32);
  CHECK(rounded(100 * (adaptive / figures.at("K32/parameters/adapter").value - 1), 2) == doctest::Approx(1.07));
  const auto [least, most] = std::minmax_element(ers.begin(), ers.end());
  CHECK(*most - *least == doctest::Approx(figures.at("K32/effective_rank/in_basis/spread").value));
  CHECK(figures.at("adaptive/adaptive_k/layer2/k").note.find("16,384") != std::string::npos);
  CHECK(figures.at("K64/loss/final").note.find("6.0994") != std::string::npos);
}

TEST_CASE("paper 85's published figures") {
  const auto figures = by_record("paper85");
  const auto value = [&](const std::string& record) { return figures.at(record).value; };
  CHECK(value("K32/snr/drift/0") == 5.879);
  CHECK(figures.at("K32/snr/drift/1").printed == "4.800");
  CHECK(figures.at("K64/snr/drift/ratio").note.find("1.07") != std::string::npos);
  CHECK(value("K64/grad/var/1") == 0.000022);
  CHECK(figures.at("K64/loss/final").note.find("6.1215") != std::string::npos);
  CHECK(value("K32-drop0.3/loss/final") == 7.7488);
  CHECK(figures.at("K64/ablation/share32").note.find("0.516") != std::string::npos);
  CHECK(value("K64/effective_rank/in_basis") == 39);
  CHECK(value("K32/effective_rank/in_basis/per_K") == 0.63);

  for (const std::string arm : {"K32", "K64"})
    CHECK(rounded(value(arm + "/snr/drift/1") / value(arm + "/snr/drift/0"), 3) ==
          doctest::Approx(value(arm + "/snr/drift/ratio")).epsilon(1e-9));
  const double whole = value("K64/ablation/keep64");
  CHECK(whole == value("K64/loss/final"));
  for (const std::string keep : {"32", "20", "8", "4"})
    CHECK(rounded((value("K64/ablation/keep" + keep) - whole) / (value("K64/ablation/keep2") - whole), 3) ==
          doctest::Approx(value("K64/ablation/share" + keep)).epsilon(1e-9));
}

TEST_CASE("losses at the papers' steps, and the tables of papers 83, 86, 87 and 88") {
  const auto paper86 = by_record("paper86");
  CHECK(paper86.at("full/loss/base").value == 7.8407);  // at step 1
  CHECK(paper86.at("full/loss/at4").value == 4.9717);   // at step 5
  CHECK(paper86.at("full/true_effective_rank/step40/max").value == 25.16);
  const auto paper83 = by_record("paper83");
  CHECK(paper83.at("spectra/weight_rank/er/kind/attn.qkv").printed == "256.00");
  CHECK(paper83.at("spectra/weight_rank/er/kind/mlp.up").note.find("suspect") != std::string::npos);
  const auto paper87 = by_record("paper87");
  int coverages = 0;
  for (const auto& [record, figure] : paper87) coverages += record.find("/coverage/svd/block/") != std::string::npos;
  CHECK(coverages == 24);
  CHECK(paper87.at("K32/coverage/svd/block/k64/step40").value == 0.157);
  CHECK(paper87.at("K32/coverage/per_dim/step1").note.find("0.002456") != std::string::npos);
  const auto paper88 = by_record("paper88");
  CHECK(paper88.at("K64/gradient_cosine/mean").value == 0.9995);
  CHECK(paper88.at("K32/loss/final").value == 6.4183);
  CHECK(paper88.at("K64/loss/at20").value == 6.7051);
}

TEST_CASE("wrong published figures are said with their place") {
  const Scratch folder;
  const test::EnvironmentVariable share("KHOST_SHARE", folder.folder());
  fs::create_directory(folder / "published");
  const auto reads = [&](const std::string& figures, const std::string& more = "") {
    write_text(folder / "published/mine.json",
               R"({"khost_published": 1, "sources": {"a": "paper A"}, "notes": {}, "figures": [)" + figures + "]" + more + "}");
    return read_published("mine");
  };
  CHECK(reads(R"({"record": "K32/loss/final", "value": 1500, "where": "a"})").figures.at(0).printed == "1,500");
  CHECK(reads(R"({"record": "K32/loss/final", "value": 0.125, "where": "a"})").figures.at(0).where == "paper A");
  CHECK(reads("").without_record.empty());
  CHECK_THROWS_WITH_AS(reads(R"({"record": "K32/loss/final", "value": 1, "note": "x"})"), doctest::Contains("mine.json:1:"),
                       Error);
  CHECK_THROWS_WITH_AS(reads(R"({"record": "K32/loss/final", "value": 1, "note": "x"})"),
                       doctest::Contains("'x' is not in \"notes\""), Error);
  CHECK_THROWS_WITH_AS(reads(R"({"record": "loss", "value": 1})"),
                       doctest::Contains("expected a record as ARM/PROBE/NAME, found 'loss'"), Error);
  CHECK_THROWS_WITH_AS(reads(R"({"record": "K32/loss/final", "value": 1, "nots": "x"})"),
                       doctest::Contains("did you mean 'note'"), Error);
  CHECK_THROWS_WITH_AS(reads(R"({"record": "a/b/c", "value": 1}, {"record": "a/b/c", "value": 2})"),
                       doctest::Contains("the record 'a/b/c' has a published figure already"), Error);

  const auto without = [&](const std::string& entry) { return reads("", R"(, "without_record": [)" + entry + "]"); };
  const Published good = without(R"({"figure": "7.9 %", "where": "a", "why": "Of what?"}, {"figure": "8", "why": "A rule."})");
  REQUIRE(good.without_record.size() == 2);
  CHECK(good.without_record[0].figure == "7.9 %");
  CHECK(good.without_record[0].where == "paper A");
  CHECK(good.without_record[0].why == "Of what?");
  CHECK(good.without_record[1].where.empty());
  CHECK_THROWS_WITH_AS(without(R"({"figure": "7.9 %"})"), doctest::Contains("why"), Error);
  CHECK_THROWS_WITH_AS(without(R"({"figure": "7.9 %", "why": "x", "where": "b"})"),
                       doctest::Contains("'b' is not in \"sources\""), Error);
  CHECK_THROWS_WITH_AS(without(R"({"figure": "7.9 %", "whi": "x"})"), doctest::Contains("did you mean 'why'"), Error);
  CHECK_THROWS_WITH_AS(reads("", R"(, "without_records": [])"), doctest::Contains("did you mean 'without_record'"), Error);

  CHECK_THROWS_WITH_AS(read_published("mien"), doctest::Contains("no published figures 'mien'"), Error);
  CHECK_THROWS_WITH_AS(read_published("mien"), doctest::Contains("there are: mine"), Error);
  CHECK_THROWS_WITH_AS(read_published("../mine"), doctest::Contains("no published figures"), Error);
}
