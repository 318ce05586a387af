// oneDNN's matmul primitives: one per shape, kept; weights laid out once.
#pragma once

#include <oneapi/dnnl/dnnl.h>

#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <utility>

#include "khost/compute.hpp"

namespace khost::onednn {

// Owns one of oneDNN's handles.
template <class T, auto destroy>
struct Handle {
  Handle() = default;
  Handle(Handle&& other) noexcept : value(other.value) { other.value = nullptr; }
  Handle& operator=(Handle&& other) noexcept {
    std::swap(value, other.value);
    return *this;
  }
  ~Handle() {
    if (value) destroy(value);
  }
  T value = nullptr;
};
using Engine = Handle<dnnl_engine_t, dnnl_engine_destroy>;
using Stream = Handle<dnnl_stream_t, dnnl_stream_destroy>;
using Memory = Handle<dnnl_memory_t, dnnl_memory_destroy>;
using Primitive = Handle<dnnl_primitive_t, dnnl_primitive_destroy>;

// What frozen weights, and what is multiplied with them, are rounded to. Sums are f32 whatever it is.
enum class Precision { f32, bf16 };

// A weight as oneDNN likes it. The layout depends on n and k alone, not on the rows it will be multiplied with.
struct Packed {
  dnnl_memory_desc_t layout;
  std::unique_ptr<float[], void (*)(void*)> values;
};

// Memory that grows to the most that was asked for.
class Area {
 public:
  bool reserve(std::size_t bytes);  // false: there is not so much, and what was there still is
  float* data() const { return values_.get(); }

 private:
  std::unique_ptr<float[], void (*)(void*)> values_{nullptr, std::free};
  std::size_t bytes_ = 0;
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
  Multiplier(std::int32_t threads, Precision of_packed);
  bool usable() const { return stream_.value != nullptr; }
  std::int32_t threads() const { return threads_; }
  Precision precision() const { return precision_; }  // of packed products

  // Both decline (false) what oneDNN has only its plain loops for.
  bool multiply(const khost_gemm& g, const Packed* packed);
  std::unique_ptr<Packed> pack(const khost_gemm& g);

 private:
  struct Product {
    Primitive primitive;  // null: declined
    Memory a, b, c, scratch;
    Primitive rounding;  // of A, where the product takes it in another precision than it is given
    Memory given;        // A before
  };
  Product make(const Key& key, const Packed* packed);
  dnnl_data_type_t type_of_packed() const { return precision_ == Precision::bf16 ? dnnl_bf16 : dnnl_f32; }
  Primitive reorder(const dnnl_memory_desc_t& from, const dnnl_memory_desc_t& to) const;

  std::int32_t threads_;
  Precision precision_;
  Engine engine_;
  Stream stream_;
  std::map<Key, Product> products_;
  Area scratch_, rounded_;  // for all primitives: they run one after another
};

}  // namespace khost::onednn
