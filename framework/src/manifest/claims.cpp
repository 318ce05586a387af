#include "manifest/claims.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <limits>

#include "core/shown.hpp"
#include "manifest/declared.hpp"
#include "manifest/measure.hpp"
#include "manifest/measure_unit.hpp"
#include "manifest/parts.hpp"

namespace khost {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr const char* example =
    R"("claims": [{"id": "k64-wins", "let": {"a": "K32/loss/final", "b": "K64/loss/final"}, "measure": "a - b", "predicts": "> 0", "margin": 0.01}])";

constexpr const char* choice =
    R"(write {"of": ["K32-lr*/loss/final"], "least": ["K32-lr*/calibration/keep32"]}: the arm that is best by the second, over all seeds)";

// A path of "let", with * for any text without '/'.
class Paths {
 public:
  Paths(const Reading& reading, const std::vector<BaseRecipe>& bases, const std::vector<ReadArm>& arms)
      : reading_(reading), bases_(bases), arms_(arms) {}

  // What `text` stands for: itself, but with a * in the arm's name one path for each arm that fits, in the manifest's order.
  // Their units are appended to `units`.
  std::vector<std::string> of(const Json& text, std::vector<std::string>& units) const {
    const std::string quoted = "'" + text.as_string() + "'";
    auto path = parse_record_path(text.as_string());
    if (!path)
      throw Error(ErrorKind::usage, text.place, quoted + " is not the path of a record")
          .hint("a path is ARM/PROBE/RECORD or @BASE/ARM/PROBE/RECORD: \"K64/loss/final\", \"@trained/K64/snr/drift/0\"");
    if (text.as_string().find_first_of("<>") != std::string::npos)
      throw Error(ErrorKind::usage, text.place, quoted + ": what stands in <> is to be filled in")
          .hint("* stands for all there are, as in \"K64/snr/drift/*\"");
    for (const auto& [part, what] : {std::pair{path->base, "the base"}, std::pair{path->probe, "the probe"}})
      if (part.find('*') != std::string::npos)
        throw Error(ErrorKind::usage, text.place, quoted + ": a * can stand in the arm and in the record, not in " + what)
            .hint(part == path->base ? "a path without @BASE/ is of every base in turn" : "name the probe in full");
    if (!path->base.empty()) base(path->base, quoted + ": ", text.place);
    std::vector<std::string> out;
    const std::string pattern = path->arm;
    for (const ReadArm& arm : arms_) {
      if (!patterns_meet(pattern, arm.arm.name)) continue;
      if (!path->base.empty() && !arm.arm.runs_on(path->base)) continue;
      path->arm = arm.arm.name;
      std::string one = (path->base.empty() ? "" : "@" + path->base + "/") + path->arm + "/" + path->probe + "/" + path->record;
      std::string unit = expect_record(arm, *path, text.place,
                                       "'" + one + "'" + (arm.arm.on.empty() ? "" : " on base '" + arm.arm.on + "'") + ": ");
      if (std::find(out.begin(), out.end(), one) != out.end()) continue;  // a base's own form of it
      out.push_back(std::move(one));
      units.push_back(std::move(unit));
    }
    if (out.empty()) no_such_arm(pattern, quoted, text.place);
    return out;
  }

 private:
  void base(const std::string& name, const std::string& said, const Place& place) const {
    std::vector<std::string> names;
    for (const BaseRecipe& b : bases_) names.push_back(b.name);
    if (std::find(names.begin(), names.end(), name) == names.end())
      throw Error(ErrorKind::usage, place, said + "there is no base '" + name + "'").hint(nearest_and_all(name, names, "bases"));
  }

  [[noreturn]] void no_such_arm(const std::string& name, const std::string& quoted, const Place& place) const {
    std::vector<std::string> names;
    for (const ReadArm& a : arms_)
      if (names.empty() || names.back() != a.arm.name) names.push_back(a.arm.name);  // an arm's forms follow each other
    if (name.find('*') == std::string::npos) throw no_arm(reading_, place, quoted + ": ", name, names);
    throw Error(ErrorKind::usage, place, quoted + ": no arm fits '" + name + "'").hint("the arms: " + joined(names));
  }

  const Reading& reading_;
  const std::vector<BaseRecipe>& bases_;
  const std::vector<ReadArm>& arms_;
};

// A list whose length only a run can tell has a path with a *.
Measure::Name measure_name(const Let& let) {
  const auto& paths = let.paths;
  const bool open = std::any_of(paths.begin(), paths.end(), [](const auto& p) { return p.find('*') != std::string::npos; });
  if (!let.least.empty() || (paths.size() == 1 && !open)) return {let.name};
  return {let.name, open ? 0 : paths.size()};
}

class ClaimReader {
 public:
  ClaimReader(Reading& reading, const Json& given, const std::vector<BaseRecipe>& bases, const std::vector<ReadArm>& arms)
      : reading_(reading), given_(given), paths_(reading, bases, arms) {}

  Claim read() {
    if (const Json* id = expect_object(given_, "a claim", example).find("id"); id && id->is_string())
      owner_ = "claim '" + id->as_string() + "'";
    const auto keys = read_config<ClaimKeys>(resolve(schema_of<ClaimKeys>(), given_, owner_, &reading_.warnings));
    check_name(keys.id, given_.at("id").place, "a claim");
    Claim claim{keys, {}, {}, given_, given_.place};
    std::vector<std::pair<std::string, std::vector<std::string>>> units;  // of the records of each name
    read_let(claim, keys.let, units);
    std::vector<Measure::Name> names;
    for (const Let& one : claim.let) names.push_back(measure_name(one));
    check_permuted(claim, names);
    const Measure measure(claim.measure, names, given_.at("measure").place);
    for (const std::string& unused : measure.unused())
      reading_.warnings.push_back(given_.at("let").at(unused).place.text() + ": '" + unused + "' of " + owner_ +
                                  " is not used by its measure");
    claim.unit = unit_of_measure(claim.measure, units, given_.at("measure").place).text();
    check_prediction(claim);
    return claim;
  }

 private:
  void read_let(Claim& claim, const Json& let, std::vector<std::pair<std::string, std::vector<std::string>>>& units) const {
    for (const JsonMember& m : expect_object(let, "'let' of " + owner_, R"("let": {"a": "K32/loss/final"})").as_object()) {
      const auto fits = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; };
      if (m.key.empty() || std::isdigit(static_cast<unsigned char>(m.key[0])) || !std::all_of(m.key.begin(), m.key.end(), fits))
        throw Error(ErrorKind::usage, m.place, "'" + m.key + "' cannot be a name in 'let'")
            .hint("names there are letters, digits and '_', not starting with a digit");
      if (Measure::reserved(m.key))
        throw Error(ErrorKind::usage, m.place, "'" + m.key + "' is a function or constant of measures; 'let' needs another name");
      std::vector<std::string>& own = units.emplace_back(m.key, std::vector<std::string>{}).second;
      claim.let.push_back(m.value.is_object() ? choice_of(m, own) : Let{m.key, paths_of(m.key, m.value, own)});
    }
  }

  // {"of": [...], "least": [...]}
  Let choice_of(const JsonMember& entry, std::vector<std::string>& units) const {
    const std::string what = "'" + entry.key + "' in 'let'";
    for (const JsonMember& m : entry.value.as_object())
      if (m.key != "of" && m.key != "least")
        throw Error(ErrorKind::usage, m.place, what + " has no key '" + m.key + "'").hint(choice);
    const Json *of = entry.value.find("of"), *least = entry.value.find("least");
    if (!of || !least) throw Error(ErrorKind::usage, entry.value.place, what + " needs both 'of' and 'least'").hint(choice);
    std::vector<std::string> other;
    Let out{entry.key, paths_of(entry.key, *of, units), paths_of(entry.key, *least, other)};
    for (const auto* list : {&out.paths, &out.least})
      for (const std::string& path : *list)
        if (path.find('*') != std::string::npos)
          throw Error(ErrorKind::usage, entry.value.place,
                      what + " chooses among records that are named in full, not '" + path + "'");
    if (out.paths.size() != out.least.size())
      throw Error(
          ErrorKind::usage, entry.value.place,
          what + " chooses one of " + std::to_string(out.paths.size()) + " records by " + std::to_string(out.least.size()))
          .hint("'least' has one record for each in 'of', in the same order");
    for (std::size_t i = 0; i < out.paths.size(); ++i) {
      const RecordPath one = *parse_record_path(out.paths[i]), by = *parse_record_path(out.least[i]);
      if (one.arm == by.arm && one.base == by.base) continue;
      throw Error(ErrorKind::usage, entry.value.place,
                  what + " would choose '" + out.paths[i] + "' by '" + out.least[i] + "', which is of another arm or base")
          .hint("'least' has one record for each in 'of', in the same order");
    }
    return out;
  }

  void check_permuted(const Claim& claim, const std::vector<Measure::Name>& names) const {
    for (const Json& given : claim.permute.empty() ? Json::List{} : given_.at("permute").as_list()) {
      const auto found =
          std::find_if(names.begin(), names.end(), [&](const Measure::Name& n) { return n.name == given.as_string(); });
      if (found == names.end())
        throw Error(ErrorKind::usage, given.place,
                    "'permute' of " + owner_ + " names '" + given.as_string() + "', which 'let' has not");
      if (!found->list)
        throw Error(
            ErrorKind::usage, given.place,
            "'permute' of " + owner_ + " names '" + given.as_string() + "', which is one number: only a list can be shuffled");
    }
  }

  std::vector<std::string> paths_of(const std::string& name, const Json& value, std::vector<std::string>& units) const {
    const auto text = [&](const Json& path) -> const Json& {
      if (path.is_string()) return path;
      throw Error(ErrorKind::usage, path.place,
                  "'" + name + "' in 'let' takes the path of a record or a list of paths, found " + shortened(path.text()));
    };
    if (!value.is_list()) return paths_.of(text(value), units);
    std::vector<std::string> out;
    for (const Json& path : value.as_list())
      for (std::string& each : paths_.of(text(path), units)) out.push_back(std::move(each));
    if (out.empty()) throw Error(ErrorKind::usage, value.place, "'" + name + "' in 'let' is an empty list of paths");
    return out;
  }

  void check_prediction(const Claim& claim) const {
    const Json& predicts = given_.at("predicts");
    const Prediction prediction = parse_prediction(claim.predicts, predicts.place);
    check_unit(claim, prediction, predicts.place);
    const Prediction inner = shrunk(prediction, claim.margin);
    // On the log scale a measure is positive, and so must be something of what is predicted.
    if (inner.low <= inner.high && !(claim.scale == "log" && inner.high <= 0)) return;
    const std::string margin = Json(claim.margin).text();
    throw Error(
        ErrorKind::usage, predicts.place,
        "nothing is left of \"" + claim.predicts + "\" once the margin " + margin + " is taken off; no result could confirm it")
        .hint(inner.low <= inner.high ? "on the log scale only what is above 0 counts"
                                      : "take a smaller margin, or a wider prediction");
  }

  // A bare number is in the measure's unit, whatever it is; of one that has a name of its own that goes without saying.
  void check_unit(const Claim& claim, const Prediction& prediction, const Place& place) const {
    if (!prediction.unit.empty()) {
      const auto unit = Unit::parse(prediction.unit);
      if (!unit)
        throw Error(ErrorKind::usage, place, "\"" + prediction.unit + "\" of \"" + claim.predicts + "\" is no unit")
            .hint("the measure is in " + claim.unit);
      if (unit->text() != claim.unit)
        throw Error(ErrorKind::usage, place,
                    owner_ + " predicts " + prediction.unit + ", but \"" + claim.measure + "\" is in " + claim.unit);
    } else if (claim.unit.find_first_of(" ^") != std::string::npos) {
      reading_.warnings.push_back(place.text() + ": " + owner_ + " predicts a bare number, \"" + claim.predicts +
                                  "\", of a measure in " + claim.unit + "; \"" + claim.predicts + " " + claim.unit +
                                  "\" says so");
    }
  }

  Reading& reading_;
  const Json& given_;
  Paths paths_;
  std::string owner_ = "a claim";
};

}  // namespace

Prediction parse_prediction(const std::string& text, const Place& place) {
  const char *at = text.data(), *end = at + text.size();
  const auto skip = [&](std::string_view what) {
    while (at != end && *at == ' ') ++at;
    if (static_cast<std::size_t>(end - at) < what.size() || std::string_view(at, what.size()) != what) return false;
    at += what.size();
    while (at != end && *at == ' ') ++at;
    return true;
  };
  const auto number = [&](double& value) {
    const auto read = std::from_chars(at, end, value);
    at = read.ptr;
    return read.ec == std::errc() && value - value == 0;  // finite
  };
  Prediction p{-infinity, infinity, {}};
  bool good = false;
  if (skip("<"))
    good = number(p.high);
  else if (skip(">"))
    good = number(p.low);
  else
    good = skip("in") && skip("[") && number(p.low) && skip(",") && number(p.high) && skip("]");
  skip("");
  // "< 0.5 nats", "> 3 1 / steps"
  const std::string_view rest(at, static_cast<std::size_t>(end - at));
  if (good && !rest.empty() && (std::isalpha(static_cast<unsigned char>(rest[0])) || rest.starts_with("1 /")))
    p.unit = rest, at = end;
  if (!good || at != end)
    throw Error(ErrorKind::usage, place, "\"" + text + "\" is not a prediction")
        .hint("write \"< 0.5\", \"> 0.5\" or \"in [0.4, 0.6]\"");
  if (p.low > p.high) throw Error(ErrorKind::usage, place, "\"" + text + "\" ends before it begins");
  return p;
}

Prediction shrunk(const Prediction& prediction, double margin) {
  return {prediction.low + margin, prediction.high - margin, prediction.unit};
}

std::vector<Claim> read_claims(Reading& reading, const Json& manifest, const std::vector<BaseRecipe>& bases,
                               const std::vector<ReadArm>& arms) {
  std::vector<Claim> out;
  const Json* claims = manifest.find("claims");
  if (!claims || claims->is_null()) return out;
  for (const Json& given : expect_list(*claims, "'claims'", example).as_list()) {
    Claim claim = ClaimReader(reading, given, bases, arms).read();
    for (const Claim& other : out)
      if (other.id == claim.id)
        throw Error(ErrorKind::usage, given.at("id").place,
                    "two claims are called '" + claim.id + "', the other at " + other.source.at("id").place.text());
    out.push_back(std::move(claim));
  }
  return out;
}

Json resolved_json(const Claim& claim) {
  const auto written = [](const std::vector<std::string>& paths) {
    return paths.size() == 1 ? Json(paths[0]) : detail::to_json(paths);
  };
  Json let{Json::Object{}};
  for (const Let& one : claim.let)
    let.set(one.name,
            one.least.empty() ? written(one.paths) : Json::object({{"of", written(one.paths)}, {"least", written(one.least)}}));
  ClaimKeys keys = claim;
  keys.let = std::move(let);
  return resolved_keys(keys);
}

}  // namespace khost
