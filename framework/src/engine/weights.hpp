// A model's tensors: drawn, loaded, saved, and picked by name.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "khost/model.hpp"
#include "khost/safetensors.hpp"
#include "khost/tensor.hpp"

namespace khost {

// Copies share what the values are in.
struct Weights {
  std::vector<Parameter> parameters;            // the model's, in its order
  std::vector<std::span<const float>> values;   // one each, at a multiple of 64 bytes
  std::vector<std::shared_ptr<const void>> in;  // what they are in: tensors, a file
};

// To be written to.
struct OwnWeights {
  std::vector<Parameter> parameters;
  std::vector<Tensor> values;  // one each
};
Weights shared(OwnWeights own);

// Each tensor from its own stream (seed, name, "init"), so that one model's tensors do not depend on another's.
OwnWeights draw_weights(const std::vector<Parameter>& parameters, std::uint64_t seed);

// Throws a usage Error for a missing, extra or mis-shaped tensor.
void expect_tensors(const SafetensorsFile& file, const std::vector<Parameter>& parameters);

// The file's own tensors where they start at a multiple of 64 bytes (as in one that khost wrote of such sizes), else copies.
// Throws as expect_tensors().
Weights load_weights(const std::vector<Parameter>& parameters, std::shared_ptr<const SafetensorsFile> file);
void save_weights(const Weights& weights, const std::string& path, const std::map<std::string, std::string>& metadata);

}  // namespace khost
