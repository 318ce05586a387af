#include "manifest/needs.hpp"

#include <algorithm>

#include "manifest/declared.hpp"
#include "manifest/parts.hpp"

namespace khost {
namespace {

class NeedsCheck {
 public:
  NeedsCheck(const Reading& reading, const std::vector<const ReadArm*>& arms, std::int64_t seeds)
      : reading_(reading), arms_(arms), seeds_(seeds) {
    for (const ReadArm* arm : arms) names_.push_back(arm->arm.name);
  }

  void operator()() {
    for (const ReadArm* arm : arms_) names_and_seeds(arm->arm);
    for (const ReadArm* arm : arms_) circles(arm->arm);
    for (const ReadArm* arm : arms_)
      for (std::size_t i = 0; i < arm->signals.size(); ++i)
        for (const std::string& path : arm->signals[i].reads) read(arm->arm, arm->arm.probes[i], path);
  }

 private:
  const ReadArm& arm(const std::string& name) const {
    return **std::find_if(arms_.begin(), arms_.end(), [&](const ReadArm* a) { return a->arm.name == name; });
  }

  bool is_arm(const std::string& name) const { return std::find(names_.begin(), names_.end(), name) != names_.end(); }

  // Of the i-th name in an arm's "needs".
  static const Place& place(const Arm& arm, std::size_t i) {
    const Json& needs = arm.ArmKeys::needs;
    return needs.is_list() ? needs.as_list().at(i).place : needs.place;
  }

  void names_and_seeds(const Arm& arm) const {
    const std::string owner = "arm '" + arm.name + "'";
    for (std::size_t i = 0; i < arm.needs.size(); ++i) {
      const std::string& name = arm.needs[i];
      if (!is_arm(name)) throw no_arm(reading_, place(arm, i), owner + " needs '" + name + "', but ", name, names_);
      if (name == arm.name) throw Error(ErrorKind::usage, place(arm, i), owner + " needs itself");
      if (std::find(arm.needs.begin(), arm.needs.begin() + static_cast<std::ptrdiff_t>(i), name) !=
          arm.needs.begin() + static_cast<std::ptrdiff_t>(i))
        throw Error(ErrorKind::usage, place(arm, i), owner + " needs '" + name + "' twice");
      const std::int64_t own = seeds_of(arm), theirs = seeds_of(this->arm(name).arm);
      if (theirs < own)
        throw Error(ErrorKind::usage, place(arm, i),
                    owner + " runs with " + std::to_string(own) + " seeds, but '" + name + "', which it needs, with only " +
                        std::to_string(theirs))
            .hint("every trial needs the one of its own seed: give both arms as many \"seeds\"");
    }
  }

  std::int64_t seeds_of(const Arm& arm) const { return std::min(seeds_, arm.seeds.value_or(seeds_)); }

  void circles(const Arm& arm) {
    if (std::find(done_.begin(), done_.end(), arm.name) != done_.end()) return;
    way_.push_back(arm.name);
    for (std::size_t i = 0; i < arm.needs.size(); ++i) {
      const auto before = std::find(way_.begin(), way_.end(), arm.needs[i]);
      if (before != way_.end()) {
        std::string circle;
        for (auto at = before; at != way_.end(); ++at) circle += *at + " needs ";
        throw Error(ErrorKind::usage, place(arm, i), "arms need each other in a circle: " + circle + *before);
      }
      circles(this->arm(arm.needs[i]).arm);
    }
    way_.pop_back();
    done_.push_back(arm.name);
  }

  void read(const Arm& arm, const Component& policy, const std::string& text) const {
    const std::string said = "policy '" + policy.name + "' of arm '" + arm.name + "' reads '" + text + "'";
    const auto path = parse_record_path(text);
    if (!path || !path->base.empty())
      throw Error(ErrorKind::usage, policy.place, said + ", which is not the path of a record")
          .hint("a policy reads ARM/PROBE/RECORD, of its own trial's base and seed");
    if (!is_arm(path->arm)) throw no_arm(reading_, policy.place, said + ", but ", path->arm, names_);
    if (std::find(arm.needs.begin(), arm.needs.end(), path->arm) == arm.needs.end())
      throw Error(ErrorKind::usage, policy.place, said + ", but the arm does not need '" + path->arm + "'")
          .hint("write \"needs\": [\"" + path->arm + "\"] in arm '" + arm.name + "': what it reads has to run before it");
    expect_record(this->arm(path->arm), *path, policy.place, said + ", but ");
  }

  const Reading& reading_;
  const std::vector<const ReadArm*>& arms_;
  std::int64_t seeds_;
  std::vector<std::string> names_, way_, done_;
};

}  // namespace

void check_needs(const Reading& reading, const std::vector<const ReadArm*>& arms, std::int64_t seeds) {
  NeedsCheck(reading, arms, seeds)();
}

}  // namespace khost
