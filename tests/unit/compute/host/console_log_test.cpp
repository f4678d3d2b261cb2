#include "compute/host/console_log.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "tests/support/temporary_directory.h"

namespace virga::compute {
namespace {

const InstanceId id = InstanceId::trusted("i-0123456789abcdef0");

class ConsoleLogsTest : public testing::Test {
 protected:
  void guest_writes(const std::string& text) {
    std::ofstream(logs_.files(id).console_log, std::ios::app | std::ios::binary) << text;
  }
  test::TemporaryDirectory directory_;
  ConsoleLogs logs_ = ConsoleLogs::create(directory_.path() / "consoles").value();
};

TEST_F(ConsoleLogsTest, IsEmptyBeforeTheFirstStart) { EXPECT_EQ(logs_.tail(id).value(), ""); }

TEST_F(ConsoleLogsTest, GivesTheLast64KiB) {
  guest_writes(std::string(100'000, 'a') + "end");

  const auto tail = logs_.tail(id).value();

  EXPECT_EQ(tail.size(), ConsoleLogs::kept_bytes);
  EXPECT_TRUE(tail.ends_with("aend"));
}

TEST_F(ConsoleLogsTest, Threat_F05_CutsALargeFileAndKeepsItsEnd) {
  guest_writes(std::string(ConsoleLogs::rotated_at_bytes, 'a') + "old end\n");

  logs_.rotate();

  EXPECT_EQ(std::filesystem::file_size(logs_.files(id).console_log), 0U);
  EXPECT_TRUE(logs_.tail(id).value().ends_with("aold end\n"));
  guest_writes("new\n");
  EXPECT_TRUE(logs_.tail(id).value().ends_with("aold end\nnew\n"));
  EXPECT_EQ(logs_.tail(id).value().size(), ConsoleLogs::kept_bytes);
}

TEST_F(ConsoleLogsTest, Threat_F05_NoLinkPlantedInTheDirectoryIsWrittenThroughOrRead) {
  const auto target = directory_.path() / "precious";
  const std::string large(ConsoleLogs::rotated_at_bytes + 1, 's');
  std::ofstream(target) << large;
  auto planted = std::filesystem::path(logs_.files(id).console_log);
  guest_writes(std::string(ConsoleLogs::rotated_at_bytes + 1, 'a'));
  std::filesystem::create_symlink(target, planted.replace_extension(".new"));

  logs_.rotate();

  EXPECT_EQ(std::filesystem::file_size(target), large.size());
  EXPECT_EQ(std::filesystem::file_size(logs_.files(id).console_log), 0U) << "the log is cut all the same";

  std::filesystem::remove(logs_.files(id).console_log);
  std::filesystem::create_symlink(target, logs_.files(id).console_log);
  logs_.rotate();
  EXPECT_EQ(std::filesystem::file_size(target), large.size());
  EXPECT_FALSE(logs_.tail(id));
}

TEST_F(ConsoleLogsTest, LeavesSmallFilesAlone) {
  guest_writes(std::string(ConsoleLogs::rotated_at_bytes, 'a'));

  logs_.rotate();

  EXPECT_EQ(std::filesystem::file_size(logs_.files(id).console_log), ConsoleLogs::rotated_at_bytes);
}

TEST_F(ConsoleLogsTest, RemovesAllOfAnInstanceAndNothingElse) {
  const auto other = InstanceId::trusted("i-0123456789abcdef1");
  guest_writes(std::string(ConsoleLogs::rotated_at_bytes + 1, 'a'));
  logs_.rotate();
  std::ofstream(logs_.files(id).vnc_socket) << "stands for the socket";
  std::ofstream(logs_.files(other).console_log) << "other";

  logs_.remove(id);

  EXPECT_EQ(logs_.tail(id).value(), "");
  EXPECT_FALSE(std::filesystem::exists(logs_.files(id).vnc_socket));
  EXPECT_EQ(logs_.tail(other).value(), "other");
}

TEST_F(ConsoleLogsTest, Threat_F02_QemuWritesNoDirectoryThatRootWritesIn) {
  const auto files = logs_.files(id);
  const auto logs = std::filesystem::path(files.console_log).parent_path();
  const auto screens = std::filesystem::path(files.vnc_socket).parent_path();
  ASSERT_TRUE(logs_.give_to({.uid = ::geteuid(), .gid = ::getegid()}));

  EXPECT_EQ(std::filesystem::path(files.console_socket).parent_path(), logs);
  EXPECT_NE(screens, logs);
  for (const auto& directory : {logs, screens}) {
    struct stat status {};
    ASSERT_EQ(::stat(directory.c_str(), &status), 0) << directory;
    EXPECT_EQ(status.st_mode & 0777U, 0700U) << directory;
  }
}

TEST_F(ConsoleLogsTest, DoesNotFollowALinkPlantedInItsPlace) {
  std::ofstream(directory_.path() / "secret") << "secret";
  std::filesystem::create_symlink(directory_.path() / "secret", logs_.files(id).console_log);

  EXPECT_FALSE(logs_.tail(id));
}

TEST(ConsoleLogs, RefusesADirectoryTooDeepForSockets) {
  EXPECT_FALSE(ConsoleLogs::create("/tmp/" + std::string(90, 'x')));
}

}  // namespace
}  // namespace virga::compute
