#include "khost/plugin.hpp"

#include "gradient_cosine.hpp"

KHOST_PLUGIN(khost::probe<GradientCosine>("gradient_cosine", "cosine between alpha's gradients at consecutive steps", 1))
