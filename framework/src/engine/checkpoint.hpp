// How far a training is, in a file of the cache: from time to time, and when the run is interrupted.
#pragma once

#include <chrono>
#include <string>

#include "engine/state_stream.hpp"

namespace khost {

class Checkpoint {
 public:
  using Visit = StateVisit;

  // Kept in `file` ("": nowhere) each `period` seconds. `of`: the hash of what is trained; another's file is none.
  Checkpoint(std::string file, std::string of, double period);

  // Reads what was kept; false when there is none, or it is damaged, which is said on the log. What `visit` throws it throws,
  // with the file removed: the next attempt begins anew.
  bool resume(const Visit& visit);
  bool due() const;
  bool worth_keeping() const;  // a second has passed since the last, or since it was made
  // A file that cannot be written is said once, on the log: what is trained goes on. A state with something unknown is not kept.
  void keep(const Visit& visit);

 private:
  void remove() const;
  std::string file_, of_;
  std::chrono::duration<double> period_;
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
  bool possible_ = true;
};

// Where in the cache, for a trial or base of that hash.
std::string checkpoint_file(const std::string& cache_root, const std::string& hash);
bool has_checkpoint(const std::string& cache_root, const std::string& hash);
void remove_checkpoint(const std::string& cache_root, const std::string& hash);  // once its result is kept

}  // namespace khost
