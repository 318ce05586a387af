#include "store/database.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

#include <cerrno>
#include <cmath>
#include <limits>

#include "artifact/file.hpp"
#include "store/run_schema.hpp"

namespace khost {

void throw_database_error(const SQLite::Exception& e, const char* doing, const std::string& path) {
  switch (e.getErrorCode()) {
    case SQLITE_FULL:
      errno = ENOSPC;
      throw_file_error(doing, path);
    case SQLITE_READONLY:
    case SQLITE_PERM:
      errno = EACCES;
      throw_file_error(doing, path);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      throw Error(ErrorKind::usage, fmt::format("cannot {} '{}': it is damaged, {}", doing, path, e.what()))
          .hint("move it away: the same command makes it again from the cache");
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      throw Error(ErrorKind::usage, fmt::format("cannot {} '{}': another program holds it locked", doing, path))
          .hint("end what has it open for writing (a database browser, a notebook's transaction)");
    default:
      throw Error(ErrorKind::usage,
                  fmt::format("cannot {} '{}': {} (SQLite's code {})", doing, path, e.what(), e.getExtendedErrorCode()));
  }
}

void check_run_database(SQLite::Database& db, const std::string& path, bool& is_new) {
  const int id = db.execAndGet("PRAGMA application_id").getInt(), version = db.execAndGet("PRAGMA user_version").getInt();
  is_new = db.execAndGet("SELECT count(*) FROM sqlite_schema").getInt() == 0;
  if (is_new) return;
  if (id != run_application_id)
    throw Error(ErrorKind::usage, "'" + path + "' is a database of another program: khost's have the application_id " +
                                      std::to_string(run_application_id) + ", this one " + std::to_string(id))
        .hint("move it away, or name another folder with --out");
  if (version > run_schema_version)
    throw Error(ErrorKind::usage, fmt::format("'{}' was written by a newer khost: its tables are of version {}, this khost knows "
                                              "them up to {}",
                                              path, version, run_schema_version))
        .hint("read it with that khost, or name another folder with --out");
}

void bind_to(SQLite::Statement& statement, int index, const std::string& value) { statement.bindNoCopy(index, value); }
void bind_to(SQLite::Statement& statement, int index, std::int64_t value) { statement.bind(index, value); }
void bind_to(SQLite::Statement& statement, int index, int value) { statement.bind(index, value); }
void bind_to(SQLite::Statement& statement, int index, double value) {
  if (std::isnan(value))
    statement.bind(index);
  else
    statement.bind(index, value);
}

double double_of(const SQLite::Column& column) {
  return column.isNull() ? std::numeric_limits<double>::quiet_NaN() : column.getDouble();
}

}  // namespace khost
