// What a program linked with -ffast-math does when it starts, another that rounds upwards, and a third that sets the locale, of
// the process and of the thread. KHOST_WHEN_LOADED: as a library's
// initialiser too.
#include <locale.h>

#include <cfenv>
#include <clocale>
#include <locale>

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace {

class Comma : public std::numpunct<char> {
  char do_decimal_point() const override { return ','; }
  char do_thousands_sep() const override { return '.'; }
  std::string do_grouping() const override { return "\3"; }
};

}  // namespace

extern "C" void khost_unsettle() {
#if defined(__SSE2__)
  _mm_setcsr(_mm_getcsr() | 0x8040);  // flush to zero, denormals are zero
#endif
  std::fesetround(FE_UPWARD);  // of the x87 unit and of SSE
  std::locale::global(std::locale(std::locale::classic(), new Comma));
  std::setlocale(LC_ALL, "C.UTF-8");
  static const locale_t own = ::newlocale(LC_ALL_MASK, "C.UTF-8", nullptr);
  ::uselocale(own);
}

#if defined(KHOST_WHEN_LOADED)
namespace {

[[gnu::constructor]] void when_loaded() { khost_unsettle(); }

}  // namespace
#endif
