// Paths of records, patterns of names, and predictions: the small languages of claims and adapters.
#include "manifest/record_path.hpp"

#include <charconv>
#include <cmath>
#include <vector>

#include "fuzz.hpp"
#include "khost/json.hpp"
#include "manifest/claims.hpp"
#include "plan/patterns.hpp"

using namespace khost;
using namespace khost::fuzz;

namespace {

void hold_path(std::string_view text) {
  const auto path = parse_record_path(text);
  if (!path) return;
  const std::string again =
      (path->base.empty() ? "" : "@" + path->base + "/") + path->arm + "/" + path->probe + "/" + path->record;
  hold(again == text, "a path's parts make the path", text);
  hold(!path->arm.empty() && !path->probe.empty() && !path->record.empty(), "a path has all its parts", text);
  hold(path->arm.find('/') == std::string::npos && path->probe.find('/') == std::string::npos, "only a record has a /", text);
}

// By the definition, in time that only short texts allow.
bool fits(std::string_view pattern, std::string_view name) {
  std::vector<std::vector<bool>> fit(pattern.size() + 1, std::vector<bool>(name.size() + 1));
  fit[0][0] = true;
  for (std::size_t p = 1; p <= pattern.size(); ++p)
    for (std::size_t n = 0; n <= name.size(); ++n)
      fit[p][n] = pattern[p - 1] == '*' ? fit[p - 1][n] || (n > 0 && fit[p][n - 1])
                                        : n > 0 && fit[p - 1][n - 1] && pattern[p - 1] == name[n - 1];
  return fit[pattern.size()][name.size()];
}

void hold_patterns(std::string_view a, std::string_view b) {
  hold(patterns_meet(a, b) == patterns_meet(b, a), "patterns meet each other", a);
  hold(a.find('<') != a.npos || patterns_meet(a, a), "a pattern meets itself", a);
  hold(a.find('/') != a.npos || patterns_meet(a, "*"), "* meets what has no /", a);
  Parameter parameter;
  parameter.name = b;
  if (a != "@matrices") hold(name_matches(a, parameter) == fits(a, b), "a name pattern fits by its definition", a);
}

void hold_prediction(std::string_view text) {
  const auto number = [](double value) { return Json(value).text(); };
  try {
    const Prediction p = parse_prediction(std::string(text), {"m", 1, 1});
    hold(p.low <= p.high, "a prediction does not end before it begins", text);
    const std::string again = std::isinf(p.low)    ? "< " + number(p.high)
                              : std::isinf(p.high) ? "> " + number(p.low)
                                                   : "in [" + number(p.low) + ", " + number(p.high) + "]";
    const Prediction q = parse_prediction(again, {"m", 1, 1});
    hold(q.low == p.low && q.high == p.high, "a prediction reads back as the same", again);
  } catch (const Error& e) {
    hold_message(e, true);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest = text_of(data, size);
  const std::string_view a = take(rest, "\n"), b = take(rest, "\n");
  hold_path(a);
  if (a.size() <= 48 && b.size() <= 48) hold_patterns(a, b);  // in quadratic time
  hold_prediction(rest);
  Component probe;
  probe.plugin = "snr";
  probe.name = size % 2 ? "snr" : "other";
  const RecordName name = record_name(probe, a);
  hold(!name.probe.empty() || a.starts_with("/"), "a record stands under a probe", a);
  return 0;
}
