// What a trial reads: its own batch, those that follow where each step has one, and windows it is measured on.
#pragma once

#include <map>
#include <vector>

#include "engine/batches.hpp"
#include "khost/state.hpp"

namespace khost {

class TrialText {
 public:
  // Throws a usage Error when the text is too short. Data and spec outlive it.
  TrialText(const Data& data, const DataSpec& spec, const std::vector<Part>& reads, std::uint64_t seed);
  TrialText(const TrialText&) = delete;  // signals point into it

  const Batch& first() const { return first_; }      // the trial's own: its losses are measured on it
  const Batch& current() const { return current_; }  // of this step; its arrays stay where they are
  void next();                                       // another one where data are fresh, else the same
  Batch draw(Random& windows) const;                 // of the training part

  void state(State& s) { s(fresh_, current_.tokens, current_.targets); }  // of a checkpoint

  const WindowSet& windows(Part part);  // that the arm's losses are measured on; made when they are first asked for
  const DataSpec& spec() const { return spec_; }

 private:
  const Data& data_;
  const DataSpec& spec_;
  Random fresh_;
  Batch first_, current_;
  std::map<Part, WindowSet> windows_;
};

}  // namespace khost
