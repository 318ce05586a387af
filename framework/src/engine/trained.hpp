// What a trial trained, apart from the trial: for who hands it out (khost export). A trial itself keeps figures alone.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "khost/model.hpp"
#include "khost/probe.hpp"
#include "khost/tensor.hpp"

namespace khost {

// An adaptable matrix W [m, n] with its adapter: either U, V and the core, or the tensors of one that is written in operations.
struct TrainedMatrix {
  struct Written {
    std::string name;  // "A"
    Tensor value;
  };
  AdaptedMatrix matrix;               // with its final rank; K = 0: it carries no adapter, and all below is empty
  Tensor U, V, alpha;                 // [m, K], [n, K], and as the core has it
  std::vector<double> C;              // [K, K], row-major: dW = U C V'
  std::vector<Written> written = {};  // in the adapter's order
};

struct TrainedTrial {
  TrialInfo info;
  std::vector<TrainedMatrix> matrices;        // in the order of TrialInfo::matrices
  std::vector<Parameter> parameters;          // the model's, in its order
  std::vector<Tensor> merged;                 // one each: as trained, with what adapters add
  std::vector<std::string> trained;           // of the parameters that were trained themselves, their names
  std::vector<std::int32_t> tokens, targets;  // the trial's own batch, [B, T]: `final` is of it
  double final = 0;                           // nats
};

}  // namespace khost
