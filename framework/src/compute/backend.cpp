#include "compute/backend.hpp"

#include <algorithm>
#include <string_view>

#include "compute/check_products.hpp"
#include "compute/portable_gemm.hpp"
#include "core/call.hpp"
#include "core/team.hpp"
#include "khost/error.hpp"

namespace khost {

class Backend::Packed {
 public:
  Packed(const khost_compute* table, void* packed, const khost_gemm& g) : table_(table), packed_(packed), plain_(g) {}
  ~Packed() {
    if (packed_ && table_->release) table_->release(packed_);
  }
  Packed(const Packed&) = delete;
  Packed& operator=(const Packed&) = delete;

  const void* packed() const { return packed_; }
  khost_gemm with_plain_b(khost_gemm g) const {
    g.b = plain_.b;
    g.ldb = plain_.ldb;
    g.transpose_b = plain_.transpose_b;
    return g;
  }

 private:
  const khost_compute* table_;
  void* packed_;
  khost_gemm plain_;
};

namespace {

std::string text_of_field(const char (&field)[64]) {
  return {field, std::char_traits<char>::find(field, 63, '\0') ? std::char_traits<char>::length(field) : 63};
}

// A plugin's message: on its first line what is wrong, on each further one what to do.
Error refusal(const std::string& name, std::string_view message) {
  const auto next_line = [&] {
    const std::string_view line = message.substr(0, message.find('\n'));
    message.remove_prefix(std::min(message.size(), line.size() + 1));
    return line.substr(std::min(line.size(), line.find_first_not_of(' ')));
  };
  Error error(ErrorKind::plugin, "compute plugin '" + name +
                                     "' cannot be used: " + (message.empty() ? "it gives no reason" : std::string(next_line())));
  while (!message.empty()) error.hint(next_line());
  return error;
}

}  // namespace

template <class F>
auto Backend::call(const char* function, F&& f) const {
  return call_plugin({"compute", info_.name, function}, f);
}

Backend::Backend(std::string name, const khost_compute* table, const std::string& options, int threads) : table_(table) {
  set_team(threads);  // of the calling thread: the host's own kernels split their work by it
  info_.name = std::move(name);
  info_.threads = threads;
  if (!table) {
    info_.library = "khost";
    info_.version = KHOST_VERSION;
    info_.kernel = "portable";
    return;
  }
  if (table->struct_size < sizeof(khost_compute) || table->api_version != KHOST_COMPUTE_API)
    throw Error(ErrorKind::plugin, "compute plugin '" + info_.name + "' has version " + std::to_string(table->api_version) +
                                       " of the compute table, " + std::to_string(table->struct_size) +
                                       " bytes; this host needs version " + std::to_string(KHOST_COMPUTE_API) + ", " +
                                       std::to_string(sizeof(khost_compute)) + " bytes")
        .hint("rebuild the plugin against this khost");
  char message[1024] = "";
  if (table->create &&
      call("create", [&] { return table->create(options.c_str(), threads, &context_, message, sizeof message); }) != 0) {
    message[sizeof message - 1] = 0;
    throw refusal(info_.name, message);
  }
  khost_compute_info about{};
  about.threads = threads;
  try {
    check_products(info_.name, *table, options, threads);
    if (table->info) call("info", [&] { table->info(context_, &about); });
  } catch (...) {
    destroy();
    throw;
  }
  info_.library = text_of_field(about.library);
  info_.version = text_of_field(about.version);
  info_.kernel = text_of_field(about.kernel);
  info_.threads = about.threads;
  info_.packed_bits = packed_bits(about);
}

Backend::~Backend() { destroy(); }

void Backend::destroy() {
  if (table_ && table_->destroy) call("destroy", [&] { table_->destroy(context_); });
}

void Backend::gemm(const khost_gemm& g) {
  if (g.m <= 0 || g.n <= 0) return;
  if (!workers_.empty()) return gemm_in_parts(g);
  if (!table_ || !table_->gemm || call("gemm", [&] { return table_->gemm(context_, &g); }) != 0) kernels::portable_gemm(g);
}

std::shared_ptr<const Backend::Packed> Backend::pack(const khost_gemm& g) {
  void* packed = nullptr;
  if (table_ && table_->pack && table_->gemm_packed && call("pack", [&] { return table_->pack(context_, &g, &packed); }) != 0)
    packed = nullptr;
  return std::make_shared<const Packed>(table_, packed, g);
}

void Backend::gemm(const khost_gemm& g, const Packed& b) {
  if (g.m <= 0 || g.n <= 0) return;
  const khost_gemm whole = b.with_plain_b(g);
  if (b.packed() && call("gemm_packed", [&] { return table_->gemm_packed(context_, &whole, b.packed()); }) == 0) return;
  gemm(whole);
}

}  // namespace khost
