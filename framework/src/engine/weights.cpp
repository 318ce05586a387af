#include "engine/weights.hpp"

#include <algorithm>
#include <set>

#include "khost/error.hpp"
#include "khost/random.hpp"
#include "khost/safetensors.hpp"

namespace khost {

Weights draw_weights(const std::vector<Parameter>& parameters, std::uint64_t seed) {
  Weights weights{parameters, {}};
  for (const Parameter& p : parameters) {
    Tensor& value = weights.values.emplace_back(p.shape);
    if (p.init == Init::normal) Random(seed, p.name, "init").normal(value.span(), p.sd);
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

Weights load_weights(const std::vector<Parameter>& parameters, const SafetensorsFile& file) {
  expect_tensors(file, parameters);
  Weights weights{parameters, {}};
  for (const Parameter& p : parameters)
    std::ranges::copy(file.get(p.name, p.shape).f32(), weights.values.emplace_back(p.shape).data());
  return weights;
}

void save_weights(const Weights& weights, const std::string& path, const std::map<std::string, std::string>& metadata) {
  std::vector<NamedArray> arrays;
  for (std::size_t i = 0; i < weights.values.size(); ++i)
    arrays.push_back({weights.parameters[i].name, weights.values[i].view()});
  write_safetensors(path, arrays, metadata);
}

}  // namespace khost
