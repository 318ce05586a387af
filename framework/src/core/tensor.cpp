#include "khost/tensor.hpp"

#include <algorithm>
#include <cstdlib>
#include <new>

#include "khost/error.hpp"

namespace khost {

namespace {

constexpr std::int64_t most_numbers = std::int64_t{1} << 58;

template <class Sizes>
[[noreturn]] void beyond(const Sizes& sizes, const char* between) {
  std::string text;
  bool negative = false;
  for (const std::int64_t size : sizes) {
    text += (text.empty() ? "" : between) + std::to_string(size);
    negative = negative || size < 0;
  }
  throw Error(ErrorKind::usage, negative ? "a size below 0: " + text : text + " numbers are more than any memory holds");
}

template <class Sizes>
std::int64_t product(const Sizes& sizes) {
  std::int64_t result = 1;
  bool zero = false, fits = true;
  for (const std::int64_t size : sizes) {
    if (size < 0) beyond(sizes, " x ");
    zero = zero || size == 0;
    fits = fits && !__builtin_mul_overflow(result, std::max<std::int64_t>(size, 1), &result) && result <= most_numbers;
  }
  if (zero) return 0;
  if (!fits) beyond(sizes, " x ");
  return result;
}

}  // namespace

std::int64_t checked_product(std::initializer_list<std::int64_t> factors) { return product(factors); }

std::int64_t checked_sum(std::initializer_list<std::int64_t> terms) {
  std::int64_t result = 0;
  for (const std::int64_t term : terms) {
    if (term < 0 || __builtin_add_overflow(result, term, &result) || result > most_numbers) beyond(terms, " + ");
  }
  return result;
}

std::int64_t element_count(const Shape& shape) { return product(shape); }

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

Tensor::Tensor(const Tensor& other) {
  if (!other.data_) return;  // as default construction leaves it
  *this = Tensor(other.shape_);
  std::copy_n(other.data(), size_, data_.get());
}

Tensor& Tensor::operator=(const Tensor& other) {
  if (this != &other) *this = Tensor(other);
  return *this;
}

void Tensor::Free::operator()(float* p) const noexcept { ::operator delete[](p, alignment); }

}  // namespace khost
