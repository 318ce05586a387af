#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "compare/shown.hpp"
#include "core/shown.hpp"
#include "report/claim_text.hpp"
#include "report/columns.hpp"
#include "report/text.hpp"

namespace khost {
namespace {

constexpr std::size_t most_records = 12, most_same = 5, most_settings = 12, most_claims = 12, most_named = 8;
constexpr const char* the_rest = "--json and --html FILE have all of it";

void title(std::string& out, const std::string& text, std::size_t width) {
  out += "\n";
  add_lines(out, text, width, "", "  ");
}

// `say` of the first of them, and how many more there are.
template <class Item, class Say>
void add_first(std::string& out, const std::vector<Item>& items, std::size_t most, std::size_t width, Say say) {
  for (std::size_t i = 0; i < std::min(items.size(), most); ++i) say(items[i]);
  if (items.size() > most) add_lines(out, fmt::format("and {} more: {}", items.size() - most, the_rest), width, "  ", "    ");
}

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), most_named); ++i) text += (i ? "; " : "") + shortened(names[i], 300);
  return text + (names.size() > most_named ? fmt::format("; and {} more", names.size() - most_named) : "");
}

void add_run(std::string& out, const ComparedRun& run, const std::string& which, std::size_t width) {
  add_lines(out, fmt::format("{}: {} {}, khost {}, {}", run.folder, run.experiment, run.hash, run.khost, run.environment), width,
            "  " + left(which, 8), std::string(10, ' '));
  const auto lines = [&](const char* what, const std::vector<std::string>& names) {
    if (!names.empty()) add_lines(out, what + listed(names), width, std::string(10, ' '), std::string(12, ' '));
  };
  lines("has alone: ", run.unpaired);
  lines("has not finished: ", run.unfinished);
}

// Those that `wants` picks.
template <class Wants>
std::vector<const ComparedClaim*> claims_of(const Comparison& c, Wants wants) {
  std::vector<const ComparedClaim*> out;
  for (const ComparedClaim& claim : c.claims)
    if (wants(claim)) out.push_back(&claim);
  return out;
}

void add_both_sides(std::string& out, const std::string& heading, const std::vector<const ComparedClaim*>& claims,
                    std::size_t width) {
  if (claims.empty()) return;
  title(out, heading, width);
  add_first(out, claims, most_claims, width, [&](const ComparedClaim* c) {
    add_lines(out, c->id + " on " + c->base + claim_remark(*c), width, "  ", "    ");
    add_lines(out, one_side_text(c->first), width, "    first   ", "      ");
    add_lines(out, one_side_text(c->second), width, "    second  ", "      ");
  });
}

void add_other_claims(std::string& out, const Comparison& c, std::size_t width) {
  const auto same = claims_of(c, [](const ComparedClaim& claim) { return claim.in_both() && !claim.is_changed(); });
  const auto moved = claims_of(c, [](const ComparedClaim& claim) {
    return claim.in_both() && !claim.is_changed() &&
           (claim.is_another_claim() || estimate_text(claim.first) != estimate_text(claim.second));
  });
  if (!same.empty())
    title(out,
          fmt::format("{} the same, {} with the same estimate to the digits shown",
                      counted(static_cast<std::int64_t>(same.size()), "verdict") + (same.size() == 1 ? " is" : " are"),
                      same.size() - moved.size()),
          width);
  add_both_sides(out, "With another estimate:", moved, width);
  std::vector<std::string> alone[2];
  for (const ComparedClaim& claim : c.claims)
    if (!claim.in_both()) alone[claim.first.is_object() ? 0 : 1].push_back(claim.id + " on " + claim.base);
  for (const std::size_t i : {0, 1}) {
    const char* name = i == 0 ? "first" : "second";
    if (!alone[i].empty() && alone[i].size() == c.claims.size())
      title(out, fmt::format("The {} alone has verdicts: {}", name, c.claims.size()), width);
    else if (!alone[i].empty())
      add_lines(out, fmt::format("judged in the {} alone: {}", name, listed(alone[i])), width, "  ", "    ");
  }
}

// A whole arm or probe is not printed: that it is there is all that it says.
std::string contrast_text(const Contrast& s) {
  const auto shown = [](const std::string& value) { return value.starts_with('{') ? "" : ", " + shortened(value, 60); };
  if (s.second.empty()) return "only in the first" + shown(s.first);
  if (s.first.empty()) return "only in the second" + shown(s.second);
  return shortened(s.first, 80) + " against " + shortened(s.second, 80);
}

void add_settings(std::string& out, const std::string& heading, const std::vector<Contrast>& settings, std::size_t width) {
  if (settings.empty()) return;
  title(out, heading, width);
  add_first(out, settings, most_settings, width, [&](const Contrast& s) {
    add_lines(out,
              shortened(s.what, 200) + (s.places > 1 ? fmt::format(" ({} of them)", s.places) : "") + ": " + contrast_text(s),
              width, "  ", "    ");
  });
}

// What an arm is stands with the paired arms.
std::vector<Contrast> manifest_but_arms(const Comparison& c) {
  std::vector<Contrast> out;
  for (const Contrast& s : c.manifest)
    if (c.arms.empty() || !s.what.starts_with("arms.*.")) out.push_back(s);
  return out;
}

std::vector<std::string> cells_of(const ComparedRecord& r) {
  return {difference_text(r.relative),
          difference_text(r.second - r.first),
          at_text(r.largest),
          difference_text(r.difference.mean),
          interval_text(r),
          std::to_string(r.difference.n),
          difference_text(r.largest_by_spread)};
}

// A record's name on a line of its own, its figures below it.
void add_records(std::string& out, const std::vector<const ComparedRecord*>& records, std::size_t width) {
  Columns table(Columns::Align::right);
  table.add({"  ", "relative", "largest", "at", "mean", "95 % interval", "n", "in sd"});
  for (const ComparedRecord* r : records) {
    std::vector<std::string> row = cells_of(*r);
    row.insert(row.begin(), "  ");
    table.add(std::move(row));
  }
  const std::string text = table.text();
  std::size_t at = text.find('\n') + 1;
  out += clipped(text.substr(0, at - 1), width) + "\n";
  for (const ComparedRecord* r : records) {
    const std::size_t end = text.find('\n', at);
    std::string name = record_name(*r);
    if (r->by_step && r->outside)
      name += fmt::format(": {} of {}, from step {} on", grouped(std::to_string(r->outside)), counted(r->points, "point"),
                          r->first_outside->step);
    out += clipped("  " + name, width) + "\n" + clipped(text.substr(at, end - at), width) + "\n";
    at = end + 1;
  }
}

void add_worst(std::string& out, const Comparison& c, std::size_t width) {
  const bool differ = c.count(Sameness::differs) > 0;
  const Sameness shown = differ ? Sameness::differs : Sameness::same;
  std::vector<const ComparedRecord*> worst;
  for (const ComparedRecord& r : c.records)
    if (r.sameness == shown && worst.size() < (differ ? most_records : most_same)) worst.push_back(&r);
  if (worst.empty()) return;
  title(out,
        differ ? "Records that differ, second - first, the worst first:"
               : "The largest differences, all within the tolerance, second - first:",
        width);
  add_records(out, worst, width);
  if (const auto more = static_cast<std::size_t>(c.count(shown)) - worst.size())
    add_lines(out, fmt::format("and {} more: {}", more, the_rest), width, "  ", "    ");
}

// By probe, as mostly it is a probe that only one of the runs has.
void add_partial(std::string& out, const Comparison& c, std::size_t width) {
  std::map<std::pair<std::string, std::string>, int> counts;  // by probe and where it is
  int all = 0;
  for (const ComparedRecord& r : c.records) {
    if (!r.is_partial()) continue;
    ++all;
    ++counts[{r.probe, r.only_second == 0 ? "the first" : r.only_first == 0 ? "the second" : "one or the other"}];
  }
  if (all == 0) return;
  std::vector<std::string> names;
  for (const auto& [name, count] : counts)
    names.push_back(fmt::format("{} of {} in {}", grouped(std::to_string(count)), name.first, name.second));
  title(out, fmt::format("{} of paired trials, or points of them, stand in one run alone:", counted(all, "record")), width);
  add_lines(out, listed(names), width, "  ", "    ");
}

}  // namespace

std::string answer_text(const Comparison& c) {
  if (c.compared() == 0)
    return c.pairs == 0 ? "nothing to compare: no trial that is finished in one is finished in the other"
                        : fmt::format("nothing to compare: no record is in both trials of any of {}", counted(c.pairs, "pair"));
  const int all = c.compared(), differ = c.count(Sameness::differs), exact = c.count(Sameness::identical);
  std::string text;
  if (const int changed = c.changed_verdicts()) text = fmt::format("{} changed; ", counted(changed, "verdict"));
  const std::string of = fmt::format("{} of {}", counted(all, "record"), counted(c.pairs, "paired trial"));
  if (differ) {
    const ComparedRecord& worst = c.records.front();
    text += fmt::format("{} of {} ({}), the largest: {}, {:.7g} against {:.7g} at {}", grouped(std::to_string(differ)),
                        of + (differ == 1 ? " differs" : " differ"), c.tolerance.text(), record_name(worst), worst.first,
                        worst.second, at_text(worst.largest));
  } else if (exact == all) {
    text += "same bit for bit: " + of;
  } else {
    text += fmt::format("same within tolerance ({}): {}, {} of them bit for bit", c.tolerance.text(), of,
                        grouped(std::to_string(exact)));
  }
  return text + (c.is_whole() ? "" : "; what one of them has alone is named below");
}

std::string comparison_text(const Comparison& c, std::size_t wanted_width) {
  const std::size_t width = std::max<std::size_t>(wanted_width, 80);
  std::string out;
  add_both_sides(out, "Changed verdicts:", claims_of(c, [](const ComparedClaim& claim) { return claim.is_changed(); }), width);
  if (!c.notes.empty()) out += "\n";
  for (const std::string& note : c.notes) add_lines(out, note, width, "note: ", "  ");
  out += "\n";
  add_run(out, c.first, "first", width);
  add_run(out, c.second, "second", width);
  add_lines(out,
            fmt::format("{}; {} the same one by {} hash", counted(c.pairs, "paired trial"),
                        c.same_hash == 0         ? "none is"
                        : c.same_hash == c.pairs ? "each is"
                                                 : fmt::format("{} are", c.same_hash),
                        c.same_hash == 0 || c.same_hash == c.pairs ? "its" : "their"),
            width, "  ", "    ");
  add_settings(out, "The manifests differ in", manifest_but_arms(c), width);
  add_settings(out, "Paired arms differ in", c.arms, width);
  add_settings(out, "Made with", c.environment, width);
  add_worst(out, c, width);
  add_partial(out, c, width);
  add_other_claims(out, c, width);
  return out + "\n";
}

}  // namespace khost
