// An Environment as rows of run.db, by the names that its members have there.
#pragma once

#include "khost/json.hpp"
#include "plan/keys.hpp"
#include "store/database.hpp"

namespace khost {

// f(name, member) for each but the notes.
template <class E, class F>
void each_member(E& e, F&& f) {
  f("khost", e.khost), f("backend", e.backend), f("library", e.library), f("library_version", e.library_version);
  f("kernel", e.kernel), f("cpu", e.cpu), f("threads", e.threads), f("jobs", e.jobs), f("options", e.options);
  f("parts", e.parts), f("library_threads", e.library_threads);
}

void write_environment(SQLite::Database& db, const std::string& part, const Environment& environment);
Environment read_environment(SQLite::Database& db, const std::string& part);

}  // namespace khost
