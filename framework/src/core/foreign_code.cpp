#include "core/foreign_code.hpp"

#include <locale.h>

#include <cfenv>
#include <clocale>
#include <cstring>
#include <locale>

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace khost {

void default_floats() {
#if defined(__SSE2__)
  constexpr unsigned masked_and_to_nearest = 0x1f80, flags = 0x3f;  // flags: what happened so far, which changes nothing
  if ((_mm_getcsr() & ~flags) != masked_and_to_nearest) _mm_setcsr(masked_and_to_nearest);
  // long double is computed by the x87 unit, which has a control word of its own; fegetround() asks that one.
  constexpr unsigned short extended_and_to_nearest = 0x037f;
  unsigned short now = 0;
  asm volatile("fnstcw %0" : "=m"(now));
  if (now != extended_and_to_nearest) asm volatile("fldcw %0" : : "m"(extended_and_to_nearest));
#else
  std::fesetenv(FE_DFL_ENV);
#endif
}

void default_locale() {
  if (::uselocale(nullptr) != LC_GLOBAL_LOCALE) ::uselocale(LC_GLOBAL_LOCALE);  // of this thread, before the process's
  if (const char* now = std::setlocale(LC_ALL, nullptr); now && std::strcmp(now, "C") != 0) std::setlocale(LC_ALL, "C");
  if (std::locale() != std::locale::classic()) std::locale::global(std::locale::classic());
}

}  // namespace khost
