#include "store/run_database.hpp"

#include <map>

#include "store/database.hpp"
#include "store/environment_rows.hpp"
#include "store/run_schema.hpp"

namespace khost {
namespace {

constexpr int wait_for_readers = 2000;  // milliseconds, where a reader of the file is in the way

std::string written_hash(SQLite::Database& db) {
  SQLite::Statement hash(db, "SELECT hash FROM run");
  return hash.executeStep() ? hash.getColumn(0).getString() : "";
}

// What finish() writes: until it does, that of the same run's last end stays.
void remove_end(SQLite::Database& db) {
  for (const char* table : {"base", "definition", "noise", "claim"}) db.exec(std::string("DELETE FROM ") + table);
  db.exec("DELETE FROM environment WHERE part = 'bases'");
}

}  // namespace

struct RunDatabase::Open {
  explicit Open(const std::string& path) : db(path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE, wait_for_readers) {}
  SQLite::Database db;
  std::map<TrialKey, std::int64_t> ids;  // of trials
};

template <class F>
void RunDatabase::write(F&& f) {
  with_database("write", path_, [&] {
    SQLite::Transaction whole(open_->db);
    f(open_->db);
    whole.commit();
  });
}

RunDatabase::RunDatabase(std::string path, const Run& head, const Plan& plan) : path_(std::move(path)) {
  with_database("open", path_, [&] {
    open_ = std::make_unique<Open>(path_);
    bool is_new = false;
    check_run_database(open_->db, path_, is_new);
    // Readers and the writer do not wait for each other. NORMAL: a killed process loses nothing that was committed; a power cut
    // may take the last transactions, whole ones, whose trials are in the cache, which is flushed, or are computed again.
    open_->db.exec("PRAGMA journal_mode = WAL");
    open_->db.exec("PRAGMA synchronous = NORMAL");
    migrate_run(open_->db);
  });
  write([&](SQLite::Database& db) {
    if (written_hash(db) != head.hash) {
      remove_end(db);
      for (const char* table : {"point", "series", "artifact", "trial"}) db.exec(std::string("DELETE FROM ") + table);
    }
    for (const char* table : {"run", "plugin"}) db.exec(std::string("DELETE FROM ") + table);
    db.exec("DELETE FROM environment WHERE part = 'trials'");
    insert(db, "INSERT INTO run VALUES(?, ?, ?, ?, ?, ?, ?, NULL)", head.experiment, head.title, head.hash, head.published,
           head.command, head.manifest, head.started);
    write_environment(db, "trials", head.environment);
    for (const PluginUsed& p : head.plugins)
      insert(db, "INSERT INTO plugin VALUES(?, ?, ?, ?)", p.kind, p.name, p.path, p.content);
    SQLite::Statement trial(db,
                            "INSERT INTO trial VALUES(?, ?, ?, ?, ?, ?, ?, 'waiting', '', 0, 0, 0, 0) "
                            "ON CONFLICT DO UPDATE SET status = 'waiting', message = '' WHERE status <> 'done'");
    for (std::size_t i = 0; i < plan.trials.size(); ++i) {
      const PlannedTrial& t = plan.trials[i];
      const auto id = static_cast<std::int64_t>(i);
      open_->ids[t.key] = id;
      insert(trial, id, t.key.base, t.key.draw, t.key.arm, static_cast<std::int64_t>(t.key.seed), t.hash, t.identity.canonical());
    }
  });
}

RunDatabase::~RunDatabase() { close(); }

void RunDatabase::begin(const TrialKey& key) {
  write([&](SQLite::Database& db) { insert(db, "UPDATE trial SET status = 'running' WHERE id = ?", open_->ids.at(key)); });
}

void RunDatabase::keep(const TrialResult& result) {
  const std::int64_t id = open_->ids.at(result.key);
  write([&](SQLite::Database& db) {
    if (result.reused) {  // it may stand here already: the same hash is the same trial
      SQLite::Statement there(db, "SELECT 1 FROM trial WHERE id = ? AND hash = ? AND status = 'done'");
      there.bind(1, id), bind_to(there, 2, result.hash);
      if (there.executeStep()) return insert(db, "UPDATE trial SET reused = 1 WHERE id = ?", id);
    }
    insert(db, "DELETE FROM point WHERE series IN (SELECT id FROM series WHERE trial = ?)", id);
    insert(db, "DELETE FROM series WHERE trial = ?", id);
    insert(db, "DELETE FROM artifact WHERE trial = ?", id);
    insert(db,
           "UPDATE trial SET status = ?, message = ?, seconds = ?, reused = ?, adapter_parameters = ?, trainable_parameters = ? "
           "WHERE id = ?",
           result.status, result.message, result.seconds, result.reused ? 1 : 0, result.adapter_parameters,
           result.trainable_parameters, id);
    for (const Artifact& a : result.artifacts) insert(db, "INSERT INTO artifact VALUES(?, ?, ?)", id, a.file, a.sha256);

    SQLite::Statement series(db, "INSERT INTO series(trial, probe, name, unit) VALUES(?, ?, ?, ?)");
    SQLite::Statement point(db, "INSERT INTO point VALUES(?, ?, ?)");
    for (const RecordSeries& each : result.series) {
      insert(series, id, each.probe, each.name, each.unit);
      const std::int64_t of = db.getLastInsertRowid();
      for (const auto& [step, value] : each.points) insert(point, of, step, value);
    }
  });
}

void RunDatabase::finish(const Run& run) {
  write([&](SQLite::Database& db) {
    remove_end(db);
    write_environment(db, "bases", run.artifacts);
    for (const BaseMade& b : run.bases)
      insert(db, "INSERT INTO base(name, draw, hash, how, file_sha256) VALUES(?, ?, ?, ?, ?)", b.name, b.draw, b.hash, b.how,
             b.file_hash);
    for (const Definition& d : run.definitions)
      insert(db, "INSERT INTO definition(probe, name, unit, doc, noise, instance) VALUES(?, ?, ?, ?, ?, ?)", d.probe, d.name,
             d.unit, d.doc, d.null, d.instance);
    for (const auto& [where, records] : run.nulls)
      for (const auto& [record, band] : records)
        insert(db, "INSERT INTO noise VALUES(?, ?, ?, ?, ?, ?)", where.first, where.second, record, band.mean, band.low,
               band.high);
    for (const Json& claim : run.claims.as_list()) insert(db, "INSERT INTO claim(detail) VALUES(?)", claim.text());
    insert(db, "UPDATE run SET finished = ?", run.finished);
  });
}

bool RunDatabase::close() {
  if (!open_) return true;
  const auto open = std::move(open_);
  try {
    return open->db.execAndGet("PRAGMA journal_mode = DELETE").getString() == "delete";
  } catch (const SQLite::Exception&) {
    return false;
  }
}

}  // namespace khost
