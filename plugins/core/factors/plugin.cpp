#include "khost/plugin.hpp"
#include "../diagonal/diagonal.hpp"

namespace {

class Factors final : public Diagonal {
 public:
  using Diagonal::Diagonal;
  bool trains_factors() const override { return true; }
};

}  // namespace

KHOST_PLUGIN(khost::core<Factors>("factors", "dW = U diag(alpha) V', with U and V trained too", 1))
