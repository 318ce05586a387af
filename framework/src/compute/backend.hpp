// A compute backend at work: the plugin's C table where it takes a call, the host's portable kernels where it declines.
#pragma once

#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "khost/compute.hpp"

namespace khost {

struct BackendInfo {
  std::string name, library, version, kernel;  // "openblas", "OpenBLAS", "0.3.21", "SkylakeX"
  int threads = 1;
  int packed_bits = std::numeric_limits<float>::digits;                             // khost_compute_info
  bool rounds() const { return packed_bits < std::numeric_limits<float>::digits; }  // frozen weights that are packed
};

// Into how many parts the work of artifacts is cut at most, on however many threads.
inline constexpr int artifact_parts = 8;

// One per thread of work (a trial); cheap. Made on the thread that uses it, whose number of workers it sets; not shared between
// threads.
class Backend {
 public:
  // `table` null: portable kernels only. Throws a plugin Error with the backend's own message, or with a product that it gets
  // wrong (check_products).
  Backend(std::string name, const khost_compute* table, const std::string& options, int threads);
  // Of workers with one thread each, as many as there are threads: every product is cut into parts of C by its shape alone, each
  // part one call of one worker. The number of workers changes the time, and no bit. For artifacts.
  explicit Backend(std::vector<std::unique_ptr<Backend>> workers);
  ~Backend();
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;

  const BackendInfo& info() const { return info_; }

  // C = alpha op(A) op(B) + beta C
  void gemm(const khost_gemm& g);

  // B laid out once for this backend; falls back to the plain array when the backend does not pack.
  class Packed;
  std::shared_ptr<const Packed> pack(const khost_gemm& g);  // looks at b, ldb, transpose_b, n, k
  void gemm(const khost_gemm& g, const Packed& b);

 private:
  template <class F>
  auto call(const char* function, F&& f) const;
  void destroy();
  void gemm_in_parts(const khost_gemm& g);

  const khost_compute* table_ = nullptr;
  void* context_ = nullptr;
  BackendInfo info_;
  std::vector<std::unique_ptr<Backend>> workers_;  // empty: the library divides a product by its threads
};

}  // namespace khost
