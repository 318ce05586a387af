#include "engine/weights.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "khost/error.hpp"
#include "khost/random.hpp"
#include "khost/safetensors.hpp"

namespace khost {

Weights shared(OwnWeights own) {
  const auto tensors = std::make_shared<const std::vector<Tensor>>(std::move(own.values));
  Weights weights{std::move(own.parameters), {}, {tensors}};
  for (const Tensor& t : *tensors) weights.values.push_back(t.span());
  return weights;
}

OwnWeights draw_weights(const std::vector<Parameter>& parameters, std::uint64_t seed) {
  OwnWeights weights{parameters, {}};
  for (const Parameter& p : parameters) {
    Tensor& value = weights.values.emplace_back(p.shape);
    if (p.init == Init::normal) Random(seed, p.name, "init").normal(value.span(), p.sd);
    if (p.init == Init::uniform) {
      Random random(seed, p.name, "init");
      for (float& w : value.span()) w = static_cast<float>(std::sqrt(3.0) * p.sd * (2 * random.uniform() - 1));
    }
    if (p.init == Init::ones) std::ranges::fill(value.span(), 1.0f);
  }
  return weights;
}

void expect_tensors(const SafetensorsFile& file, const std::vector<Parameter>& parameters) {
  std::set<std::string> known;
  for (const Parameter& p : parameters) {
    file.get(p.name, p.shape).f32();
    known.insert(p.name);
  }
  for (const std::string& name : file.names())
    if (!known.contains(name)) {
      Error error(ErrorKind::usage, file.path() + " holds the tensor '" + name + "', which this model does not have");
      if (const std::string near = did_you_mean(name, known); !near.empty()) error.hint(near);
      throw error;
    }
}

Weights load_weights(const std::vector<Parameter>& parameters, std::shared_ptr<const SafetensorsFile> file) {
  expect_tensors(*file, parameters);
  Weights weights{parameters, {}, {}};
  bool as_it_is = false;
  for (const Parameter& p : parameters) {
    const std::span<const float> there = file->get(p.name, p.shape).f32();
    if (reinterpret_cast<std::uintptr_t>(there.data()) % 64 == 0) {
      weights.values.push_back(there);
      as_it_is = true;
      continue;
    }
    auto copy = std::make_shared<Tensor>(p.shape);
    std::ranges::copy(there, copy->data());
    weights.values.push_back(std::as_const(*copy).span());
    weights.in.push_back(std::move(copy));
  }
  if (as_it_is) weights.in.push_back(std::move(file));
  return weights;
}

void save_weights(const Weights& weights, const std::string& path, const std::map<std::string, std::string>& metadata) {
  std::vector<NamedArray> arrays;
  for (std::size_t i = 0; i < weights.values.size(); ++i)
    arrays.push_back({weights.parameters[i].name, {DType::f32, weights.values[i].data(), weights.parameters[i].shape}});
  write_safetensors(path, arrays, metadata);
}

}  // namespace khost
