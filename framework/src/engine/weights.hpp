// A model's tensors: drawn, loaded, saved, and picked by name.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "khost/model.hpp"
#include "khost/safetensors.hpp"
#include "khost/tensor.hpp"

namespace khost {

struct Weights {
  std::vector<Parameter> parameters;  // the model's, in its order
  std::vector<Tensor> values;         // one each
};

// Each tensor from its own stream (seed, name, "init"), so that one model's tensors do not depend on another's.
Weights draw_weights(const std::vector<Parameter>& parameters, std::uint64_t seed);

// Throws a usage Error for a missing, extra or mis-shaped tensor.
void expect_tensors(const SafetensorsFile& file, const std::vector<Parameter>& parameters);

// Throws as expect_tensors().
Weights load_weights(const std::vector<Parameter>& parameters, const SafetensorsFile& file);
void save_weights(const Weights& weights, const std::string& path, const std::map<std::string, std::string>& metadata);

}  // namespace khost
