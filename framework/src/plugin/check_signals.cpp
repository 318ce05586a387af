#include "plugin/check_signals.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "plugin/record_names.hpp"
#include "plugin/signal_table.hpp"

namespace khost {
namespace {

std::vector<std::string_view> names_of(const auto& table) {
  std::vector<std::string_view> names;
  for (const auto& row : table) names.push_back(row.name);
  return names;
}

template <class Names>
Error unknown(const Place& place, const std::string& message, std::string_view name, const Names& names, const char* what) {
  Error error(ErrorKind::plugin, place, message);
  if (const std::string near = did_you_mean(name, names); !near.empty()) error.hint(near);
  return error.hint(fmt::format("the {}: {}", what, fmt::join(names, ", ")));
}

bool is_one_of(std::string_view name, const auto& names) { return std::find(names.begin(), names.end(), name) != names.end(); }

void check_needs(const Signals& signals, std::string_view owner, const Place& place) {
  for (const Signals::Need& need : signals.needs) {
    if (!find_signal(need.name))
      throw unknown(place, fmt::format("{} needs the signal '{}', which nothing provides", owner, need.name), need.name,
                    names_of(known_signals()), "signals")
          .hint("`khost inspect --signals` says what each holds");
    constexpr std::string_view base = "basis.";
    if (!need.name.starts_with(base)) continue;
    const std::string kind = need.name.substr(base.size());
    const auto ranked = [&](const auto& each) { return each.first == kind; };
    if (std::none_of(signals.bases.begin(), signals.bases.end(), ranked))
      throw Error(ErrorKind::plugin, place,
                  fmt::format("{} needs the signal '{}' without saying how many dims of it", owner, need.name))
          .hint(fmt::format("write need_basis(\"{}\", RANK) in its declare(), instead of need()", kind));
  }
}

void check_policy(const Signals& signals, std::string_view owner, bool policy, const Place& place) {
  const std::vector<std::string_view> changeable = names_of(changeable_things());
  for (const std::string& thing : signals.modifies)
    if (policy && !is_one_of(thing, changeable))
      throw unknown(place, fmt::format("{} declares that it changes '{}', which nothing allows", owner, thing), thing, changeable,
                    "things a policy can change");
  if (policy) return;
  if (!signals.reads.empty())
    throw Error(ErrorKind::plugin, place,
                fmt::format("{} declares that it reads '{}' of another arm, but only a policy may", owner, signals.reads[0]));
  if (!signals.modifies.empty())
    throw Error(ErrorKind::plugin, place,
                fmt::format("{} declares that it changes '{}', but only a policy may", owner, signals.modifies[0]));
}

// A null that is of no record says nothing to anybody; most often the record was renamed.
void check_nulls(const Signals& signals, std::string_view owner, const Place& place) {
  std::vector<std::string_view> names;
  for (const Signals::Emit& emit : signals.emits) names.push_back(emit.name);
  for (const Signals::Null& null : signals.nulls) {
    const auto meets = [&](std::string_view name) { return patterns_meet(null.record, name); };
    if (null.record == "*" || std::any_of(names.begin(), names.end(), meets)) continue;
    Error error(ErrorKind::plugin, place,
                fmt::format("{} declares {}null of '{}', a record that it does not emit", owner, null.drawn ? "the " : "no_",
                            null.record));
    if (const std::string near = did_you_mean(null.record, names); !near.empty()) error.hint(near);
    throw error.hint(names.empty() ? "it emits no record" : fmt::format("it emits {}", fmt::join(names, ", ")));
  }
}

}  // namespace

void check_signals(const Signals& signals, std::string_view owner, bool policy, const Place& place) {
  check_needs(signals, owner, place);
  check_policy(signals, owner, policy, place);
  check_nulls(signals, owner, place);
}

}  // namespace khost
