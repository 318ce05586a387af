// The operations, one file each.
#pragma once

#include <memory>

#include "graph/op.hpp"

namespace khost {

std::unique_ptr<Op> make_embedding();
std::unique_ptr<Op> make_add_positions();
std::unique_ptr<Op> make_linear();
std::unique_ptr<Op> make_layer_norm(float eps);
std::unique_ptr<Op> make_causal_attention(std::int64_t heads);
std::unique_ptr<Op> make_gelu();
std::unique_ptr<Op> make_add();
std::unique_ptr<Op> make_head();

}  // namespace khost
