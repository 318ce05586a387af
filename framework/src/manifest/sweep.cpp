#include "manifest/sweep.hpp"

#include <algorithm>

#include "core/shown.hpp"
#include "manifest/keys.hpp"
#include "manifest/overlay.hpp"
#include "manifest/parts.hpp"

namespace khost {
namespace {

constexpr const char* example = R"("sweep": {"optimizer.lr": [1e-3, 5e-3]})";
constexpr std::size_t most = 1000;  // arms or bases of one sweep

// What is swept: "arm" or "base", and the keys that it has.
struct Sweepable {
  std::string article, noun;
  Schema schema;
};

class Sweep {
 public:
  Sweep(const Sweepable& kind, const JsonMember& given, const Json& sweep)
      : kind_(kind), given_(given), sweep_(sweep), owner_("'sweep' of " + kind.noun + " '" + given.key + "'") {}

  Json::Object all() const {
    if (expect_object(sweep_, owner_, example).as_object().empty())
      throw Error(ErrorKind::usage, sweep_.place, owner_ + " sweeps nothing").hint(std::string("write ") + example);
    JsonMember plain = given_;
    plain.value.erase("sweep");
    Json::Object out{plain};
    for (const JsonMember& axis : sweep_.as_object()) {
      check(axis);
      Json::Object next;  // the first key varies slowest
      for (const JsonMember& each : out)
        for (const Json& value : axis.value.as_list()) next.push_back(with(each, axis, value));
      out = std::move(next);
      if (out.size() > most)
        throw Error(ErrorKind::usage, sweep_.place, owner_ + " makes more than " + std::to_string(most) + " " + kind_.noun + "s");
    }
    return out;
  }

 private:
  void check(const JsonMember& axis) const {
    const std::string first = axis.key.substr(0, axis.key.find('.'));
    const std::string of = kind_.article + " " + kind_.noun;
    if (!kind_.schema.find(first) || first == "sweep")
      throw Error(ErrorKind::usage, axis.place, "'" + axis.key + "' in " + owner_ + " is no key of " + of)
          .hint(nearest_and_all(first, keys_of(kind_.schema), "keys of " + of))
          .hint(std::string("parts are joined by dots: ") + example);
    if (expect_list(axis.value, "'" + axis.key + "' in " + owner_, example).as_list().empty())
      throw Error(ErrorKind::usage, axis.value.place, "'" + axis.key + "' in " + owner_ + " has no values");
  }

  JsonMember with(JsonMember out, const JsonMember& axis, const Json& value) const {
    if (value.is_null() || value.is_list() || value.is_object())
      throw Error(ErrorKind::usage, value.place,
                  "'" + axis.key + "' in " + owner_ + " takes numbers, strings, true and false, found the " + value.type_name() +
                      " " + shortened(value.text()))
          .hint("the value becomes part of " + kind_.article + " " + kind_.noun + "'s name; for anything else write the " +
                kind_.noun + "s one by one");
    std::string text = value.is_string() ? value.as_string() : value.text();
    std::erase(text, '+');  // 1e+20
    out.key += "-" + axis.key.substr(axis.key.rfind('.') + 1) + text;
    check_name(out.key, value.place, kind_.article + " " + kind_.noun);
    set_at(out.value, axis.key, value, axis.place);
    return out;
  }

  const Sweepable& kind_;
  const JsonMember& given_;
  const Json& sweep_;
  std::string owner_;
};

// A swept arm's name in a probe's "arms" means all that took its place.
void expand_probes(Json& probes, const Swept& swept) {
  for (Json& probe : probes.as_list()) {
    Json* arms = probe.is_object() ? probe.find("arms") : nullptr;
    if (!arms || !arms->is_list()) continue;
    Json::List out;
    for (const Json& name : arms->as_list()) {
      const auto found = name.is_string() ? swept.find(name.as_string()) : swept.end();
      if (found == swept.end()) {
        out.push_back(name);
        continue;
      }
      for (const std::string& each : found->second) {
        out.emplace_back(each);
        out.back().place = name.place;
      }
    }
    arms->as_list() = std::move(out);
  }
}

Swept expand(Json& manifest, const char* key, const Sweepable& kind) {
  Swept swept;
  Json* given = manifest.find(key);
  if (!given || !given->is_object()) return swept;
  Json::Object out;
  const auto add = [&](JsonMember one) {
    for (const JsonMember& other : out)
      if (other.key == one.key)
        throw Error(ErrorKind::usage, one.place,
                    "there are two " + kind.noun + "s '" + one.key + "', the other at " + other.place.text() +
                        "; a sweep makes one of them");
    out.push_back(std::move(one));
  };
  for (const JsonMember& one : given->as_object()) {
    const Json* sweep = one.value.is_object() ? one.value.find("sweep") : nullptr;
    if (!sweep || sweep->is_null()) {
      add(one);
      continue;
    }
    std::vector<std::string>& names = swept[one.key];
    for (JsonMember& each : Sweep(kind, one, *sweep).all()) {
      names.push_back(each.key);
      add(std::move(each));
    }
  }
  given->as_object() = std::move(out);
  return swept;
}

}  // namespace

Swept expand_sweeps(Json& manifest) {
  expand(manifest, "bases", {"a", "base", schema_of<BaseKeys>()});
  Swept swept = expand(manifest, "arms", {"an", "arm", schema_of<ArmKeys>()});
  if (Json* probes = manifest.find("probes"); probes && probes->is_list()) expand_probes(*probes, swept);
  return swept;
}

}  // namespace khost
