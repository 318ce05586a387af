// What a trial trained, as files for other programs: safetensors, and PEFT's folder.
#pragma once

#include <string>
#include <vector>

#include "engine/trained.hpp"
#include "engine/weights.hpp"
#include "manifest/experiment.hpp"

namespace khost {

// Arrays of one file, in its order, and what they are views of.
struct ExportedArrays {
  std::vector<NamedArray> arrays;
  std::vector<Tensor> made;  // those that belong to nobody else; moving this keeps them
};

// NAME/U [m, K], NAME/V [n, K], NAME/alpha as the core has it, and where C is neither diag(alpha) nor alpha itself NAME/C [K, K]:
// dW = U C V'. Of an adapter that is written in operations its tensors, NAME/A. The trial outlives it. Throws a usage Error where
// the trial has no adapter, or trained weights beside it.
ExportedArrays factors_of(const TrainedTrial& trial);

// The model's parameters by their names, with all that training changed. The trial outlives it.
ExportedArrays merged_of(const TrainedTrial& trial);
// Likewise of a base as it is. The weights outlive it.
ExportedArrays base_of(const Weights& base);
// "tokens" and "targets" [B, T], i32: the trial's own batch, which its final loss is of. The trial outlives it.
ExportedArrays batch_of(const TrainedTrial& trial);

// PEFT's LoRA: for each matrix dW = lora_alpha / r * B A.
struct PeftAdapter {
  ExportedArrays tensors;  // adapter_model.safetensors
  Json config;             // adapter_config.json
};
// What PEFT has for U C V', for the plugin lora, and for dora but on an embedding. `embeddings`: the parameters whose rows tokens
// pick. The trial outlives it. Throws a usage Error with the reason where PEFT has no counterpart.
PeftAdapter peft_of(const TrainedTrial& trial, const Arm& arm, const std::vector<std::string>& embeddings);

// The parameters of a model that tokens pick rows of, by the operations of its forward pass.
std::vector<std::string> embeddings_of(const Model& model, const std::vector<Parameter>& parameters, std::int64_t sequence);

}  // namespace khost
