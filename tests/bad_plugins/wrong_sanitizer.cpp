#include "entry.hpp"

// Built with -fsanitize=address for a khost without, or the other way round.
static bad::Bomb bomb;
KHOST_BAD_PLUGIN((khost::probe<bad::Idle>("wrong_sanitizer", "", 1)),
                 bad::set_part(e, "asan=", std::string_view(KHOST_FP_ASAN) == "0" ? "1" : "0"))
