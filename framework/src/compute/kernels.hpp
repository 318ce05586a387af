// The kernels that are not matrix products, vectorised for every instruction set Highway knows and chosen at run time. All arrays
// are f32, row-major; ld* is the distance between rows in elements. Each splits its rows or columns over the thread's workers in
// a way that does not change any result: a sum always runs in one order.
#pragma once

#include <cstdint>

namespace khost::kernels {

// y = a + b; y may be a or b.
void add(std::int64_t n, const float* a, const float* b, float* y);
// y[r, c] = x[r, c] s[c]
void scale_columns(std::int64_t rows, std::int64_t cols, const float* x, std::int64_t ldx, const float* s, float* y,
                   std::int64_t ldy);
// out[c] = (accumulate ? out[c] : 0) + sum over rows, first to last, of a[r, c] b[r, c]; in double.
void column_products(std::int64_t rows, std::int64_t cols, const float* a, std::int64_t lda, const float* b, std::int64_t ldb,
                     double* out, bool accumulate);
// out[c] (+)= sum over rows, first to last, of x[r, c]; in double: the gradient of a bias.
void column_sums(std::int64_t rows, std::int64_t cols, const float* x, float* out, bool accumulate);

// y = (x - mean) / sqrt(var + eps) * weight + bias, with the biased variance; mean and rstd [rows] are kept for backward.
void layer_norm(std::int64_t rows, std::int64_t cols, const float* x, const float* weight, const float* bias, float eps, float* y,
                float* mean, float* rstd);
// dx (+)= gradient with respect to x
void layer_norm_backward(std::int64_t rows, std::int64_t cols, const float* x, const float* mean, const float* rstd,
                         const float* weight, const float* dy, float* dx, bool accumulate);
// dweight [cols] (+)= sum over rows of dy (x - mean) rstd, in double. mean null: of an RMS norm, whose values are not centred.
void norm_weight_gradient(std::int64_t rows, std::int64_t cols, const float* x, const float* mean, const float* rstd,
                          const float* dy, float* dweight, bool accumulate);

// y = x rrms weight with rrms = 1 / sqrt(mean of x^2 + eps); rrms [rows] is kept for backward.
void rms_norm(std::int64_t rows, std::int64_t cols, const float* x, const float* weight, float eps, float* y, float* rrms);
// dx (+)= gradient with respect to x
void rms_norm_backward(std::int64_t rows, std::int64_t cols, const float* x, const float* rrms, const float* weight,
                       const float* dy, float* dx, bool accumulate);

// The standard normal distribution function, to a few units in the last place, in both tails.
void normal_cdf(std::int64_t n, const float* x, float* y);
// y = x Phi(x)
void gelu(std::int64_t n, const float* x, float* y);
// also slope = Phi(x) + x phi(x), its derivative
void gelu_with_slope(std::int64_t n, const float* x, float* y, float* slope);
// y = 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))), and y = x / (1 + exp(-x)); slope [n], their derivative, may be null.
void gelu_tanh(std::int64_t n, const float* x, float* y, float* slope);
void silu(std::int64_t n, const float* x, float* y, float* slope);
// dx (+)= slope dy
void multiply(std::int64_t n, const float* slope, const float* dy, float* dx, bool accumulate);

// In place, on `rows` rows of scores of which the first is query `first`: row i becomes softmax(scale s[i, 0 .. first + i]), and
// 0 from there to `cols`.
void causal_softmax(std::int64_t rows, std::int64_t first, std::int64_t cols, float scale, float* s, std::int64_t ld);
// In place on the gradient d of the probabilities p: d becomes the gradient of the unscaled scores, 0 above the diagonal.
void causal_softmax_backward(std::int64_t rows, std::int64_t first, std::int64_t cols, float scale, const float* p, float* d,
                             std::int64_t ld);

// loss[r] = -log softmax(logits[r])[target[r]], in nats; 0 where the target is below 0, and with it the gradient.
void cross_entropy(std::int64_t rows, std::int64_t cols, const float* logits, std::int64_t ld, const std::int32_t* targets,
                   double* loss);
// The same losses to the last bit; logits[r] becomes scale (softmax(logits[r]) - onehot(target[r])).
void cross_entropy_gradient(std::int64_t rows, std::int64_t cols, float* logits, std::int64_t ld, const std::int32_t* targets,
                            double* loss, float scale);

}  // namespace khost::kernels
