#include "khost/tensor.hpp"

#include <algorithm>
#include <cstdlib>
#include <new>

#include "khost/error.hpp"

namespace khost {

std::int64_t element_count(const Shape& shape) {
  std::int64_t count = 1;
  for (const std::int64_t extent : shape) count *= extent;
  return count;
}

std::string text_of(const Shape& shape) {
  std::string text = "[";
  for (const std::int64_t extent : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(extent);
  return text + "]";
}

namespace {
void expect(DType found, DType wanted) {
  if (found != wanted)
    throw Error(ErrorKind::plugin,
                wanted == DType::f32 ? "an f32 view was asked of an i32 array" : "an i32 view was asked of an f32 array");
}
}  // namespace

std::span<const float> ArrayView::f32() const {
  expect(dtype, DType::f32);
  return {static_cast<const float*>(data), static_cast<std::size_t>(size())};
}

std::span<const std::int32_t> ArrayView::i32() const {
  expect(dtype, DType::i32);
  return {static_cast<const std::int32_t*>(data), static_cast<std::size_t>(size())};
}

namespace {
constexpr std::align_val_t alignment{64};  // a cache line, and the widest vector register
}

Tensor::Tensor(Shape shape)
    : shape_(std::move(shape)),
      size_(element_count(shape_)),
      data_(static_cast<float*>(
          ::operator new[](static_cast<std::size_t>(std::max<std::int64_t>(size_, 1)) * sizeof(float), alignment))) {
  std::fill_n(data_.get(), size_, 0.0f);
}

Tensor::Tensor(const Tensor& other) : Tensor(other.shape_) { std::copy_n(other.data(), size_, data_.get()); }

Tensor& Tensor::operator=(const Tensor& other) {
  if (this != &other) *this = Tensor(other);
  return *this;
}

void Tensor::Free::operator()(float* p) const noexcept { ::operator delete[](p, alignment); }

}  // namespace khost
