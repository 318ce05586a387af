// Arrays that the host owns and views of them that it hands out. Several threads may read one at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace khost {

using Shape = std::vector<std::int64_t>;  // {} is a scalar

// Sizes multiply and add here and nowhere else: every extent, offset and length that a shape decides. Throws a usage Error that
// shows what was multiplied or added when a factor is below 0, or when the result is beyond what any machine's memory could hold
// (2^58 numbers), so that what is computed from it with small factors does not overflow either.
std::int64_t checked_product(std::initializer_list<std::int64_t> factors);
std::int64_t checked_sum(std::initializer_list<std::int64_t> terms);

std::int64_t element_count(const Shape& shape);  // checked likewise
std::string text_of(const Shape& shape);         // "[15007, 256]"

enum class DType { f32, i32 };

// A read-only, dense, row-major array. A view handed to a plugin is valid for that call only.
struct ArrayView {
  DType dtype = DType::f32;
  const void* data = nullptr;
  Shape shape;

  std::int64_t size() const { return element_count(shape); }
  std::span<const float> f32() const;         // throws a plugin Error when the dtype differs
  std::span<const std::int32_t> i32() const;  // likewise
};

struct NamedArray {
  std::string name;
  ArrayView array;
};

// An owned f32 array, 64-byte aligned, zero-filled when made. Pointers, spans and views are valid until it is assigned to or
// ends; moving it keeps them.
class Tensor {
 public:
  Tensor() = default;
  explicit Tensor(Shape shape);
  Tensor(const Tensor&);
  Tensor& operator=(const Tensor&);
  Tensor(Tensor&&) noexcept = default;
  Tensor& operator=(Tensor&&) noexcept = default;

  const Shape& shape() const { return shape_; }
  std::int64_t rows() const { return shape_.empty() ? 1 : shape_.front(); }
  std::int64_t cols() const { return shape_.size() < 2 ? 1 : shape_[1]; }
  std::int64_t size() const { return size_; }
  float* data() { return data_.get(); }
  const float* data() const { return data_.get(); }
  std::span<float> span() { return {data_.get(), static_cast<std::size_t>(size_)}; }
  std::span<const float> span() const { return {data_.get(), static_cast<std::size_t>(size_)}; }
  ArrayView view() const { return {DType::f32, data_.get(), shape_}; }

 private:
  struct Free {
    void operator()(float* p) const noexcept;
  };
  Shape shape_;
  std::int64_t size_ = 0;
  std::unique_ptr<float[], Free> data_;
};

}  // namespace khost
