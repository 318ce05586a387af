#include "manifest/sweep.hpp"

#include <algorithm>

#include "core/shown.hpp"
#include "manifest/keys.hpp"
#include "manifest/overlay.hpp"
#include "manifest/parts.hpp"

namespace khost {
namespace {

constexpr const char* example = R"("sweep": {"optimizer.lr": [1e-3, 5e-3]})";
constexpr std::size_t most = 1000;  // arms of one sweep

class Sweep {
 public:
  Sweep(const JsonMember& arm, const Json& sweep) : arm_(arm), sweep_(sweep), owner_("'sweep' of arm '" + arm.key + "'") {}

  Json::Object arms() const {
    if (expect_object(sweep_, owner_, example).as_object().empty())
      throw Error(ErrorKind::usage, sweep_.place, owner_ + " sweeps nothing").hint(std::string("write ") + example);
    JsonMember plain = arm_;
    plain.value.erase("sweep");
    Json::Object out{plain};
    for (const JsonMember& axis : sweep_.as_object()) {
      check(axis);
      Json::Object next;  // the first key varies slowest
      for (const JsonMember& arm : out)
        for (const Json& value : axis.value.as_list()) next.push_back(with(arm, axis, value));
      out = std::move(next);
      if (out.size() > most)
        throw Error(ErrorKind::usage, sweep_.place, owner_ + " makes more than " + std::to_string(most) + " arms");
    }
    return out;
  }

 private:
  void check(const JsonMember& axis) const {
    const std::string first = axis.key.substr(0, axis.key.find('.'));
    const Schema arm = schema_of<ArmKeys>();
    if (!arm.find(first) || first == "sweep")
      throw Error(ErrorKind::usage, axis.place, "'" + axis.key + "' in " + owner_ + " is no key of an arm")
          .hint(nearest_and_all(first, keys_of(arm), "keys of an arm"))
          .hint(std::string("parts are joined by dots: ") + example);
    if (expect_list(axis.value, "'" + axis.key + "' in " + owner_, example).as_list().empty())
      throw Error(ErrorKind::usage, axis.value.place, "'" + axis.key + "' in " + owner_ + " has no values");
  }

  JsonMember with(JsonMember arm, const JsonMember& axis, const Json& value) const {
    if (value.is_null() || value.is_list() || value.is_object())
      throw Error(ErrorKind::usage, value.place,
                  "'" + axis.key + "' in " + owner_ + " takes numbers, strings, true and false, found the " + value.type_name() +
                      " " + shortened(value.text()))
          .hint("the value becomes part of an arm's name; for anything else write the arms one by one");
    std::string text = value.is_string() ? value.as_string() : value.text();
    std::erase(text, '+');  // 1e+20
    arm.key += "-" + axis.key.substr(axis.key.rfind('.') + 1) + text;
    check_name(arm.key, value.place, "an arm");
    set_at(arm.value, axis.key, value, axis.place);
    return arm;
  }

  const JsonMember& arm_;
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

}  // namespace

Swept expand_sweeps(Json& manifest) {
  Swept swept;
  Json* arms = manifest.find("arms");
  if (!arms || !arms->is_object()) return swept;
  Json::Object out;
  const auto add = [&](JsonMember arm) {
    for (const JsonMember& other : out)
      if (other.key == arm.key)
        throw Error(ErrorKind::usage, arm.place,
                    "there are two arms '" + arm.key + "', the other at " + other.place.text() + "; a sweep makes one of them");
    out.push_back(std::move(arm));
  };
  for (const JsonMember& arm : arms->as_object()) {
    const Json* sweep = arm.value.is_object() ? arm.value.find("sweep") : nullptr;
    if (!sweep || sweep->is_null()) {
      add(arm);
      continue;
    }
    std::vector<std::string>& names = swept[arm.key];
    for (JsonMember& each : Sweep(arm, *sweep).arms()) {
      names.push_back(each.key);
      add(std::move(each));
    }
  }
  arms->as_object() = std::move(out);
  if (Json* probes = manifest.find("probes"); probes && probes->is_list()) expand_probes(*probes, swept);
  return swept;
}

}  // namespace khost
