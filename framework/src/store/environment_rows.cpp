#include "store/environment_rows.hpp"

namespace khost {
namespace {

void take(const SQLite::Column& column, std::string& to) { to = column.getString(); }
void take(const SQLite::Column& column, int& to) { to = column.getInt(); }

}  // namespace

void write_environment(SQLite::Database& db, const std::string& part, const Environment& environment) {
  SQLite::Statement row(db, "INSERT INTO environment VALUES(?, ?, ?)");
  each_member(environment, [&](const char* name, const auto& value) { insert(row, part, std::string(name), value); });
  const Json notes(Json::List(environment.notes.begin(), environment.notes.end()));
  insert(row, part, std::string("notes"), notes.text());
}

Environment read_environment(SQLite::Database& db, const std::string& part) {
  Environment environment;
  SQLite::Statement row(db, "SELECT name, value FROM environment WHERE part = ?");
  bind_to(row, 1, part);
  while (row.executeStep()) {
    const std::string name = row.getColumn(0);
    each_member(environment, [&](const char* member, auto& to) {
      if (name == member) take(row.getColumn(1), to);
    });
    if (name != "notes") continue;
    const Json notes = parse_json(row.getColumn(1).getString(), "run.db");
    for (const Json& note : notes.as_list()) environment.notes.push_back(note.as_string());
  }
  return environment;
}

}  // namespace khost
