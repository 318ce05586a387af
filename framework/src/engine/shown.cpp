#include "engine/shown.hpp"

#include <algorithm>
#include <string>

#include "khost/error.hpp"

namespace khost {
namespace {

class Shown {
 public:
  Shown(std::string_view name, const Signal& signal) : name_(name), signal_(signal) {}

  // Exactly these, in this order.
  void next(const std::string& array, const Shape& shape) {
    if (at_ == signal_.size()) fail("has no array '" + array + "'");
    const NamedArray& found = signal_[at_++];
    if (found.name != array) fail("has the array '" + found.name + "' where the host shows '" + array + "'");
    has_shape(found, shape);
  }
  // Columns of the array that comes next, from `least` to `most`.
  std::int64_t width(std::int64_t least, std::int64_t most) const {
    if (at_ == signal_.size() || signal_[at_].array.shape.size() != 2) return least;
    return std::clamp(signal_[at_].array.shape[1], least, most);
  }
  void end() const {
    if (at_ < signal_.size()) fail("has the array '" + signal_[at_].name + "', which the host does not show");
  }
  // One of those it has.
  void has(const std::string& array, const Shape& shape) const {
    const auto found = std::find_if(signal_.begin(), signal_.end(), [&](const NamedArray& a) { return a.name == array; });
    if (found == signal_.end()) fail("has no array '" + array + "'");
    has_shape(*found, shape);
  }
  void tokens(const TrialInfo& trial) const {
    if (signal_.size() != 1 || signal_[0].array.dtype != DType::i32 || signal_[0].array.shape.size() != 2)
      fail("is one array [B, T] of i32");
    if (trial.batch > 0 && signal_[0].array.shape != Shape{trial.batch, trial.sequence})
      fail("is an array " + text_of(signal_[0].array.shape) + ", the trial's is " + text_of(Shape{trial.batch, trial.sequence}));
  }
  void rows(std::int64_t rows) const {
    for (const NamedArray& a : signal_)
      if (a.array.shape.size() != 2 || a.array.shape[0] != rows)
        fail("has '" + a.name + "' of shape " + text_of(a.array.shape) + " where the host shows a row for each token, of " +
             std::to_string(rows));
  }
  const Signal& signal() const { return signal_; }

 private:
  void has_shape(const NamedArray& array, const Shape& shape) const {
    if (array.array.dtype != DType::f32) fail("has '" + array.name + "' in another type than f32");
    if (array.array.shape != shape)
      fail("has '" + array.name + "' of shape " + text_of(array.array.shape) + " where the host shows " + text_of(shape));
  }
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorKind::plugin, "the signal '" + std::string(name_) + "' " + what);
  }

  std::string_view name_;
  const Signal& signal_;
  std::size_t at_ = 0;
};

}  // namespace

void check_shown(std::string_view name, const Signal& signal, const TrialInfo& trial, std::int64_t rank) {
  Shown shown(name, signal);
  if (name == "loss") {
    shown.next("loss", {});
  } else if (name == "tokens" || name == "targets") {
    return shown.tokens(trial);
  } else if (name.starts_with("activation")) {  // whatever the model exposes
    return shown.rows(checked_product({trial.batch, trial.sequence}));
  } else if (name.starts_with("adapter")) {  // whatever the adapter trains
    return;
  } else if (name == "weights" || name == "weight.grad") {  // others too: of what is trained besides
    for (const AdaptedMatrix& m : trial.matrices) shown.has(m.name, {m.rows, m.cols});
    return;
  } else {
    for (const AdaptedMatrix& m : trial.matrices) {
      // Of a base's own basis at least as many as were asked: another probe may have asked for more.
      const std::int64_t K =
          name.starts_with("basis.") ? shown.width(std::min({rank, m.rows, m.cols}), std::min(m.rows, m.cols)) : m.rank;
      if (K == 0) continue;
      if (name.starts_with("basis")) {
        shown.next(m.name + "/U", {m.rows, K});
        shown.next(m.name + "/V", {m.cols, K});
      } else {
        shown.next(m.name, trial.alpha_shape(m));
      }
    }
  }
  shown.end();
}

}  // namespace khost
