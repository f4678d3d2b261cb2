#include "compute/host/guest_user.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/support/temporary_directory.h"

namespace virga::compute {
namespace {

const FileOwner self{.uid = ::geteuid(), .gid = ::getegid()};

TEST(GuestUser, Threat_F02_LetsTheGroupReadAndNobodyElse) {
  const test::TemporaryDirectory directory;
  const auto file = (directory.path() / "base").string();
  std::ofstream(file) << "bytes";
  for (const mode_t mode : {0644U, 0444U, 0400U, 0440U}) {
    ASSERT_EQ(::chmod(file.c_str(), mode), 0);

    ASSERT_TRUE(let_read(file, self));

    struct stat status {};
    ASSERT_EQ(::stat(file.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777U, 0440U);
    EXPECT_EQ(status.st_uid, self.uid);
    EXPECT_EQ(status.st_gid, self.gid);
  }
}

TEST(GuestUser, Threat_F02_ChangesNothingBehindALink) {
  const test::TemporaryDirectory directory;
  const auto secret = (directory.path() / "secret").string();
  std::ofstream(secret) << "secret";
  ASSERT_EQ(::chmod(secret.c_str(), 0600), 0);
  const auto link = (directory.path() / "link").string();
  std::filesystem::create_symlink(secret, link);

  EXPECT_FALSE(let_read(link, self));
  EXPECT_FALSE(let_read(directory.path().string(), self));
  EXPECT_FALSE(let_read((directory.path() / "absent").string(), self));

  struct stat status {};
  ASSERT_EQ(::stat(secret.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0600U);
}

TEST(GuestUser, ItsReadersAreTheGroupOfItsName) {
  // Everywhere, root's group is named after it.
  const auto readers = guest_readers({.uid = 0, .gid = 12345});

  ASSERT_TRUE(readers);
  EXPECT_EQ(readers->gid, 0U);
}

TEST(GuestUser, AUserWithoutANameKeepsItsFirstGroup) {
  const auto readers = guest_readers({.uid = 3'999'999'999, .gid = 12345});

  ASSERT_TRUE(readers);
  EXPECT_EQ(readers->gid, 12345U);
}

}  // namespace
}  // namespace virga::compute
