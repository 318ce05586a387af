// How a command is told which records, or whose.
#pragma once

#include <optional>

#include "command_line.hpp"
#include "completes.hpp"
#include "report/chosen.hpp"

namespace khost {

struct RecordOptions {
  RecordChoice choice;
  std::optional<int> seed;

  // PATTERN, --base, --arm and --seed. This outlives the command.
  void declare(Command& command) {
    command.optional_argument(
        "PATTERN", choice.pattern,
        "which records: a path BASE/ARM/PROBE/NAME from any of its parts on, with * for any run of characters",
        {completes::records});
    command.option("base", "BASE", choice.base, "of this base alone", completes::bases);
    command.option("arm", "ARM", choice.arm, "of this arm alone", completes::arms);
    command.option("seed", "N", seed, {0, 1000000000}, "of this seed alone");
  }
  RecordChoice chosen() const {
    RecordChoice out = choice;
    if (seed) out.seed = static_cast<std::uint64_t>(*seed);
    return out;
  }
};

}  // namespace khost
