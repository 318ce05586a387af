// SQLite as khost uses it: errors for people, and a file that is known before it is trusted.
#pragma once

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>
#include <SQLiteCpp/Transaction.h>

#include <string>
#include <utility>

#include "khost/error.hpp"

namespace khost {

// What SQLite threw, as an Error that names the file: a full disk with its mend, a damaged file with what to do.
[[noreturn]] void throw_database_error(const SQLite::Exception& e, const char* doing, const std::string& path);

template <class F>
auto with_database(const char* doing, const std::string& path, F&& f) {
  try {
    return f();
  } catch (const SQLite::Exception& e) {
    throw_database_error(e, doing, path);
  }
}

// A run's database, whatever its version: throws a usage Error for a file that is another program's, damaged, or of a newer
// khost. `is_new`: nothing stands in it yet.
void check_run_database(SQLite::Database& db, const std::string& path, bool& is_new);

// Binds each of the values to a statement, in order, and runs it to its end. A double that is NaN is bound as NULL.
void bind_to(SQLite::Statement& statement, int index, const std::string& value);
void bind_to(SQLite::Statement& statement, int index, std::int64_t value);
void bind_to(SQLite::Statement& statement, int index, int value);
void bind_to(SQLite::Statement& statement, int index, double value);
template <class... Values>
void insert(SQLite::Statement& statement, const Values&... values) {
  int index = 0;
  (bind_to(statement, ++index, values), ...);
  statement.exec();
  statement.reset();
}
template <class... Values>
void insert(SQLite::Database& db, const char* sql, const Values&... values) {
  SQLite::Statement statement(db, sql);
  insert(statement, values...);
}

double double_of(const SQLite::Column& column);  // NaN of NULL

}  // namespace khost
