// The tables of run.db: a contract, which docs/concepts/run.md describes.
#pragma once

namespace SQLite {
class Database;
}

namespace khost {

inline constexpr int run_schema_version = 2;           // PRAGMA user_version
inline constexpr int run_application_id = 0x6b686f73;  // "khos": what tells run.db from other SQLite files

// Brings an empty database, or one of an older version, to the newest.
void migrate_run(SQLite::Database& db);

}  // namespace khost
