/* A plugin's entry: the one symbol that it exports, khost_plugin_entry, and what it points at. In C, so that a compute plugin can
 * be written with any toolchain:
 *
 *   #include "khost/entry.h"
 *   static const khost_compute table = {...};
 *   KHOST_C_PLUGIN("mine", "my BLAS", 1, &table);
 *
 * C++ includes khost/plugin.hpp, which makes the entry of any kind.
 *
 * The host reads the entry's first 512 bytes from the file before it loads it; they are therefore plain data, without
 * relocations, and lie in the same place in every version. Nothing is ever unloaded: all that the entry points at is constant and
 * stays as long as the process. */
#pragma once

#include "khost/compute.hpp" /* C, too */

#define KHOST_MAGIC "KHOSTPL" /* 8 bytes with the final 0 */
#define KHOST_PLUGIN_API 1u
#define KHOST_C_TABLE "c-table" /* the fingerprint of a compute plugin: any toolchain */

#ifdef __cplusplus
namespace khost {
class Json;
struct Description;
}  // namespace khost
typedef khost::Json khost_json;
typedef khost::Description khost_description;
extern "C" {
#else
typedef struct khost_json khost_json;
typedef struct khost_description khost_description;
#endif

/* khost::Kind */
enum { KHOST_KIND_COMPUTE = 0, KHOST_KIND_MODEL = 1, KHOST_KIND_OPTIMIZER = 2, KHOST_KIND_DATA = 3, KHOST_KIND_PROBE = 4,
       KHOST_KIND_ADAPTER = 5, KHOST_KIND_CORE = 6 };

typedef struct khost_message {
  char text[2048];
} khost_message;

/* One component. Its functions may be called from several threads at once, each with arguments of its own, which are valid until
 * it returns. They return 0, or 1 + khost::ErrorKind with a message. */
typedef struct khost_descriptor {
  uint32_t struct_size; /* sizeof(khost_descriptor) */
  uint32_t kind;        /* KHOST_KIND_... */
  uint32_t policy;      /* 1: the probe is a policy */
  uint32_t numerics;    /* bumped whenever results change; part of a trial's hash */
  const char* name;
  const char* summary; /* one line */
  /* The schema, and for probes the signals of `config` (null: of the defaults). */
  int (*describe)(const khost_json* config, khost_description* out, khost_message* message);
  /* `config` is resolved; `context` is ModelContext*, DataContext* or null by kind; *out becomes a Model*, Optimizer*, ... */
  int (*create)(const khost_json* config, void* context, void** out, khost_message* message);
  void (*destroy)(void* instance);
  const khost_compute* compute; /* kind compute only; the functions above are null then */
} khost_descriptor;

typedef struct khost_entry {
  char magic[8];
  uint32_t struct_size; /* sizeof(khost_entry) */
  uint32_t api_version; /* KHOST_PLUGIN_API */
  char fingerprint[496];
  /* Above: inline, judged before loading. Below: read after loading. */
  uint32_t descriptor_size; /* sizeof(khost_descriptor) */
  uint32_t descriptor_count;
  const khost_descriptor* descriptors;
} khost_entry;

extern __attribute__((visibility("default"))) const khost_entry khost_plugin_entry;

#ifdef __cplusplus
}
#endif

/* The entry of a compute plugin, NAME.so. NUMERICS is bumped whenever results change. */
#define KHOST_C_PLUGIN(NAME, SUMMARY, NUMERICS, TABLE)                                             \
  static const khost_descriptor khost_descriptors_[] = {                                           \
      {sizeof(khost_descriptor), KHOST_KIND_COMPUTE, 0, NUMERICS, NAME, SUMMARY, 0, 0, 0, TABLE}}; \
  const khost_entry khost_plugin_entry = {                                                         \
      KHOST_MAGIC, sizeof(khost_entry), KHOST_PLUGIN_API, KHOST_C_TABLE, sizeof(khost_descriptor), 1, khost_descriptors_}
