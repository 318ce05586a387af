#include "onednn.hpp"

#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "../blas.hpp"

namespace khost::onednn {
namespace {

using Attributes = Handle<dnnl_primitive_attr_t, dnnl_primitive_attr_destroy>;
using PostOps = Handle<dnnl_post_ops_t, dnnl_post_ops_destroy>;
using Description = Handle<dnnl_primitive_desc_t, dnnl_primitive_desc_destroy>;

constexpr bool ok(dnnl_status_t status) { return status == dnnl_success; }

std::unique_ptr<float[], void (*)(void*)> allocate(std::size_t bytes) {
  constexpr std::size_t line = 64;
  return {static_cast<float*>(std::aligned_alloc(line, (bytes + line - 1) / line * line)), std::free};
}

// An array of floats whose rows are ld apart, seen as rows x cols, or its transpose.
dnnl_memory_desc_t strided(std::int64_t rows, std::int64_t cols, std::int64_t ld, bool transpose) {
  dnnl_memory_desc_t md{};
  const dnnl_dims_t dims{rows, cols}, strides{transpose ? 1 : ld, transpose ? ld : 1};
  dnnl_memory_desc_init_by_strides(&md, 2, dims, dnnl_f32, strides);
  return md;
}

Description describe(dnnl_engine_t engine, const dnnl_memory_desc_t& a, const dnnl_memory_desc_t& b, const dnnl_memory_desc_t& c,
                     float alpha, float beta) {
  Description out;
  Attributes attributes;
  dnnl_matmul_desc_t operation;
  if (!ok(dnnl_primitive_attr_create(&attributes.value)) || !ok(dnnl_matmul_desc_init(&operation, &a, &b, nullptr, &c)))
    return out;
  dnnl_primitive_attr_set_scratchpad_mode(attributes.value, dnnl_scratchpad_mode_user);
  dnnl_primitive_attr_set_fpmath_mode(attributes.value, dnnl_fpmath_mode_strict);  // whatever DNNL_DEFAULT_FPMATH_MODE says
  if (alpha != 1) dnnl_primitive_attr_set_output_scales(attributes.value, 1, 0, &alpha);
  if (beta != 0) {
    PostOps post;
    if (!ok(dnnl_post_ops_create(&post.value)) || !ok(dnnl_post_ops_append_sum(post.value, beta)) ||
        !ok(dnnl_primitive_attr_set_post_ops(attributes.value, post.value)))
      return out;
  }
  dnnl_primitive_desc_t made = nullptr;
  if (!ok(dnnl_primitive_desc_create(&made, &operation, attributes.value, engine, nullptr))) return out;
  out.value = made;
  const char* implementation = nullptr;
  dnnl_primitive_desc_query(made, dnnl_query_impl_info_str, 0, &implementation);
  if (implementation && std::strncmp(implementation, "ref", 3) == 0) {  // correct, but far slower than the host's own kernel
    dnnl_primitive_desc_destroy(made);
    out.value = nullptr;
  }
  return out;
}

bool attach(Memory& memory, const dnnl_memory_desc_t& md, dnnl_engine_t engine) {
  return ok(dnnl_memory_create(&memory.value, &md, engine, DNNL_MEMORY_NONE));
}

void point(const Memory& memory, const float* values) {
  dnnl_memory_set_data_handle(memory.value, const_cast<float*>(values));  // inputs are not written to
}

// The rows that stand for all when a weight's layout is asked for: about one sequence.
constexpr std::int64_t rows_of_layout = 128;
constexpr std::size_t most_products = 2048;  // a step has about a hundred; what makes more is not one

}  // namespace

Multiplier::Multiplier(std::int32_t threads) : threads_(threads), scratch_(nullptr, std::free) {
  if (ok(dnnl_engine_create(&engine_.value, dnnl_cpu, 0)))
    dnnl_stream_create(&stream_.value, engine_.value, dnnl_stream_default_flags);
}

bool Multiplier::reserve_scratch(std::size_t bytes) {
  if (bytes <= scratch_bytes_) return true;
  auto larger = allocate(bytes);
  if (!larger) return false;  // what the products made so far need is still there
  scratch_ = std::move(larger);
  scratch_bytes_ = bytes;
  return true;
}

Multiplier::Product Multiplier::make(const Key& key, const Packed* packed) {
  Product product;
  const dnnl_memory_desc_t a = strided(key.m, key.k, key.lda, key.transpose_a);
  const dnnl_memory_desc_t b = packed ? packed->layout : strided(key.k, key.n, key.ldb, key.transpose_b);
  const dnnl_memory_desc_t c = strided(key.m, key.n, key.ldc, false);
  const Description description = describe(engine_.value, a, b, c, key.alpha, key.beta);
  if (!description.value) return product;
  const dnnl_memory_desc_t* scratch = dnnl_primitive_desc_query_md(description.value, dnnl_query_scratchpad_md, 0);
  if (!reserve_scratch(scratch ? dnnl_memory_desc_get_size(scratch) : 0) || !attach(product.a, a, engine_.value) ||
      !attach(product.b, b, engine_.value) || !attach(product.c, c, engine_.value) ||
      (scratch && scratch->ndims && !attach(product.scratch, *scratch, engine_.value)))
    return product;
  dnnl_primitive_create(&product.primitive.value, description.value);
  return product;
}

bool Multiplier::multiply(const khost_gemm& g, const Packed* packed) {
  if (g.k <= 0) return false;
  blas::follow_threads(threads_);
  const Key key{
      g.m,     g.n,   g.k, g.lda, packed ? 0 : g.ldb, g.ldc, g.transpose_a, packed ? 0 : g.transpose_b, packed != nullptr,
      g.alpha, g.beta};
  auto found = products_.find(key);
  if (found == products_.end()) {
    if (products_.size() >= most_products) products_.clear();
    found = products_.emplace(key, make(key, packed)).first;
  }
  const Product& product = found->second;
  if (!product.primitive.value) return false;
  point(product.a, g.a);
  point(product.b, packed ? packed->values.get() : g.b);
  point(product.c, g.c);
  dnnl_exec_arg_t arguments[4] = {
      {DNNL_ARG_SRC, product.a.value}, {DNNL_ARG_WEIGHTS, product.b.value}, {DNNL_ARG_DST, product.c.value}, {}};
  int count = 3;
  if (product.scratch.value) {
    point(product.scratch, scratch_.get());
    arguments[count++] = {DNNL_ARG_SCRATCHPAD, product.scratch.value};
  }
  return ok(dnnl_primitive_execute(product.primitive.value, stream_.value, count, arguments));
}

std::unique_ptr<Packed> Multiplier::pack(const khost_gemm& g) {
  if (g.k <= 0 || g.n <= 0) return nullptr;
  blas::follow_threads(threads_);
  dnnl_memory_desc_t any{};
  const dnnl_dims_t dims{g.k, g.n};
  dnnl_memory_desc_init_by_tag(&any, 2, dims, dnnl_f32, dnnl_format_tag_any);
  const Description description =
      describe(engine_.value, strided(rows_of_layout, g.k, g.k, false), any, strided(rows_of_layout, g.n, g.n, false), 1, 0);
  if (!description.value) return nullptr;
  const dnnl_memory_desc_t given = strided(g.k, g.n, g.ldb, g.transpose_b);
  const dnnl_memory_desc_t& layout = *dnnl_primitive_desc_query_md(description.value, dnnl_query_weights_md, 0);
  if (dnnl_memory_desc_equal(&given, &layout)) return nullptr;  // nothing to gain
  std::unique_ptr<Packed> packed(new Packed{layout, allocate(dnnl_memory_desc_get_size(&layout))});
  if (!packed->values) return nullptr;

  Memory from, to;
  if (!attach(from, given, engine_.value) || !attach(to, layout, engine_.value)) return nullptr;
  point(from, g.b);
  point(to, packed->values.get());
  Description order;
  Primitive reorder;
  if (!ok(dnnl_reorder_primitive_desc_create(&order.value, &given, engine_.value, &layout, engine_.value, nullptr)) ||
      !ok(dnnl_primitive_create(&reorder.value, order.value)))
    return nullptr;
  const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_FROM, from.value}, {DNNL_ARG_TO, to.value}};
  if (!ok(dnnl_primitive_execute(reorder.value, stream_.value, 2, arguments)) || !ok(dnnl_stream_wait(stream_.value)))
    return nullptr;
  return packed;
}

}  // namespace khost::onednn
