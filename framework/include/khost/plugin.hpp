// The contract between host and plugin: one exported symbol, khost_plugin_entry.
//
//   class Snr : public khost::Probe {
//    public:
//     struct Config { ...; static void fields(auto& f) { ... } };
//     explicit Snr(const Config& config);
//     static void declare(khost::Signals& s, const Config& config);
//     ...
//   };
//   KHOST_PLUGIN(khost::probe<Snr>("snr", "gradient signal-to-noise ratio per group of dims", 1))
//
// The entry itself, in C: khost/entry.h.
#pragma once

#include <cxxabi.h>

#include <cstdint>
#include <cstring>
#include <exception>
#include <new>
#include <string>
#include <type_traits>

#include "khost/adapter.hpp"
#include "khost/compute.hpp"
#include "khost/core.hpp"
#include "khost/data.hpp"
#include "khost/entry.h"
#include "khost/fingerprint.hpp"
#include "khost/model.hpp"
#include "khost/optimizer.hpp"
#include "khost/probe.hpp"
#include "khost/schema.hpp"

namespace khost {

enum class Kind : std::uint32_t {
  compute = KHOST_KIND_COMPUTE,
  model = KHOST_KIND_MODEL,
  optimizer = KHOST_KIND_OPTIMIZER,
  data = KHOST_KIND_DATA,
  probe = KHOST_KIND_PROBE,
  adapter = KHOST_KIND_ADAPTER,
  core = KHOST_KIND_CORE
};
const char* name_of(Kind kind);  // "optimizer", for good; from any thread

// What the host knows of a component without making one. The schema comes first: other kinds than probes touch nothing else, so
// that their fingerprint does not depend on Signals.
struct Description {
  Schema schema;
  Signals signals;  // probes: what the given configuration declares
};

}  // namespace khost

namespace khost::detail {

inline int report(khost_message* message, int status, const char* text) {
  std::strncpy(message->text, text, sizeof message->text - 1);
  message->text[sizeof message->text - 1] = 0;
  return status;
}

constexpr int status_of(ErrorKind kind) { return 1 + static_cast<int>(kind); }

// Runs f; an exception becomes a status and a message. No exception crosses the C entry; the forced unwinding of a thread that
// ends is none, and may not be stopped.
template <class F>
int guarded(khost_message* message, F&& f) {
  try {
    f();
    return 0;
  } catch (abi::__forced_unwind&) {
    throw;
  } catch (const Error& e) {
    return report(message, status_of(e.kind()), e.what());
  } catch (const std::exception& e) {
    return report(message, status_of(ErrorKind::plugin), e.what());
  } catch (...) {
    return report(message, status_of(ErrorKind::plugin), "an exception that is not a std::exception");
  }
}

template <class P>
int describe(const Json* config, Description* out, khost_message* message) {
  return guarded(message, [&] {
    using Config = typename P::Config;
    out->schema = schema_of<Config>();
    if constexpr (std::is_base_of_v<Probe, P>) P::declare(out->signals, config ? read_config<Config>(*config) : Config{});
  });
}

template <class P, class Base, class Context>
int create(const Json* config, void* context, void** out, khost_message* message) {
  return guarded(message, [&] {
    auto settings = read_config<typename P::Config>(*config);
    Base* made = nullptr;
    if constexpr (std::is_void_v<Context>)
      made = new P(settings);
    else
      made = new P(settings, *static_cast<Context*>(context));
    *out = made;
  });
}

template <class Base>
void destroy(void* instance) {
  delete static_cast<Base*>(instance);
}

template <class P, class Base, class Context, Kind kind>
constexpr khost_descriptor descriptor(const char* name, const char* summary, std::uint32_t numerics) {
  static_assert(std::is_base_of_v<Base, P>);
  return {sizeof(khost_descriptor),
          static_cast<std::uint32_t>(kind),
          std::is_base_of_v<Policy, P> ? 1u : 0u,
          numerics,
          name,
          summary,
          &describe<P>,
          &create<P, Base, Context>,
          &destroy<Base>,
          nullptr};
}

// A set of kinds.
using Kinds = std::uint32_t;
constexpr Kinds only(Kind kind) { return 1u << static_cast<std::uint32_t>(kind); }
template <std::size_t count>
constexpr Kinds kinds_of(const khost_descriptor (&descriptors)[count]) {
  Kinds kinds = 0;
  for (const khost_descriptor& d : descriptors) kinds |= only(static_cast<Kind>(d.kind));
  return kinds;
}

// Of this build, for a plugin that brings these kinds: "abi=1;sdk.optimizer=HASH;compiler=gcc-12;..." (khost/fingerprint.hpp).
struct Fingerprint {
  char text[sizeof(khost_entry::fingerprint)] = {};
};
constexpr Fingerprint fingerprint(Kinds kinds) {
  Fingerprint made;
  std::size_t size = 0;
  const auto add = [&](const char* text) {
    while (*text) made.text[size++] = *text++;
  };
  add(KHOST_FINGERPRINT_ABI);
  std::uint32_t kind = 0;
  for (const SdkHash& sdk : sdk_hashes)
    if (kinds & only(static_cast<Kind>(kind++))) add(";sdk."), add(sdk.kind), add("="), add(sdk.hash);
  add(KHOST_FINGERPRINT_BUILD);
  return made;
}

constexpr khost_entry entry(const char* fingerprint, const khost_descriptor* descriptors, std::uint32_t count) {
  khost_entry e{};
  for (int i = 0; i < 8; ++i) e.magic[i] = KHOST_MAGIC[i];
  e.struct_size = sizeof(khost_entry);
  e.api_version = KHOST_PLUGIN_API;
  for (std::size_t i = 0; fingerprint[i]; ++i) e.fingerprint[i] = fingerprint[i];
  e.descriptor_size = sizeof(khost_descriptor);
  e.descriptor_count = count;
  e.descriptors = descriptors;
  return e;
}

}  // namespace khost::detail

namespace khost {

// A call for what NAME.so brings, one a kind: a second probe is another plugin. The last number: its numerics (khost inspect).
template <class P>
constexpr khost_descriptor model(const char* name, const char* summary, std::uint32_t numerics) {
  return detail::descriptor<P, Model, const ModelContext, Kind::model>(name, summary, numerics);
}
template <class P>
constexpr khost_descriptor optimizer(const char* name, const char* summary, std::uint32_t numerics) {
  return detail::descriptor<P, Optimizer, void, Kind::optimizer>(name, summary, numerics);
}
template <class P>
constexpr khost_descriptor data(const char* name, const char* summary, std::uint32_t numerics) {
  return detail::descriptor<P, Data, DataContext, Kind::data>(name, summary, numerics);
}
template <class P>
constexpr khost_descriptor probe(const char* name, const char* summary, std::uint32_t numerics) {
  return detail::descriptor<P, Probe, void, Kind::probe>(name, summary, numerics);
}
template <class P>
constexpr khost_descriptor adapter(const char* name, const char* summary, std::uint32_t numerics) {
  return detail::descriptor<P, Adapter, void, Kind::adapter>(name, summary, numerics);
}
template <class P>
constexpr khost_descriptor core(const char* name, const char* summary, std::uint32_t numerics) {
  return detail::descriptor<P, Core, void, Kind::core>(name, summary, numerics);
}
constexpr khost_descriptor compute(const char* name, const char* summary, std::uint32_t numerics, const khost_compute* table) {
  return {sizeof(khost_descriptor),
          static_cast<std::uint32_t>(Kind::compute),
          0,
          numerics,
          name,
          summary,
          nullptr,
          nullptr,
          nullptr,
          table};
}

}  // namespace khost

#if defined(KHOST_PLUGIN_KIND)  // by khost_add_plugin(NAME KIND ...)
#define KHOST_CHECK_KIND                                                                                                  \
  static_assert((khost::detail::kinds_of(khost_descriptors_) & khost::detail::only(khost::Kind::KHOST_PLUGIN_KIND)) != 0, \
                "no component here is of the kind that khost_add_plugin() was given")
#else
#define KHOST_CHECK_KIND static_assert(true)
#endif

#define KHOST_ENTRY(FINGERPRINT, ...)                                     \
  static constexpr khost_descriptor khost_descriptors_[] = {__VA_ARGS__}; \
  KHOST_CHECK_KIND;                                                       \
  constinit const khost_entry khost_plugin_entry =                        \
      khost::detail::entry(FINGERPRINT, khost_descriptors_, sizeof khost_descriptors_ / sizeof *khost_descriptors_)

#define KHOST_PLUGIN(...) KHOST_ENTRY(khost::detail::fingerprint(khost::detail::kinds_of(khost_descriptors_)).text, __VA_ARGS__);
#define KHOST_COMPUTE_PLUGIN(...) KHOST_ENTRY(KHOST_C_TABLE, __VA_ARGS__);
