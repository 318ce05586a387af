#include "run/executor.hpp"

#include <thread>

#include "manifest/record_path.hpp"

namespace khost {

void side_by_side(int workers, const std::function<void(int worker)>& work) {
  std::vector<std::thread> others;
  for (int worker = 1; worker < workers; ++worker) others.emplace_back(work, worker);
  work(0);
  for (std::thread& t : others) t.join();
}

double record_of_needs(const Task& task, std::string_view path) {
  const auto wanted = parse_record_path(path);
  for (const TrialResult* result : task.needs) {
    if (!wanted || result->key.arm != wanted->arm) continue;
    const RecordSeries* series = result->find(wanted->probe + "/" + wanted->record);
    if (series && series->has_whole()) return series->whole();
  }
  throw Error(ErrorKind::trial, "there is no record '" + std::string(path) + "' among those of the arms it needs");
}

}  // namespace khost
