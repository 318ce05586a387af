#include "text.hpp"

#include "khost/plugin.hpp"

KHOST_PLUGIN(khost::data<khost::Text>("text", "a named corpus or files, in SentencePiece tokens", 1))
