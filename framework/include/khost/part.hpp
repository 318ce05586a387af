// The parts of a text.
#pragma once

namespace khost {

// train: windows that trials adapt on. calibration: a base's stopping target. held_out: never trained on.
// The three share no document.
enum class Part { train, calibration, held_out };
const char* name_of(Part part);

}  // namespace khost
