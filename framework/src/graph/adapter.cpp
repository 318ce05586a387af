#include "khost/adapter.hpp"

#include <algorithm>
#include <cctype>

#include "core/shown.hpp"
#include "khost/error.hpp"

namespace khost {

Adapter::~Adapter() = default;

AdapterTensors& AdapterTensors::train(std::string_view name, Shape shape, Start start) {
  const auto fits = [](unsigned char c) { return std::isalnum(c) || c == '_' || c == '-'; };
  if (name.empty() || name.size() > 64 || !std::ranges::all_of(name, fits))
    throw Error(ErrorKind::plugin, "an adapter's tensor cannot be called '" + printable(name) + "'")
        .hint("a name is made of letters, digits, '_' and '-', at most 64 of them");
  if (std::ranges::find(all_, name, &Tensor::name) != all_.end())
    throw Error(ErrorKind::plugin, "the adapter has two tensors called '" + std::string(name) + "'");
  if (element_count(shape) < 1)
    throw Error(ErrorKind::plugin, "the adapter's tensor '" + std::string(name) + "' is empty: " + text_of(shape));
  all_.push_back({std::string(name), std::move(shape), std::move(start)});
  return *this;
}

}  // namespace khost
