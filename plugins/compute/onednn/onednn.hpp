// oneDNN's matmul primitives: one per shape, kept; weights laid out once.
#pragma once

#include <oneapi/dnnl/dnnl.h>

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>

#include "khost/compute.hpp"

namespace khost::onednn {

// Owns one of oneDNN's handles.
template <class T, auto destroy>
struct Handle {
  Handle() = default;
  Handle(Handle&& other) noexcept : value(other.value) { other.value = nullptr; }
  Handle& operator=(Handle&&) = delete;
  ~Handle() {
    if (value) destroy(value);
  }
  T value = nullptr;
};
using Engine = Handle<dnnl_engine_t, dnnl_engine_destroy>;
using Stream = Handle<dnnl_stream_t, dnnl_stream_destroy>;
using Memory = Handle<dnnl_memory_t, dnnl_memory_destroy>;
using Primitive = Handle<dnnl_primitive_t, dnnl_primitive_destroy>;

// A weight as oneDNN likes it. The layout depends on n and k alone, not on the rows it will be multiplied with.
struct Packed {
  dnnl_memory_desc_t layout;
  std::unique_ptr<float[], void (*)(void*)> values;
};

// What a primitive is made for. In a packed product b's layout follows from n and k; ldb and transpose_b are 0.
struct Key {
  std::int64_t m, n, k, lda, ldb, ldc;
  std::int32_t transpose_a, transpose_b, packed;
  float alpha, beta;
  auto operator<=>(const Key&) const = default;  // NOLINT(modernize-use-nullptr): clang-tidy 14 takes its 0 for a pointer
};

class Multiplier {
 public:
  explicit Multiplier(std::int32_t threads);
  bool usable() const { return stream_.value != nullptr; }
  std::int32_t threads() const { return threads_; }

  // Both decline (false) what oneDNN has only its plain loops for.
  bool multiply(const khost_gemm& g, const Packed* packed);
  std::unique_ptr<Packed> pack(const khost_gemm& g);

 private:
  struct Product {
    Primitive primitive;  // null: declined
    Memory a, b, c, scratch;
  };
  Product make(const Key& key, const Packed* packed);
  bool reserve_scratch(std::size_t bytes);

  std::int32_t threads_;
  Engine engine_;
  Stream stream_;
  std::map<Key, Product> products_;
  // One scratch area for all primitives: they run one after another.
  std::unique_ptr<float[], void (*)(void*)> scratch_;
  std::size_t scratch_bytes_ = 0;
};

}  // namespace khost::onednn
