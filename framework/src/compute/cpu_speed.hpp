// How fast each core computes right now: fused multiply-adds in registers alone, on a thread pinned to that core. A core that is
// throttled, or shared with other work, shows before it spoils a measurement.
#pragma once

#include <string>
#include <vector>

namespace khost {

struct CpuSpeed {
  int core = 0;       // as the system numbers it
  double gflops = 0;  // f32, by the clock on the wall: the median of several rounds
  double best = 0;    // of its fastest round
  double share = 0;   // of the core's time that the probe had; below 1, other work ran there
};

// Every core this process may run on, one after the other, so that none disturbs another. About `seconds` each.
std::vector<CpuSpeed> measure_cpus(double seconds = 0.1);

// The instruction set for which khost's own kernels are chosen here, as Highway names it: "AVX2".
std::string kernel_instruction_set();

}  // namespace khost
