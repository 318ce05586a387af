// What becomes of single characters on their way into tokens.
#pragma once

namespace khost {

// SentencePiece's own mark of what is unknown. A training sentence that holds it is dropped as a whole, and it becomes <unk>.
constexpr char32_t reserved_character = 0x2585;

// Beside the usual blanks: what SentencePiece's normalisation (nmt_nfkc) makes a blank, or leaves out.
bool is_lost(char32_t code);

// Leaves no mark on paper: blanks, controls, joiners, fillers, variation selectors.
bool is_invisible(char32_t code);

}  // namespace khost
