// The K at which an arm stands on an axis of K.
#pragma once

#include <map>
#include <string>

#include "khost/json.hpp"
#include "report/figures.hpp"

namespace khost {

class Ranks {
 public:
  // `manifest`: as resolved, or "" or what is none, and then nothing has a K.
  Ranks(const std::string& manifest, const std::vector<BaseFigures>& bases);

  // The K that the manifest gives all of the arm's matrices; of policies and schedules the one that they had, their mean by
  // parameters, over steps. NaN of an arm without a K.
  double of(const ArmFigures& arm) const;

  // What arms of several K have in common: "K32-fresh" and "K64-fresh" are of "K*-fresh". The arm's name where its own has not
  // its K as a number of its own, or where `K` is not the manifest's.
  std::string family(const std::string& arm, double K) const;

 private:
  std::map<std::string, double> ranks_;  // of the manifest, by arm
  double parameters_of_a_dim_;           // of most arms: adapter parameters / K, the sum of m + n over the adapted matrices
};

}  // namespace khost
