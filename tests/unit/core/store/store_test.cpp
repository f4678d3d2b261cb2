#include "core/store/store.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>

#include <sys/stat.h>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "core/store/migrations.h"
#include "tests/support/temporary_directory.h"

namespace virga::store {
namespace {

class StoreTest : public testing::Test {
 protected:
  void open() { store_ = *Store::open(file()); }
  std::string file() const { return (directory_.path() / "virga.db").string(); }
  void SetUp() override { open(); }

  Result<void> set(const std::string& name, const std::string& value) {
    return store_->write([&](Transaction& tx) -> Result<void> {
      tx.execute("INSERT INTO setting (name, value) VALUES (?, ?)", name, value);
      return {};
    });
  }
  std::int64_t count() {
    return *store_->read(
        [](Transaction& tx) -> Result<std::int64_t> { return tx.number("SELECT count(*) FROM setting"); });
  }

  std::string read_file() const {
    std::ifstream stream(file(), std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  void write_file(const std::string& bytes) const { std::ofstream(file(), std::ios::binary) << bytes; }

  test::TemporaryDirectory directory_;
  std::unique_ptr<Store> store_;
};

TEST_F(StoreTest, WhatWasWrittenIsThereAfterReopening) {
  ASSERT_TRUE(set("a", "1"));

  store_.reset();
  open();

  EXPECT_EQ(count(), 1);
}

TEST_F(StoreTest, AnErrorRollsBackAllOfTheTransaction) {
  const auto done = store_->write([](Transaction& tx) -> Result<void> {
    tx.execute("INSERT INTO setting (name, value) VALUES ('a', '1')");
    return fail(Code::incorrect_state, "no");
  });

  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::incorrect_state);
  EXPECT_EQ(count(), 0);
}

TEST_F(StoreTest, ADryRunKeepsNothingAndIsNoError) {
  const auto done = store_->write_or_roll_back([](Transaction& tx) -> Result<Outcome> {
    tx.execute("INSERT INTO setting (name, value) VALUES ('a', '1')");
    return Outcome::roll_back;
  });

  EXPECT_TRUE(done);
  EXPECT_EQ(count(), 0);
}

TEST_F(StoreTest, AnExceptionIsAnInternalErrorAndRollsBack) {
  const auto done = store_->write([](Transaction& tx) -> Result<void> {
    tx.execute("INSERT INTO setting (name, value) VALUES ('a', '1')");
    tx.execute("INSERT INTO setting (name, value) VALUES ('a', 'twice')");
    return {};
  });

  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::internal);
  EXPECT_EQ(done.error().message.find("setting"), std::string::npos) << "SQL must not reach the caller";
  EXPECT_EQ(count(), 0);
}

TEST_F(StoreTest, OneOfManyParallelWritersFailsAlone) {
  std::atomic<int> failed = 0;
  std::vector<std::jthread> threads;
  for (int i = 0; i < 32; ++i)
    threads.emplace_back([&, i] {
      const auto done = store_->write([&](Transaction& tx) -> Result<void> {
        tx.execute("INSERT INTO setting (name, value) VALUES (?, ?)", std::to_string(i), "v");
        if (i % 4 == 0) return fail(Code::incorrect_state, "no");
        return {};
      });
      if (!done) ++failed;
    });
  threads.clear();

  EXPECT_EQ(failed, 8);
  EXPECT_EQ(count(), 24);
}

TEST_F(StoreTest, ReadingCannotWrite) {
  const auto done = store_->read([](Transaction& tx) -> Result<void> {
    tx.execute("INSERT INTO setting (name, value) VALUES ('a', '1')");
    return {};
  });

  EXPECT_FALSE(done);
  EXPECT_EQ(count(), 0);
}

TEST_F(StoreTest, OnlyACommitThatAskedForItWakesTheReconcilers) {
  std::atomic<int> woken = 0;
  store_->on_wake([&] { ++woken; });

  ASSERT_TRUE(set("quiet", "1"));
  EXPECT_EQ(woken, 0);
  EXPECT_FALSE(store_->write([](Transaction& tx) -> Result<void> {
    tx.wake_reconcilers();
    return fail(Code::incorrect_state, "no");
  }));
  EXPECT_EQ(woken, 0);
  ASSERT_TRUE(store_->write([](Transaction& tx) -> Result<void> {
    tx.wake_reconcilers();
    return {};
  }));
  EXPECT_EQ(woken, 1);
}

TEST_F(StoreTest, Threat_H07_ADatabaseOfANewerVersionIsRefusedWithAdvice) {
  ASSERT_TRUE(store_->write([](Transaction& tx) -> Result<void> {
    tx.execute("INSERT INTO migration (number, name) VALUES (9999, 'from the future')");
    return {};
  }));
  store_.reset();

  const auto reopened = Store::open(file());

  ASSERT_FALSE(reopened);
  EXPECT_NE(reopened.error().message.find("newer version"), std::string::npos);
  EXPECT_NE(reopened.error().message.find("Start that version again"), std::string::npos);
}

TEST_F(StoreTest, Threat_H07_EveryOlderSchemaMigrates) {
  const auto all = migrations();
  for (std::size_t last = 0; last < all.size(); ++last) {
    const auto old = (directory_.path() / ("old" + std::to_string(last) + ".db")).string();
    {
      SQLite::Database database(old, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
      database.exec("CREATE TABLE migration (number INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT");
      for (std::size_t i = 0; i < last; ++i) {
        database.exec(all[i].sql);
        SQLite::Statement insert(database, "INSERT INTO migration (number, name) VALUES (?, ?)");
        insert.bind(1, static_cast<int>(i) + 1);
        insert.bind(2, all[i].name);
        insert.exec();
      }
    }
    auto opened = Store::open(old);
    ASSERT_TRUE(opened) << "from schema " << last << ": " << describe(opened.error());
    EXPECT_EQ((*opened)->schema_version(), static_cast<int>(all.size()));
  }
}

TEST_F(StoreTest, Threat_H07_ADamagedDatabaseIsRefusedWithAdviceAndNotTouched) {
  for (int i = 0; i < 2000; ++i) ASSERT_TRUE(set("name " + std::to_string(i), std::string(100, 'x')));
  store_.reset();
  const auto whole = read_file();
  const auto spoil = [&](std::size_t from, std::size_t length, char with) {
    auto bytes = whole;
    for (std::size_t at = from; at < std::min(from + length, bytes.size()); ++at) bytes[at] = with;
    return bytes;
  };
  constexpr std::size_t page = 4096;
  const std::vector<std::string> broken = {spoil(0, 16, 'x'),
                                           spoil(page, page, '\0'),
                                           spoil(whole.size() - page, page, '\xff'),
                                           spoil(whole.size() / 2 / page * page, 8, '\xff'),
                                           whole.substr(0, whole.size() / 2 / page * page),
                                           "no database at all"};
  for (std::size_t i = 0; i < broken.size(); ++i) {
    write_file(broken[i]);
    const auto opened = Store::open(file());
    ASSERT_FALSE(opened) << "case " << i;
    EXPECT_NE(opened.error().message.find("put back the last backup"), std::string::npos)
        << "case " << i << ": " << opened.error().message;
    EXPECT_EQ(read_file(), broken[i]) << "case " << i;
  }
}

TEST_F(StoreTest, Threat_H07_AnotherProgramsDatabaseIsRefused) {
  store_.reset();
  std::filesystem::remove(file());
  SQLite::Database(file(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE).exec("CREATE TABLE mail (text TEXT)");

  const auto opened = Store::open(file());

  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().message.find("another program"), std::string::npos);
}

TEST_F(StoreTest, Threat_E07_DatabaseFilesAreTheOwnersAlone) {
  ASSERT_TRUE(set("a", "1"));

  for (const auto& entry : std::filesystem::directory_iterator(directory_.path())) {
    struct stat info {};
    ASSERT_EQ(stat(entry.path().c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 077, 0u) << entry.path();
  }
}

TEST_F(StoreTest, EveryTableIsStrict) {
  const auto loose = *store_->read([](Transaction& tx) -> Result<std::vector<std::string>> {
    return tx.all(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND strict = 0 AND name NOT LIKE 'sqlite_%'",
        [](Row& row) { return row.text(0); });
  });

  EXPECT_EQ(loose, std::vector<std::string>{});
}

}  // namespace
}  // namespace virga::store
