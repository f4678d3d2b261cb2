#include "core/store/migrations.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "core/store/store.h"
#include "tests/support/temporary_directory.h"

namespace virga::store {
namespace {

/// A database as a version with fewer migrations left it, opened by this one.
class MigrationTest : public testing::Test {
 protected:
  /// Rows are put in by hand, without what they refer to.
  void given(int migrations_applied, const std::string& rows) {
    SQLite::Database db(file(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    db.exec("PRAGMA foreign_keys = OFF");
    db.exec("CREATE TABLE migration (number INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT");
    for (int number = 1; number <= migrations_applied; ++number) {
      const auto& migration = migrations()[static_cast<std::size_t>(number - 1)];
      db.exec(migration.sql);
      db.exec(fmt::format("INSERT INTO migration VALUES ({}, '{}')", number, migration.name));
    }
    db.exec(rows);
  }
  template <class Function>
  auto after(Function function) {
    auto store = Store::open(file());
    EXPECT_TRUE(store) << describe(store.error());
    return *(*store)->read([&](Transaction& tx) -> Result<decltype(function(tx))> { return function(tx); });
  }
  static std::string instance(int number, const std::string& account, int vcpus, bool on_host) {
    return fmt::format(
        "INSERT INTO instance (id, number, account, reservation, launch_index, image, root_device, instance_type, vcpus,"
        " memory_mib, zone, host, holds_capacity, vpc, subnet, state, power, shutdown_timeout_s, shutdown_behavior,"
        " protect_termination, protect_stop, http_tokens, http_endpoint, http_hop_limit, metadata_tags, launched_ms,"
        " created_ms) VALUES ('i-{0}', {0}, '{1}', '', 0, '', '', '', {2}, 1, '', 'h', {3}, '', '', '{4}', 'running', 0,"
        " 'stop', 0, 0, '', '', 1, '', 0, 0);",
        number, account, vcpus, on_host ? 1 : 0, on_host ? "running" : "stopped");
  }
  std::string file() const { return (directory_.path() / "virga.db").string(); }

  test::TemporaryDirectory directory_;
};

TEST_F(MigrationTest, VcpusOfStoppedInstancesAreGivenBack) {
  given(3, instance(1, "one", 2, true) + instance(2, "one", 4, false) + instance(3, "two", 8, false) +
               "INSERT INTO quota (account, name, used, max_value) VALUES ('one', 'vcpus', 6, 10),"
               " ('two', 'vcpus', 8, NULL), ('one', 'instances', 2, NULL);");

  const auto used = after([](Transaction& tx) {
    return tx.all("SELECT account || ' ' || name || ' ' || used FROM quota ORDER BY account, name",
                  [](Row& row) { return row.text(0); });
  });

  EXPECT_EQ(used, (std::vector<std::string>{"one instances 2", "one vcpus 2", "two vcpus 0"}));
}

TEST_F(MigrationTest, HostsFromBeforeKeepTheirKeyAndHaveNoIdentityYet) {
  given(5, "INSERT INTO host (name, endpoint, zones) VALUES ('h', 'unix:x', '[]'), ('g', 'unix:y', '[]')");

  const auto hosts = after([](Transaction& tx) {
    return tx.all("SELECT name || ' ' || label || ' ' || identity FROM host ORDER BY name",
                  [](Row& row) { return row.text(0); });
  });

  EXPECT_EQ(hosts, (std::vector<std::string>{"g g ", "h h "}));
}

TEST_F(MigrationTest, WhatHostsAreToBeToldStaysAsItWas) {
  given(9, "INSERT INTO host (name, endpoint, zones) VALUES ('h', 'unix:x', '[]');"
           "INSERT INTO wanted (host, kind, id, generation, digest, pushed, removed) VALUES"
           " ('h', 'volume', 'vol-1', 7, 'd', 5, 0), ('h', 'vpc', 'vpc-1', 2, 'e', 2, 1);"
           "INSERT INTO outbox (kind, id) VALUES ('instance', 'i-1');");

  const auto rows = after([](Transaction& tx) {
    return tx.all(
        "SELECT host || ' ' || kind || ' ' || id || ' ' || generation || digest || pushed || removed FROM wanted"
        " UNION ALL SELECT kind || ' ' || id FROM outbox",
        [](Row& row) { return row.text(0); });
  });

  EXPECT_EQ(rows, (std::vector<std::string>{"h volume vol-1 7d50", "h vpc vpc-1 2e21", "instance i-1"}));
}

TEST_F(MigrationTest, PublicImagesFromBeforeAreTheOperatorsAndSayWhatTheySaid) {
  given(9,
        "INSERT INTO image (id, account, name, description, public, state, root_device, min_memory_mib, bytes, created_ms)"
        " VALUES ('ami-1', 'a', 'public', '', 1, 'available', '', 1, 'ami-1', 0),"
        " ('ami-2', 'a', 'private', '', 0, 'available', '', 1, 'ami-2', 0),"
        " ('ami-3', 'a', 'copy', '', 0, 'available', '', 1, 'ami-1', 0)");

  const auto images = after([](Transaction& tx) {
    return tx.all("SELECT id || ' ' || provided || ena_support || boot_mode FROM image ORDER BY id",
                  [](Row& row) { return row.text(0); });
  });

  EXPECT_EQ(images, (std::vector<std::string>{"ami-1 11legacy-bios", "ami-2 01legacy-bios", "ami-3 01legacy-bios"}));
}

}  // namespace
}  // namespace virga::store
