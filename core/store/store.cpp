#include "core/store/store.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "core/assert.h"
#include "core/store/migrations.h"

namespace virga::store {

/// A database handle with its prepared statements. One thread at a time.
class Connection {
 public:
  Connection(const std::string& path, int flags) : database(path, flags, busy_timeout_ms) {
    sqlite3* handle = database.getHandle();
    sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    sqlite3_limit(handle, SQLITE_LIMIT_LENGTH, 16 << 20);
    sqlite3_limit(handle, SQLITE_LIMIT_SQL_LENGTH, 64 << 10);
    sqlite3_limit(handle, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_limit(handle, SQLITE_LIMIT_EXPR_DEPTH, 100);
    database.exec("PRAGMA foreign_keys=ON; PRAGMA trusted_schema=OFF;");
  }

  /// A prepared statement; `busy` while it is being stepped, when it must not be reset under the one who steps.
  struct Prepared {
    std::unique_ptr<SQLite::Statement> statement;
    bool busy = false;
  };
  Prepared& prepare(Sql sql) {
    auto& slot = statements_[sql.text()];
    if (!slot.statement) slot.statement = std::make_unique<SQLite::Statement>(database, sql.text());
    return slot;
  }

  SQLite::Database database;
  bool wake = false;  // the running transaction asked for the reconcilers

 private:
  static constexpr int busy_timeout_ms = 10'000;
  std::unordered_map<const char*, Prepared> statements_;
};

namespace {

void bind_all(SQLite::Statement& statement, std::initializer_list<Value> values) {
  int index = 1;
  for (const Value& value : values) {
    std::visit(
        [&](const auto& v) {
          if constexpr (std::is_same_v<std::decay_t<decltype(v)>, std::nullptr_t>) {
            statement.bind(index);
          } else {
            statement.bind(index, v);
          }
        },
        value);
    ++index;
  }
}

/// A cached statement is left reset and unbound whatever happens between.
class Use {
 public:
  Use(Connection::Prepared& prepared, std::initializer_list<Value> values) : prepared_(prepared) {
    VIRGA_ASSERT(!prepared_.busy);  // the same statement, nested in itself
    prepared_.busy = true;
    bind_all(*prepared_.statement, values);
  }
  ~Use() {
    prepared_.statement->tryReset();
    prepared_.statement->clearBindings();
    prepared_.busy = false;
  }
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;

 private:
  Connection::Prepared& prepared_;
};

}  // namespace

bool Row::is_null(int column) const { return statement_.isColumnNull(column); }
std::int64_t Row::integer(int column) const { return statement_.getColumn(column).getInt64(); }
double Row::real(int column) const { return statement_.getColumn(column).getDouble(); }
std::string Row::text(int column) const { return statement_.getColumn(column).getString(); }
std::optional<std::int64_t> Row::optional_integer(int column) const {
  return is_null(column) ? std::nullopt : std::optional(integer(column));
}
std::optional<std::string> Row::optional_text(int column) const {
  return is_null(column) ? std::nullopt : std::optional(text(column));
}

std::int64_t Transaction::execute_values(Sql sql, std::initializer_list<Value> values) {
  auto& prepared = connection_.prepare(sql);
  const Use use(prepared, values);
  return prepared.statement->exec();
}

void Transaction::query(Sql sql, std::initializer_list<Value> values, const std::function<bool(Row&)>& row) {
  auto& prepared = connection_.prepare(sql);
  const Use use(prepared, values);
  Row current(*prepared.statement);
  while (prepared.statement->executeStep() && row(current)) {
  }
}

std::int64_t Transaction::last_insert_rowid() const { return connection_.database.getLastInsertRowid(); }

void Transaction::wake_reconcilers() { connection_.wake = true; }

namespace {

Error damaged(const std::string& how) {
  return {Code::internal,
          "The database is damaged (" + how.substr(0, 200) +
              "). Nothing was changed in it. Stop virga, keep a copy of the file with its -wal, and put back the last "
              "backup.",
          {}};
}

/// One caller's function waiting for the writer thread, living on the caller's stack.
struct Job {
  const std::function<Result<Outcome>(Transaction&)>* function = nullptr;
  Result<Outcome> result = Outcome::commit;
  bool wake = false;
  bool done = false;
};

class SqliteStore final : public Store {
 public:
  explicit SqliteStore(const std::string& path)
      : path_(path), writer_(path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE) {}

  Result<void> prepare() {
    TRY_VOID(check_ours());
    writer_.database.exec("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA journal_size_limit=67108864;");
    migrate();
    thread_ = std::jthread([this](const std::stop_token& stop) { serve(stop); });
    return {};
  }

  ~SqliteStore() override {
    thread_.request_stop();
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
  }

  void on_wake(std::function<void()> wake) override {
    const std::lock_guard lock(mutex_);
    wake_reconcilers_ = std::move(wake);
  }

  int schema_version() override { return static_cast<int>(migrations().size()); }

 protected:
  Result<void> run_write(const std::function<Result<Outcome>(Transaction&)>& function) override {
    VIRGA_ASSERT(std::this_thread::get_id() != thread_.get_id());
    Job job;
    job.function = &function;
    std::unique_lock lock(mutex_);
    queue_.push_back(&job);
    wake_.notify_one();
    finished_.wait(lock, [&] { return job.done; });
    lock.unlock();
    if (!job.result) return fail(std::move(job.result.error()));
    return {};
  }

  Result<void> run_read(const std::function<Result<void>(Transaction&)>& function) override try {
    auto connection = take_reader();
    Result<void> result;
    {
      SQLite::Transaction snapshot(connection->database);  // rolled back at the end: a read keeps nothing
      Transaction transaction(*connection);
      result = function(transaction);
    }
    give_back(std::move(connection));
    return result;
  } catch (const SQLite::Exception& error) {
    return fail(internal_error(std::string("database: ") + error.what()));
  }

 private:
  /// At most this many functions share one commit: a bound on how long the first of them waits for the others.
  static constexpr std::size_t max_batch = 64;
  static constexpr std::size_t max_idle_readers = 8;

  /// Nothing is written to a file that is damaged, another program's, or of a version to come.
  Result<void> check_ours() {
    auto& db = writer_.database;
    const auto verdict = db.execAndGet("PRAGMA quick_check(1)").getString();
    if (verdict != "ok") return fail(damaged(verdict));
    if (!db.tableExists("migration")) {
      if (db.execAndGet("SELECT count(*) FROM sqlite_schema").getInt() == 0) return {};
      return fail(Code::internal, "The file is the database of another program. Point virga at its own.", path_);
    }
    const int applied = db.execAndGet("SELECT coalesce(max(number), 0) FROM migration").getInt();
    if (applied <= schema_version()) return {};
    return fail(Code::internal,
                fmt::format("The database was written by a newer version of virga (schema {}, this program knows {}). "
                            "Start that version again, or put back the backup made before it was first started.",
                            applied, schema_version()),
                path_);
  }

  void migrate() {
    auto& db = writer_.database;
    db.exec("CREATE TABLE IF NOT EXISTS migration (number INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT");
    const int applied = db.execAndGet("SELECT coalesce(max(number), 0) FROM migration").getInt();
    int number = 0;
    for (const Migration& migration : migrations()) {
      if (++number <= applied) continue;
      SQLite::Transaction transaction(db);
      db.exec(migration.sql);
      SQLite::Statement insert(db, "INSERT INTO migration (number, name) VALUES (?, ?)");
      insert.bind(1, number);
      insert.bind(2, migration.name);
      insert.exec();
      transaction.commit();
    }
  }

  void serve(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (true) {
      wake_.wait(lock, [&] { return stop.stop_requested() || !queue_.empty(); });
      if (queue_.empty()) return;
      std::vector<Job*> batch;
      while (!queue_.empty() && batch.size() < max_batch) {
        batch.push_back(queue_.front());
        queue_.pop_front();
      }
      lock.unlock();
      run_batch(batch);
      const bool wake = std::ranges::any_of(batch, &Job::wake);
      lock.lock();
      if (wake && wake_reconcilers_) wake_reconcilers_();
      for (Job* job : batch) job->done = true;
      finished_.notify_all();
    }
  }

  void run_batch(const std::vector<Job*>& batch) {
    try {
      writer_.database.exec("BEGIN IMMEDIATE");
      for (Job* job : batch) run_job(*job);
      writer_.database.exec("COMMIT");
    } catch (const std::exception& error) {
      spdlog::error("store: commit failed: {}", error.what());
      if (sqlite3_get_autocommit(writer_.database.getHandle()) == 0) writer_.database.tryExec("ROLLBACK");
      for (Job* job : batch) {
        job->wake = false;
        if (job->result) job->result = fail(internal_error(std::string("database: ") + error.what()));
      }
    }
  }

  /// Runs one function inside its own savepoint.
  void run_job(Job& job) {
    writer_.database.exec("SAVEPOINT job");
    writer_.wake = false;
    try {
      Transaction transaction(writer_);
      job.result = (*job.function)(transaction);
    } catch (const std::exception& error) {
      job.result = fail(internal_error(std::string("transaction: ") + error.what()));
    }
    if (job.result && *job.result == Outcome::commit) {
      job.wake = writer_.wake;
    } else {
      writer_.database.exec("ROLLBACK TO job");
    }
    writer_.database.exec("RELEASE job");
  }

  std::unique_ptr<Connection> take_reader() {
    {
      const std::lock_guard lock(readers_mutex_);
      if (!readers_.empty()) {
        auto connection = std::move(readers_.back());
        readers_.pop_back();
        return connection;
      }
    }
    auto connection = std::make_unique<Connection>(path_, SQLite::OPEN_READWRITE);
    connection->database.exec("PRAGMA query_only=ON");
    return connection;
  }
  void give_back(std::unique_ptr<Connection> connection) {
    const std::lock_guard lock(readers_mutex_);
    if (readers_.size() < max_idle_readers) readers_.push_back(std::move(connection));
  }

  std::string path_;
  Connection writer_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable finished_;
  std::deque<Job*> queue_;
  std::function<void()> wake_reconcilers_;
  std::mutex readers_mutex_;
  std::vector<std::unique_ptr<Connection>> readers_;
  std::jthread thread_;
};

}  // namespace

Result<std::unique_ptr<Store>> Store::open(const std::string& path) try {
  // SQLite creates files with the process's umask; the database holds sealed secrets and user data.
  const mode_t previous = umask(077);
  auto store = std::make_unique<SqliteStore>(path);
  umask(previous);
  TRY_VOID(store->prepare());
  return store;
} catch (const SQLite::Exception& error) {
  const int code = error.getErrorCode() & 0xff;
  if (code == SQLITE_NOTADB || code == SQLITE_CORRUPT) return fail(within(path, damaged(error.what())));
  return fail(Code::internal, "The database cannot be opened: " + std::string(error.what()), path);
} catch (const std::exception& error) {
  return fail(Code::internal, "The database cannot be opened: " + std::string(error.what()), path);
}

}  // namespace virga::store
