#include "store/run_schema.hpp"

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Transaction.h>

#include <array>
#include <string>

namespace khost {
namespace {

// Columns of measured values have no type: with one, SQLite would keep a whole number as an integer, and -0.0 would come back as
// 0.
constexpr const char* version_1 = R"(
CREATE TABLE run(                    -- one row
  experiment TEXT NOT NULL,
  title      TEXT NOT NULL,
  hash       TEXT NOT NULL,          -- names the run: manifest, seeds, backend, plugins
  published  TEXT NOT NULL,          -- whose figures stand beside it: a name in share/published, or ''
  command    TEXT NOT NULL,          -- that made it last
  manifest   TEXT NOT NULL,          -- as resolved, JSON
  started    TEXT NOT NULL,          -- UTC
  finished   TEXT);                  -- UTC; NULL while it goes on, and of one that was broken off

CREATE TABLE environment(
  part  TEXT NOT NULL,               -- 'trials', or 'bases': what bases and other artifacts were made with
  name  TEXT NOT NULL,               -- 'khost', 'backend', 'kernel', 'threads', 'cpu' ...
  value NOT NULL,
  PRIMARY KEY(part, name)) WITHOUT ROWID;

CREATE TABLE plugin(
  kind    TEXT NOT NULL,
  name    TEXT NOT NULL,
  path    TEXT NOT NULL,
  content TEXT NOT NULL,             -- SHA-256 of what of the file is loaded
  PRIMARY KEY(kind, name)) WITHOUT ROWID;

CREATE TABLE base(
  position    INTEGER PRIMARY KEY,
  name        TEXT NOT NULL,
  draw        INTEGER NOT NULL,
  hash        TEXT NOT NULL,
  how         TEXT NOT NULL,         -- how it came out: steps and loss, or the file that it is
  file_sha256 TEXT NOT NULL,         -- of that file, or ''
  UNIQUE(name, draw));

CREATE TABLE definition(             -- what the records of probes are
  id       INTEGER PRIMARY KEY,
  probe    TEXT NOT NULL,
  name     TEXT NOT NULL,            -- a part in <> stands for any text without '/'
  unit     TEXT NOT NULL,
  doc      TEXT NOT NULL,
  noise    TEXT NOT NULL,            -- what its null is, or why it has none
  instance TEXT NOT NULL);

CREATE TABLE trial(
  id         INTEGER PRIMARY KEY,    -- in the plan's order
  base       TEXT NOT NULL,
  draw       INTEGER NOT NULL,       -- of the base
  arm        TEXT NOT NULL,
  seed       INTEGER NOT NULL,
  hash       TEXT NOT NULL,          -- the same hash is the same trial, in whatever run
  identity   TEXT NOT NULL,          -- what the hash is of, JSON
  status     TEXT NOT NULL,          -- 'waiting', 'running', 'done', 'failed'
  message    TEXT NOT NULL,          -- why it failed; of one that is done, why it took a second attempt
  seconds    REAL NOT NULL,          -- that it took when it was computed
  reused     INTEGER NOT NULL,       -- 1: found in the cache
  adapter_parameters   INTEGER NOT NULL,
  trainable_parameters INTEGER NOT NULL,
  UNIQUE(base, draw, arm, seed));

CREATE TABLE artifact(
  trial  INTEGER NOT NULL REFERENCES trial(id),
  file   TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  PRIMARY KEY(trial, file)) WITHOUT ROWID;

CREATE TABLE series(                 -- a record's name in one trial; ids rise in the order in which the trial made them
  id    INTEGER PRIMARY KEY,
  trial INTEGER NOT NULL REFERENCES trial(id),
  probe TEXT NOT NULL,               -- 'loss' and 'parameters' are the engine's own
  name  TEXT NOT NULL,
  unit  TEXT NOT NULL,
  UNIQUE(trial, probe, name));

CREATE TABLE point(
  series INTEGER NOT NULL REFERENCES series(id),
  step   INTEGER NOT NULL,           -- from 0; -1: of the whole trial
  value,                             -- a double; NULL: missing
  PRIMARY KEY(series, step)) WITHOUT ROWID;

CREATE INDEX notable ON point(series, step)  -- found without reading all: what reports need of a run whose series are long
  WHERE step < 0 OR value IS NULL OR abs(value) > 1.7976931348623157e308;

CREATE TABLE noise(                  -- what noise alone gives for a record of one trial: mean and the middle 95 % of its draws
  arm    TEXT NOT NULL,
  record TEXT NOT NULL,              -- 'PROBE/NAME'
  mean, low, high,
  PRIMARY KEY(arm, record)) WITHOUT ROWID;

CREATE TABLE claim(
  id     INTEGER PRIMARY KEY,
  detail TEXT NOT NULL);             -- JSON, as summary.json has it

CREATE VIEW records AS
  SELECT trial.base, trial.draw, trial.arm, trial.seed, series.probe, series.name,
         CASE WHEN point.step >= 0 THEN point.step END AS step, point.value, series.unit
  FROM trial JOIN series ON series.trial = trial.id JOIN point ON point.series = series.id
  WHERE trial.status = 'done';

CREATE VIEW claims AS
  SELECT json_extract(detail, '$.id') AS claim,
         json_extract(detail, '$.base') AS base,
         json_extract(detail, '$.verdict') AS verdict,
         json_extract(detail, '$.would_be') AS would_be,
         json_extract(detail, '$.measure') AS measure,
         json_extract(detail, '$.prediction') AS prediction,
         json_extract(detail, '$.margin') AS margin,
         json_extract(detail, '$.unit') AS unit,
         json_extract(detail, '$.estimate') AS estimate,
         json_extract(detail, '$.low') AS low,
         json_extract(detail, '$.high') AS high,
         json_extract(detail, '$.level') AS level,
         json_extract(detail, '$.p') AS p,
         json_extract(detail, '$.seeds') AS seeds,
         json_extract(detail, '$.look') AS look,
         json_extract(detail, '$.registered') AS registered,
         json_extract(detail, '$.null_share') AS null_share,
         json_extract(detail, '$.published.value') AS published,
         json_extract(detail, '$.statement') AS statement
  FROM claim ORDER BY id;
)";

// A base may have an arm in a form of its own, whose noise is another.
constexpr const char* version_2 = R"(
ALTER TABLE noise RENAME TO noise_1;
CREATE TABLE noise(                  -- what noise alone gives for a record of one trial: mean and the middle 95 % of its draws
  base   TEXT NOT NULL,
  arm    TEXT NOT NULL,
  record TEXT NOT NULL,              -- 'PROBE/NAME'
  mean, low, high,
  PRIMARY KEY(base, arm, record)) WITHOUT ROWID;
INSERT INTO noise SELECT DISTINCT trial.base, noise_1.arm, record, mean, low, high FROM noise_1 JOIN trial ON trial.arm = noise_1.arm;
DROP TABLE noise_1;
)";

// migrations[i] leads from version i to i + 1. What was once released is never changed: a new version is another entry.
constexpr std::array migrations = {version_1, version_2};
static_assert(migrations.size() == run_schema_version);

}  // namespace

void migrate_run(SQLite::Database& db) {
  SQLite::Transaction whole(db);
  const int version = db.execAndGet("PRAGMA user_version").getInt();
  for (int i = version; i < run_schema_version; ++i) db.exec(migrations[static_cast<std::size_t>(i)]);
  db.exec("PRAGMA application_id = " + std::to_string(run_application_id));
  db.exec("PRAGMA user_version = " + std::to_string(run_schema_version));
  whole.commit();
}

}  // namespace khost
