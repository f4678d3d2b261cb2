#pragma once

// The store: one SQLite file, the single truth for what is wanted, who owns it and what was last seen.
//
// Writing: Store::write runs a function inside a transaction on the one writer thread. Functions that wait at the same
// time share one commit (group commit); each has its own savepoint, so one that fails rolls back alone. write() returns
// after the commit is durable (WAL, synchronous=FULL). Reading: Store::read runs a function on a pooled read connection,
// in a snapshot. Neither may be held while calling a host, a child process or the network.
//
// SQL text is a literal, checked by the compiler (type Sql): no statement is ever built from strings.

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "core/ids.h"
#include "core/result.h"
#include "core/time.h"

namespace SQLite {
class Statement;
}

namespace virga::store {

/// A statement's text: only a string literal converts to it.
class Sql {
 public:
  template <std::size_t N>
  consteval Sql(const char (&text)[N]) : text_(text) {}  // NOLINT(google-explicit-constructor)
  const char* text() const { return text_; }

 private:
  const char* text_;
};

/// A value bound to a `?` of a statement.
using Value = std::variant<std::nullptr_t, std::int64_t, double, std::string>;

namespace detail {
template <class T>
Value to_value(const T& value) {
  if constexpr (std::is_same_v<T, std::nullptr_t> || std::is_same_v<T, std::nullopt_t>) {
    return nullptr;
  } else if constexpr (std::is_same_v<T, bool> || std::is_integral_v<T>) {
    return static_cast<std::int64_t>(value);
  } else if constexpr (std::is_floating_point_v<T>) {
    return static_cast<double>(value);
  } else if constexpr (std::is_same_v<T, Time>) {
    return value.ms;
  } else if constexpr (std::is_convertible_v<const T&, std::string_view>) {
    return std::string(std::string_view(value));
  } else if constexpr (requires { value.str(); }) {
    return value.str().empty() ? Value(nullptr) : Value(value.str());
  } else {
    return value ? to_value(*value) : Value(nullptr);  // std::optional
  }
}
}  // namespace detail

/// One row of a result; columns count from 0. Valid only inside the mapping function it is passed to.
class Row {
 public:
  explicit Row(SQLite::Statement& statement) : statement_(statement) {}
  bool is_null(int column) const;
  std::int64_t integer(int column) const;
  int int32(int column) const { return static_cast<int>(integer(column)); }
  bool boolean(int column) const { return integer(column) != 0; }
  double real(int column) const;
  std::string text(int column) const;
  Time time(int column) const { return {integer(column)}; }
  std::optional<std::int64_t> optional_integer(int column) const;
  std::optional<std::string> optional_text(int column) const;
  /// An id column; empty when NULL.
  template <class IdType>
  IdType id(int column) const {
    return is_null(column) ? IdType() : IdType::trusted(text(column));
  }

 private:
  SQLite::Statement& statement_;
};

class Connection;

/// A transaction, or a read snapshot. Statements are prepared once per connection.
/// Throws SQLite::Exception on trouble with the database itself; Store::write and Store::read turn it into an Error.
class Transaction {
 public:
  explicit Transaction(Connection& connection) : connection_(connection) {}
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  /// Runs a statement without rows; returns the number of rows changed.
  template <class... Args>
  std::int64_t execute(Sql sql, const Args&... args) {
    return execute_values(sql, {detail::to_value(args)...});
  }
  /// Calls `row(Row&)` for each row; when it returns bool, false ends the loop.
  template <class Function, class... Args>
  void for_each(Sql sql, Function&& row, const Args&... args) {
    query(sql, {detail::to_value(args)...}, [&](Row& r) {
      if constexpr (std::is_same_v<std::invoke_result_t<Function&, Row&>, bool>) {
        return static_cast<bool>(row(r));
      } else {
        row(r);
        return true;
      }
    });
  }
  /// All rows, mapped.
  template <class Function, class... Args>
  auto all(Sql sql, Function&& map, const Args&... args) {
    std::vector<std::decay_t<std::invoke_result_t<Function&, Row&>>> rows;
    for_each(sql, [&](Row& r) { rows.push_back(map(r)); }, args...);
    return rows;
  }
  /// The first row, mapped, if there is one.
  template <class Function, class... Args>
  auto one(Sql sql, Function&& map, const Args&... args) {
    std::optional<std::decay_t<std::invoke_result_t<Function&, Row&>>> found;
    for_each(
        sql,
        [&](Row& r) {
          found = map(r);
          return false;
        },
        args...);
    return found;
  }
  /// The first column of the first row as a number; 0 when there is no row or it is NULL.
  template <class... Args>
  std::int64_t number(Sql sql, const Args&... args) {
    return one(sql, [](Row& r) { return r.is_null(0) ? 0 : r.integer(0); }, args...).value_or(0);
  }
  template <class... Args>
  bool exists(Sql sql, const Args&... args) {
    return one(sql, [](Row&) { return true; }, args...).has_value();
  }
  std::int64_t last_insert_rowid() const;

  /// Once this transaction is durably committed (never when it is rolled back), Store::on_wake's function is called.
  void wake_reconcilers();

 private:
  std::int64_t execute_values(Sql sql, std::initializer_list<Value> values);
  void query(Sql sql, std::initializer_list<Value> values, const std::function<bool(Row&)>& row);
  Connection& connection_;
};

/// What a write function wants to happen to its changes when it returns a value.
enum class Outcome { commit, roll_back };

class Store {
 public:
  /// Opens or creates the database file and brings its schema up to date. `path` may not be shared by two stores.
  static Result<std::unique_ptr<Store>> open(const std::string& path);
  virtual ~Store() = default;

  /// Runs `function(Transaction&)`, which returns a Result<T>, in a write transaction. An error rolls back.
  /// Calls from many threads are run one after the other; do not call from inside `function`.
  template <class Function>
  auto write(Function&& function) -> std::invoke_result_t<Function&, Transaction&> {
    std::optional<std::invoke_result_t<Function&, Transaction&>> result;
    auto status = run_write([&](Transaction& transaction) -> Result<Outcome> {
      result.emplace(function(transaction));
      if (!*result) return fail(result->error());
      return Outcome::commit;
    });
    if (!status) return fail(std::move(status.error()));
    return std::move(*result);
  }
  /// The same, but `function` returns the value together with whether to keep its changes (DryRun rolls back).
  Result<void> write_or_roll_back(const std::function<Result<Outcome>(Transaction&)>& function) {
    return run_write(function);
  }
  /// Runs `function(Transaction&)`, which returns a Result<T>, on a consistent snapshot. Writing in it fails.
  template <class Function>
  auto read(Function&& function) -> std::invoke_result_t<Function&, Transaction&> {
    std::optional<std::invoke_result_t<Function&, Transaction&>> result;
    auto status = run_read([&](Transaction& transaction) -> Result<void> {
      result.emplace(function(transaction));
      return {};
    });
    if (!status) return fail(std::move(status.error()));
    return std::move(*result);
  }
  /// Sets what is called, on the writer thread and quickly, after a commit that asked for it (wake_reconcilers).
  virtual void on_wake(std::function<void()> wake) = 0;
  /// Number of the newest migration applied.
  virtual int schema_version() = 0;

 protected:
  virtual Result<void> run_write(const std::function<Result<Outcome>(Transaction&)>& function) = 0;
  virtual Result<void> run_read(const std::function<Result<void>(Transaction&)>& function) = 0;
};

}  // namespace virga::store
