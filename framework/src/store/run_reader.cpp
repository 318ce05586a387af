#include "store/run_reader.hpp"

#include <filesystem>

#include "store/database.hpp"
#include "store/environment_rows.hpp"
#include "store/run_schema.hpp"

namespace fs = std::filesystem;

namespace khost {
namespace {

constexpr int wait_for_writer = 2000;  // milliseconds
constexpr const char* points = "SELECT step, value FROM point WHERE series = ? ORDER BY step";

// Of one finished trial.
SQLite::Statement series_of(SQLite::Database& db, const TrialKey& trial, const std::string& order) {
  SQLite::Statement series(db,
                           "SELECT s.id, s.probe, s.name, s.unit FROM trial t JOIN series s ON s.trial = t.id WHERE t.base = ? "
                           "AND t.draw = ? AND t.arm = ? AND t.seed = ? AND t.status = 'done' ORDER BY " +
                               order);
  bind_to(series, 1, trial.base), bind_to(series, 2, trial.draw), bind_to(series, 3, trial.arm);
  bind_to(series, 4, static_cast<std::int64_t>(trial.seed));
  return series;
}

std::uint64_t unsigned_of(const SQLite::Column& column) { return static_cast<std::uint64_t>(column.getInt64()); }

void read_head(SQLite::Database& db, Run& run) {
  SQLite::Statement row(db, "SELECT experiment, title, hash, published, command, manifest, started, finished FROM run");
  if (!row.executeStep()) return;
  int i = 0;
  for (std::string* to :
       {&run.experiment, &run.title, &run.hash, &run.published, &run.command, &run.manifest, &run.started, &run.finished})
    *to = row.getColumn(i++).getString();
}

// Of each trial: those of the whole trial, and of steps what is not finite.
void read_records(SQLite::Database& db, std::map<std::int64_t, TrialResult*>& trials) {
  SQLite::Statement row(
      db,
      "SELECT s.trial, s.probe, s.name, p.step, p.value, s.unit FROM point p INDEXED BY notable JOIN series s ON "
      "p.series = s.id WHERE p.step < 0 OR p.value IS NULL OR abs(p.value) > 1.7976931348623157e308 ORDER BY "
      "s.trial, s.id, p.step");
  while (row.executeStep())
    if (const auto found = trials.find(row.getColumn(0).getInt64()); found != trials.end()) {
      std::vector<RecordSeries>& all = found->second->series;
      const std::string probe = row.getColumn(1), name = row.getColumn(2);
      if (all.empty() || all.back().name != name || all.back().probe != probe) all.push_back({probe, name, row.getColumn(5)});
      all.back().points.push_back({row.getColumn(3).getInt64(), double_of(row.getColumn(4))});
    }
}

void read_trials(SQLite::Database& db, Run& run) {
  std::vector<std::int64_t> ids;
  SQLite::Statement row(db,
                        "SELECT id, base, draw, arm, seed, hash, status, message, seconds, reused, adapter_parameters, "
                        "trainable_parameters FROM trial ORDER BY id");
  while (row.executeStep()) {
    ids.push_back(row.getColumn(0));
    TrialResult& t = run.trials.emplace_back();
    t.key = {row.getColumn(3), row.getColumn(1), row.getColumn(2).getInt64(), unsigned_of(row.getColumn(4))};
    t.hash = row.getColumn(5).getString();
    t.status = row.getColumn(6).getString();
    t.message = row.getColumn(7).getString();
    t.seconds = row.getColumn(8).getDouble();
    t.reused = row.getColumn(9).getInt() != 0;
    t.adapter_parameters = row.getColumn(10).getInt64();
    t.trainable_parameters = row.getColumn(11).getInt64();
  }
  std::map<std::int64_t, TrialResult*> trials;
  for (std::size_t i = 0; i < ids.size(); ++i) trials[ids[i]] = &run.trials[i];
  read_records(db, trials);
  SQLite::Statement artifact(db, "SELECT trial, file, sha256 FROM artifact");
  while (artifact.executeStep())
    if (const auto found = trials.find(artifact.getColumn(0).getInt64()); found != trials.end())
      found->second->artifacts.push_back({artifact.getColumn(1), artifact.getColumn(2)});
}

void read_rest(SQLite::Database& db, Run& run) {
  run.environment = read_environment(db, "trials");
  run.artifacts = read_environment(db, "bases");
  SQLite::Statement plugin(db, "SELECT kind, name, path, content FROM plugin");
  while (plugin.executeStep())
    run.plugins.push_back({plugin.getColumn(0), plugin.getColumn(1), plugin.getColumn(2), plugin.getColumn(3)});
  SQLite::Statement base(db, "SELECT name, draw, hash, how, file_sha256 FROM base ORDER BY position");
  while (base.executeStep())
    run.bases.push_back(
        {base.getColumn(0), base.getColumn(1).getInt64(), base.getColumn(2), base.getColumn(3), base.getColumn(4)});
  SQLite::Statement definition(db, "SELECT probe, name, unit, doc, noise, instance FROM definition ORDER BY id");
  while (definition.executeStep())
    run.definitions.push_back({definition.getColumn(0), definition.getColumn(1), definition.getColumn(2), definition.getColumn(3),
                               definition.getColumn(4), definition.getColumn(5)});
  // A run of an older khost is read as it is: its folder may be read-only. In version 1 an arm had the same noise on all bases.
  const bool by_base = db.execAndGet("PRAGMA user_version").getInt() >= 2;
  SQLite::Statement noise(db, by_base ? "SELECT base, arm, record, mean, low, high FROM noise"
                                      : "SELECT DISTINCT trial.base, noise.arm, record, mean, low, high FROM noise JOIN trial "
                                        "ON trial.arm = noise.arm");
  while (noise.executeStep())
    run.nulls[{noise.getColumn(0), noise.getColumn(1)}][noise.getColumn(2)] = {
        double_of(noise.getColumn(3)), double_of(noise.getColumn(4)), double_of(noise.getColumn(5))};
  Json::List claims;
  SQLite::Statement claim(db, "SELECT detail FROM claim ORDER BY id");
  while (claim.executeStep()) claims.push_back(parse_json(claim.getColumn(0).getString(), "run.db"));
  run.claims = std::move(claims);
}

}  // namespace

struct RunReader::Open {
  explicit Open(const std::string& path) : db(path, SQLite::OPEN_READONLY, wait_for_writer) {}
  SQLite::Database db;
};

RunReader::RunReader(const std::string& run) {
  std::error_code none;
  path_ = fs::is_directory(run, none) ? run + "/run.db" : run;
  folder_ = fs::path(path_).parent_path();
  if (folder_.empty()) folder_ = ".";
  if (!fs::is_regular_file(path_, none))
    throw Error(ErrorKind::usage, "there is no run in '" + run + "': " + path_ + " is not there")
        .hint("khost run prints the run's folder at its end");
  with_database("read", path_, [&] {
    open_ = std::make_unique<Open>(path_);
    bool is_new = false;
    check_run_database(open_->db, path_, is_new);
    if (is_new || open_->db.execAndGet("SELECT count(*) FROM run").getInt() == 0)
      throw Error(ErrorKind::usage, "'" + path_ + "' holds no run yet");
  });
}

RunReader::~RunReader() = default;

Run RunReader::run() const {
  return with_database("read", path_, [&] {
    SQLite::Transaction as_one(open_->db);  // a run may be writing
    Run run;
    run.folder = folder_;
    read_head(open_->db, run);
    read_trials(open_->db, run);
    read_rest(open_->db, run);
    return run;
  });
}

std::vector<RunReader::Identity> RunReader::identities() const {
  return with_database("read", path_, [&] {
    std::vector<Identity> all;
    SQLite::Statement row(open_->db, "SELECT arm, base, draw, seed, hash, identity, status FROM trial ORDER BY id");
    while (row.executeStep())
      all.push_back({{row.getColumn(0), row.getColumn(1), row.getColumn(2).getInt64(), unsigned_of(row.getColumn(3))},
                     row.getColumn(4),
                     parse_json(row.getColumn(5).getString(), "run.db"),
                     row.getColumn(6).getString() == "done"});
    return all;
  });
}

void RunReader::each_record(const TrialKey& trial, const std::function<void(const Record&)>& visit,
                            const std::function<bool(const std::string&, const std::string&)>& wants) const {
  with_database("read", path_, [&] {
    SQLite::Transaction as_one(open_->db);
    SQLite::Statement series = series_of(open_->db, trial, "s.id");
    SQLite::Statement point(open_->db, points);
    while (series.executeStep()) {
      Record record{series.getColumn(1), series.getColumn(2), -1, 0, series.getColumn(3)};
      if (wants && !wants(record.probe, record.name)) continue;
      bind_to(point, 1, series.getColumn(0).getInt64());
      while (point.executeStep()) {
        record.step = point.getColumn(0).getInt64();
        record.value = double_of(point.getColumn(1));
        visit(record);
      }
      point.reset();
    }
  });
}

void RunReader::each_series(const std::function<void(const TrialKey&, const RecordSeries&)>& visit) const {
  with_database("read", path_, [&] {
    SQLite::Transaction as_one(open_->db);
    struct Named {
      TrialKey trial;
      RecordSeries series;
    };
    std::map<std::int64_t, Named> named;
    SQLite::Statement row(open_->db,
                          "SELECT s.id, t.arm, t.base, t.draw, t.seed, s.probe, s.name, s.unit FROM series s JOIN trial t ON "
                          "s.trial = t.id WHERE t.status = 'done'");
    while (row.executeStep())
      named.emplace(row.getColumn(0).getInt64(),
                    Named{{row.getColumn(1), row.getColumn(2), row.getColumn(3).getInt64(), unsigned_of(row.getColumn(4))},
                          {row.getColumn(5), row.getColumn(6), row.getColumn(7)}});
    // In the order of the table's key, so that a series is whole before the next begins.
    SQLite::Statement point(open_->db, "SELECT series, step, value FROM point WHERE step >= 0 ORDER BY series, step");
    auto current = named.end();
    const auto give = [&] {
      if (current == named.end()) return;
      visit(current->second.trial, current->second.series);
      current->second.series.points = {};
    };
    while (point.executeStep()) {
      const std::int64_t series = point.getColumn(0).getInt64();
      if (current == named.end() || current->first != series) {
        give();
        current = named.find(series);
        if (current == named.end()) continue;
      }
      current->second.series.points.push_back({point.getColumn(1).getInt64(), double_of(point.getColumn(2))});
    }
    give();
  });
}

struct RunReader::Cursor::Open {
  Open(SQLite::Database& db, const std::string& file, const TrialKey& trial)
      : path(file), series(series_of(db, trial, "s.probe, s.name")), point(db, points) {}
  std::string path;
  SQLite::Statement series, point;
  bool within = false;  // a series
};

RunReader::Cursor::Cursor(std::unique_ptr<Open> open) : open_(std::move(open)) {}
RunReader::Cursor::Cursor(Cursor&&) noexcept = default;
RunReader::Cursor::~Cursor() = default;

bool RunReader::Cursor::next(Record& record) {
  return with_database("read", open_->path, [&] {
    while (!open_->within || !open_->point.executeStep()) {
      if (open_->within) open_->point.reset();
      if (!(open_->within = open_->series.executeStep())) return false;
      record.probe = open_->series.getColumn(1).getString();
      record.name = open_->series.getColumn(2).getString();
      record.unit = open_->series.getColumn(3).getString();
      bind_to(open_->point, 1, open_->series.getColumn(0).getInt64());
    }
    record.step = open_->point.getColumn(0).getInt64();
    record.value = double_of(open_->point.getColumn(1));
    return true;
  });
}

RunReader::Cursor RunReader::records_of(const TrialKey& trial) const {
  return with_database("read", path_, [&] { return Cursor(std::make_unique<Cursor::Open>(open_->db, path_, trial)); });
}

}  // namespace khost
