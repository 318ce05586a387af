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

// An array whose rows are ld elements apart, seen as rows x cols, or its transpose.
dnnl_memory_desc_t strided(std::int64_t rows, std::int64_t cols, std::int64_t ld, bool transpose,
                           dnnl_data_type_t type = dnnl_f32) {
  dnnl_memory_desc_t md{};
  const dnnl_dims_t dims{rows, cols}, strides{transpose ? 1 : ld, transpose ? ld : 1};
  dnnl_memory_desc_init_by_strides(&md, 2, dims, type, strides);
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
constexpr std::int64_t floats_in_line = 16;
constexpr std::size_t most_products = 2048;  // a step has about a hundred; what makes more is not one

}  // namespace

bool Area::reserve(std::size_t bytes) {
  if (bytes <= bytes_) return true;
  auto larger = allocate(bytes);
  if (!larger) return false;
  values_ = std::move(larger);
  bytes_ = bytes;
  return true;
}

Multiplier::Multiplier(std::int32_t threads, Precision of_packed) : threads_(threads), precision_(of_packed) {
  if (ok(dnnl_engine_create(&engine_.value, dnnl_cpu, 0)))
    dnnl_stream_create(&stream_.value, engine_.value, dnnl_stream_default_flags);
}

Primitive Multiplier::reorder(const dnnl_memory_desc_t& from, const dnnl_memory_desc_t& to) const {
  Description order;
  Primitive made;
  if (ok(dnnl_reorder_primitive_desc_create(&order.value, &from, engine_.value, &to, engine_.value, nullptr)))
    dnnl_primitive_create(&made.value, order.value);
  return made;
}

Multiplier::Product Multiplier::make(const Key& key, const Packed* packed) {
  Product product;
  const dnnl_memory_desc_t given = strided(key.m, key.k, key.lda, key.transpose_a);
  const bool rounds = packed && precision_ != Precision::f32;
  const dnnl_memory_desc_t a = rounds ? strided(key.m, key.k, key.k, false, type_of_packed()) : given;
  const dnnl_memory_desc_t b = packed ? packed->layout : strided(key.k, key.n, key.ldb, key.transpose_b);
  const dnnl_memory_desc_t c = strided(key.m, key.n, key.ldc, false);
  const Description description = describe(engine_.value, a, b, c, key.alpha, key.beta);
  if (!description.value) return product;
  const dnnl_memory_desc_t* scratch = dnnl_primitive_desc_query_md(description.value, dnnl_query_scratchpad_md, 0);
  if (!scratch_.reserve(scratch ? dnnl_memory_desc_get_size(scratch) : 0) || !attach(product.a, a, engine_.value) ||
      !attach(product.b, b, engine_.value) || !attach(product.c, c, engine_.value) ||
      (scratch && scratch->ndims && !attach(product.scratch, *scratch, engine_.value)))
    return product;
  if (rounds) {
    product.rounding = reorder(given, a);
    if (!product.rounding.value || !rounded_.reserve(dnnl_memory_desc_get_size(&a)) ||
        !attach(product.given, given, engine_.value))
      return product;
  }
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
  if (product.rounding.value) {
    point(product.given, g.a);
    point(product.a, rounded_.data());
    const dnnl_exec_arg_t rounding[] = {{DNNL_ARG_FROM, product.given.value}, {DNNL_ARG_TO, product.a.value}};
    if (!ok(dnnl_primitive_execute(product.rounding.value, stream_.value, 2, rounding))) return false;
  } else {
    point(product.a, g.a);
  }
  point(product.b, packed ? packed->values.get() : g.b);
  point(product.c, g.c);
  dnnl_exec_arg_t arguments[4] = {
      {DNNL_ARG_SRC, product.a.value}, {DNNL_ARG_WEIGHTS, product.b.value}, {DNNL_ARG_DST, product.c.value}, {}};
  int count = 3;
  if (product.scratch.value) {
    point(product.scratch, scratch_.data());
    arguments[count++] = {DNNL_ARG_SCRATCHPAD, product.scratch.value};
  }
  return ok(dnnl_primitive_execute(product.primitive.value, stream_.value, count, arguments));
}

std::unique_ptr<Packed> Multiplier::pack(const khost_gemm& g) {
  if (g.k <= 0 || g.n <= 0) return nullptr;
  // The kernels for packed weights want the rows of A and C close together. A vocabulary of 15007 has logits whose rows begin
  // with a cache line each, and so are apart: a packed weight would only take its memory.
  if (g.k % floats_in_line != 0 || g.n % floats_in_line != 0) return nullptr;
  blas::follow_threads(threads_);
  dnnl_memory_desc_t any{};
  const dnnl_dims_t dims{g.k, g.n};
  dnnl_memory_desc_init_by_tag(&any, 2, dims, type_of_packed(), dnnl_format_tag_any);
  const Description description = describe(engine_.value, strided(rows_of_layout, g.k, g.k, false, type_of_packed()), any,
                                           strided(rows_of_layout, g.n, g.n, false), 1, 0);
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
  const Primitive order = reorder(given, layout);
  if (!order.value) return nullptr;
  const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_FROM, from.value}, {DNNL_ARG_TO, to.value}};
  if (!ok(dnnl_primitive_execute(order.value, stream_.value, 2, arguments)) || !ok(dnnl_stream_wait(stream_.value)))
    return nullptr;
  return packed;
}

}  // namespace khost::onednn
