#include "khost/signal.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/unit.hpp"
#include "khost/error.hpp"
#include "plugin/record_names.hpp"

namespace khost {

bool When::includes(std::int64_t step) const {
  if (step < 0) return false;
  if (period > 0 && step % period == 0) return true;
  return std::find(steps.begin(), steps.end(), step) != steps.end();
}

When every(std::int64_t period) {
  if (period < 1) throw Error(ErrorKind::plugin, fmt::format("every({}): the period is at least 1", period));
  return {period, {}};
}

When at(std::vector<std::int64_t> steps) {
  std::sort(steps.begin(), steps.end());
  steps.erase(std::unique(steps.begin(), steps.end()), steps.end());
  if (!steps.empty() && steps.front() < 0)
    throw Error(ErrorKind::plugin, fmt::format("at(): there is no step {}; the first is 0", steps.front()));
  return {0, std::move(steps)};
}

Signals& Signals::need(std::string_view signal, When when) {
  if (signal.empty()) throw Error(ErrorKind::plugin, "need(): the signal has no name");
  needs.push_back({std::string(signal), std::move(when)});
  return *this;
}

Signals& Signals::need_basis(std::string_view kind, std::int64_t rank, When when) {
  if (kind != "svd" && kind != "random")
    throw Error(ErrorKind::plugin, fmt::format("need_basis(): there is no basis '{}' of a base", kind)).hint("svd or random");
  if (rank < 1) throw Error(ErrorKind::plugin, fmt::format("need_basis(): a rank of {}; the least is 1", rank));
  bases.emplace_back(kind, rank);
  return need("basis." + std::string(kind), std::move(when));
}

Signals& Signals::read(std::string_view path) {
  reads.emplace_back(path);
  return *this;
}

Signals& Signals::emit(std::string_view record, std::string_view unit, std::string_view doc) {
  if (const std::string fault = fault_of_name(record, NameForm::declared); !fault.empty())
    throw Error(ErrorKind::plugin, fmt::format("emit(): '{}' is not a record's name: {}", record, fault))
        .hint("for example \"drift/<group>\": letters, digits, '_', '.' and '-', parts between '/', and <> for what varies");
  if (!Unit::parse(unit)) {
    Error error(ErrorKind::plugin, fmt::format("emit(): the unit of '{}' is '{}', which khost does not know", record, unit));
    if (const std::string near = did_you_mean(unit, Unit::names()); !near.empty()) error.hint(near);
    throw error.hint(fmt::format("units: 1 (a bare number), {}", fmt::join(Unit::names(), ", ")))
        .hint("with powers and one quotient: \"nats^2\", \"nats / 10^4 parameters\"");
  }
  for (const Emit& other : emits)
    if (other.name == record) throw Error(ErrorKind::plugin, fmt::format("emit(): the record '{}' is declared twice", record));
  emits.push_back({std::string(record), std::string(unit), std::string(doc)});
  return *this;
}

bool matches_record(std::string_view declared, std::string_view name) {
  const std::size_t open = declared.find('<');
  const std::size_t close = open == std::string_view::npos ? open : declared.find('>', open);
  if (close == std::string_view::npos) return declared == name;
  if (name.substr(0, open) != declared.substr(0, open)) return false;
  const std::string_view rest = declared.substr(close + 1);
  for (std::size_t end = open + 1; end <= name.size() && name[end - 1] != '/'; ++end)
    if (matches_record(rest, name.substr(end))) return true;
  return false;
}

namespace {

Signals& add_null(Signals& signals, std::string_view record, bool drawn, std::string_view text, bool fresh_only = false) {
  if (record.empty() || text.empty())
    throw Error(ErrorKind::plugin, fmt::format("the null of '{}' needs a record and a text", record));
  signals.nulls.push_back({std::string(record), drawn, std::string(text), fresh_only});
  return signals;
}

}  // namespace

Signals& Signals::null(std::string_view record, std::string_view model) { return add_null(*this, record, true, model); }
Signals& Signals::null_if_fresh(std::string_view record, std::string_view model) {
  return add_null(*this, record, true, model, true);
}
Signals& Signals::no_null(std::string_view record, std::string_view reason) { return add_null(*this, record, false, reason); }

const Signals::Null* Signals::null_of(std::string_view record) const {
  const Null* all = nullptr;
  for (const Null& n : nulls) {
    if (n.record == "*")
      all = &n;
    else if (n.record == record || matches_record(n.record, record))
      return &n;
  }
  return all;
}

Signals& Signals::evaluations(std::int64_t count, Part part) {
  evaluation_counts.at(static_cast<std::size_t>(part)) += count;
  return *this;
}

Signals& Signals::gradients(std::int64_t count) {
  gradient_count += count;
  return *this;
}

Signals& Signals::decompositions(double count) {
  decomposition_count += count;
  return *this;
}

Signals& Signals::modify(std::string_view what) {
  if (std::find(modifies.begin(), modifies.end(), what) == modifies.end()) modifies.emplace_back(what);
  return *this;
}

const ArrayView& Signal::at(std::string_view name) const {
  for (const NamedArray& each : arrays_)
    if (each.name == name) return each.array;
  std::string names;
  std::vector<std::string> all;
  for (const NamedArray& each : arrays_) {
    names += (names.empty() ? "" : ", ") + each.name;
    all.push_back(each.name);
  }
  const std::string near = did_you_mean(name, all);
  throw Error(ErrorKind::plugin, fmt::format("this signal has no array '{}'{}", name, near.empty() ? "" : "; " + near))
      .hint(names.empty() ? "it has no arrays" : "it has " + names);
}

double Signal::scalar() const {
  if (arrays_.size() != 1 || arrays_[0].array.size() != 1)
    throw Error(ErrorKind::plugin,
                arrays_.size() == 1 ? fmt::format("this signal is an array {}, not one number", text_of(arrays_[0].array.shape))
                                    : fmt::format("this signal has {} arrays, not one number", arrays_.size()));
  const ArrayView& array = arrays_[0].array;
  return array.dtype == DType::i32 ? static_cast<double>(array.i32()[0]) : static_cast<double>(array.f32()[0]);
}

}  // namespace khost
