// A library whose global object cannot be made.
#include <stdexcept>

namespace {
struct Throwing {
  Throwing() { throw std::runtime_error("no licence found"); }
} throwing;
}  // namespace
