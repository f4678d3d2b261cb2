// Snapshots of volumes that no guest has open, with the real qemu-img in the real sandbox.

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "core/unique_fd.h"
#include "tests/integration/storage_fixture.h"
#include "tests/support/eventually.h"

namespace virga::storage {
namespace {

using namespace std::chrono_literals;

const auto snapshot_id = SnapshotId::trusted("snap-0123456789abcdef0");
const auto other_volume = VolumeId::trusted("vol-0123456789abcdef1");

class StorageSnapshot : public StorageImport {
 protected:
  static WantedVolume wanted(std::uint64_t size_gib, const ImageId& image = {}) {
    return {.id = volume_id, .generation = 1, .number = 1, .size_gib = size_gib, .image = image, .snapshot = {}};
  }
  static WantedVolume based(std::uint64_t size_gib) {
    return {
        .id = other_volume, .generation = 1, .number = 2, .size_gib = size_gib, .image = {}, .snapshot = snapshot_id};
  }
  static WantedSnapshot wanted_snapshot(std::uint64_t size_gib = 1) {
    return {.id = snapshot_id, .generation = 1, .volume = volume_id, .size_gib = size_gib};
  }
  void make(const WantedVolume& volume) {
    const auto made = backend_->create(volume);
    ASSERT_TRUE(made.has_value()) << describe(made.error());
  }
  void take(const WantedVolume& volume) {
    const auto taken = backend_->snapshot(wanted_snapshot(), volume);
    ASSERT_TRUE(taken.has_value()) << describe(taken.error());
  }
  std::string path() { return backend_->path(volume_id); }
  std::string snapshot_path() { return directory_.path("storage/snapshots/snap-0123456789abcdef0.qcow2"); }
  /// qemu-io on a volume's file.
  void write(const std::string& file, const std::string& what) { tool({"qemu-io", "-f", "qcow2", "-c", what, file}); }
  void expect_equal(const std::string& one, const std::string& other) {
    tool({"qemu-img", "compare", "-f", "qcow2", "-F", "qcow2", one, other});
  }
  bool is_empty(const char* folder) { return std::filesystem::is_empty(directory_.path(folder)); }
  struct stat status_of(const std::string& file) {
    struct stat status {};
    EXPECT_EQ(::stat(file.c_str(), &status), 0) << file;
    return status;
  }
};

TEST_F(StorageSnapshot, HasWhatTheVolumeAndItsImageHaveAndStandsAlone) {
  ASSERT_TRUE(backend_->import_image(image_id, raw_disk()).has_value());
  make(wanted(1, image_id));
  write(path(), "write -P 0x5a 1M 64k");

  take(wanted(1, image_id));

  expect_equal(snapshot_path(), path());
  EXPECT_FALSE(info(snapshot_path()).contains("backing-filename"));
  EXPECT_EQ(info(snapshot_path())["virtual-size"], gib);
  const auto listed = backend_->list_snapshots();
  ASSERT_EQ(listed->size(), 1U);
  EXPECT_TRUE(listed->front().ready);
  EXPECT_GT(listed->front().file_bytes, 0U);
  EXPECT_TRUE(is_empty("storage/spool"));
  EXPECT_EQ(status_of(path()).st_uid, 0U);
}

TEST_F(StorageSnapshot, DoesNotChangeWithItsVolume) {
  make(wanted(1));
  write(path(), "write -P 0x11 0 1M");
  take(wanted(1));
  const auto before = directory_.read("storage/snapshots/snap-0123456789abcdef0.qcow2");

  write(path(), "write -P 0x22 0 4M");
  EXPECT_TRUE(backend_->snapshot(wanted_snapshot(), wanted(1)).has_value()) << "it exists";
  ASSERT_TRUE(backend_->remove(volume_id).has_value());

  EXPECT_EQ(directory_.read("storage/snapshots/snap-0123456789abcdef0.qcow2"), before);
}

TEST_F(StorageSnapshot, ALargerVolumeIsMadeFromItAndGrowsAndIsCopiedAgain) {
  make(wanted(1));
  write(path(), "write -P 0x33 512M 1M");
  take(wanted(1));

  make(based(3));
  const auto& volume = backend_->path(other_volume);
  EXPECT_EQ(backend_->backing(based(3)), (std::vector{snapshot_path()}));
  EXPECT_EQ(info(volume)["backing-filename"], snapshot_path());
  EXPECT_EQ(info(volume)["virtual-size"], 3 * gib);
  write(volume, "read -P 0x33 512M 1M");
  ASSERT_TRUE(backend_->resize(other_volume, 4).has_value());
  write(volume, "write -P 0x44 3500M 1M");

  auto second = wanted_snapshot(4);
  second.id = SnapshotId::trusted("snap-0123456789abcdef1");
  second.volume = other_volume;
  const auto taken = backend_->snapshot(second, based(4));
  ASSERT_TRUE(taken.has_value()) << describe(taken.error());
  expect_equal(directory_.path("storage/snapshots/snap-0123456789abcdef1.qcow2"), volume);

  auto smaller = based(3);
  smaller.id = VolumeId::trusted("vol-0123456789abcdef2");
  smaller.snapshot = second.id;
  EXPECT_EQ(backend_->create(smaller).error().code, Code::invalid_parameter_value);
  smaller.snapshot = SnapshotId::trusted("snap-0123456789abcdef9");
  EXPECT_EQ(backend_->create(smaller).error().code, Code::incorrect_state);
}

TEST_F(StorageSnapshot, ARemovedOneGoesWithTheLastVolumeOnIt) {
  make(wanted(1));
  write(path(), "write -P 0x55 0 1M");
  take(wanted(1));
  make(based(1));

  ASSERT_TRUE(backend_->remove_snapshot(snapshot_id).has_value());
  EXPECT_TRUE(backend_->list_snapshots()->empty());
  open(directory_.path("storage"), {});
  EXPECT_TRUE(backend_->remove_leftovers().has_value());
  EXPECT_TRUE(backend_->list_snapshots()->empty());
  write(backend_->path(other_volume), "read -P 0x55 0 1M");
  auto late = based(1);
  late.id = VolumeId::trusted("vol-0123456789abcdef2");
  EXPECT_EQ(backend_->create(late).error().code, Code::incorrect_state) << "nothing new is made from it";

  ASSERT_TRUE(backend_->remove(other_volume).has_value());
  EXPECT_TRUE(is_empty("storage/snapshots"));
}

TEST_F(StorageSnapshot, OneWithoutVolumesGoesAtOnce) {
  make(wanted(1));
  take(wanted(1));
  make(based(1));
  ASSERT_TRUE(backend_->remove(other_volume).has_value());

  EXPECT_TRUE(backend_->remove_snapshot(snapshot_id).has_value());
  EXPECT_TRUE(backend_->remove_snapshot(snapshot_id).has_value()) << "removing what is gone is no error";

  EXPECT_TRUE(is_empty("storage/snapshots"));
}

TEST_F(StorageSnapshot, WithoutRoomNothingIsMade) {
  make(wanted(1));
  open(directory_.path("storage"),
       {.reserve = {.least_bytes = std::uint64_t{1} << 60}, .user = {}, .copying_user = {}});

  const auto taken = backend_->snapshot(wanted_snapshot(), wanted(1));
  ASSERT_FALSE(taken.has_value());
  EXPECT_EQ(taken.error().message, no_room_problem);
  const auto target = backend_->backup_target(wanted_snapshot(), wanted(1));
  ASSERT_FALSE(target.has_value());
  EXPECT_EQ(target.error().message, no_room_problem);

  for (const char* folder : {"storage/spool", "storage/backups", "storage/snapshots"}) EXPECT_TRUE(is_empty(folder));
}

TEST_F(StorageSnapshot, AVolumeThatAGuestHasOpenIsNotCopied) {
  make(wanted(1));
  // The locks that QEMU has on the disks of its guest.
  const UniqueFd guest(::open(path().c_str(), O_RDWR | O_CLOEXEC));
  for (const off_t first : {100, 200}) {
    struct flock lock {};
    lock.l_type = F_RDLCK;
    lock.l_whence = SEEK_SET;
    lock.l_start = first;
    lock.l_len = 4;
    ASSERT_EQ(::fcntl(guest.get(), F_OFD_SETLK, &lock), 0);
  }

  EXPECT_FALSE(backend_->snapshot(wanted_snapshot(), wanted(1)).has_value());

  EXPECT_TRUE(is_empty("storage/snapshots"));
  EXPECT_TRUE(is_empty("storage/spool"));
}

TEST_F(StorageSnapshot, AHypervisorsCopyBecomesOne) {
  make(wanted(2));
  const auto target = backend_->backup_target(wanted_snapshot(2), wanted(2));
  ASSERT_TRUE(target.has_value()) << describe(target.error());
  EXPECT_EQ(info(*target)["virtual-size"], 2 * gib);
  EXPECT_EQ(status_of(*target).st_mode & 07777U, 0600U);
  write(*target, "write -P 0x66 1M 1M");
  EXPECT_TRUE(backend_->list_snapshots()->empty());

  const auto adopted = backend_->adopt_backup(wanted_snapshot(2));

  ASSERT_TRUE(adopted.has_value()) << describe(adopted.error());
  write(snapshot_path(), "read -P 0x66 1M 1M");
  EXPECT_TRUE(is_empty("storage/backups"));
  EXPECT_TRUE(backend_->adopt_backup(wanted_snapshot(2)).has_value()) << "it exists";
  auto other = wanted_snapshot(2);
  other.id = SnapshotId::trusted("snap-0123456789abcdef9");
  EXPECT_EQ(backend_->adopt_backup(other).error().code, Code::incorrect_state);
}

TEST_F(StorageSnapshot, WhatAKillLeavesIsRemovedAndTheCopyBeginsAgain) {
  make(wanted(1));
  write(path(), "write -P 0x77 0 600M");
  const auto unfinished = directory_.path("storage/spool/snap-0123456789abcdef0.output/image.qcow2");
  const auto target = backend_->backup_target(wanted_snapshot(), wanted(1));
  ASSERT_TRUE(target.has_value());
  const pid_t role = ::fork();
  if (role == 0) {
    (void)backend_->snapshot(wanted_snapshot(), wanted(1));
    ::_exit(0);
  }
  ASSERT_GT(role, 0);
  const bool begun = test::eventually(60s, [&] { return std::filesystem::exists(unfinished); });
  ::kill(role, SIGKILL);
  int ended = 0;
  ASSERT_EQ(::waitpid(role, &ended, 0), role);
  ASSERT_TRUE(begun);

  open(directory_.path("storage"), {});
  EXPECT_TRUE(backend_->list_snapshots()->empty());
  // The tool dies with its role, but not at the same moment.
  ASSERT_TRUE(test::eventually(20s, [&] {
    return backend_->remove_leftovers().has_value() && is_empty("storage/spool") && is_empty("storage/backups");
  }));
  ASSERT_TRUE(test::eventually(20s, [&] { return backend_->snapshot(wanted_snapshot(), wanted(1)).has_value(); }));
  expect_equal(snapshot_path(), path());
  EXPECT_EQ(status_of(path()).st_uid, 0U);
}

class Threat_E01_Snapshot : public StorageSnapshot {};

// A hypervisor that was broken into has made another file of the host the data, or the base, of its volume.
TEST_F(Threat_E01_Snapshot, AHeaderThatNamesAnotherFileReachesNothing) {
  const auto victim = directory_.write("victim", std::string(1 << 20, 'v'));
  ASSERT_EQ(::chmod(victim.c_str(), 0666), 0);
  tool({"qemu-img", "create", "-q", "-f", "qcow2", "-o", "data_file=" + victim + ",data_file_raw=on",
        directory_.path("hostile.qcow2"), "1G"});
  directory_.write("victim", std::string(1 << 20, 'v'));
  make(wanted(1));
  const auto target = backend_->backup_target(wanted_snapshot(), wanted(1));
  ASSERT_TRUE(target.has_value());
  for (const auto& file : {path(), *target})
    std::filesystem::copy_file(directory_.path("hostile.qcow2"), file,
                               std::filesystem::copy_options::overwrite_existing);

  EXPECT_FALSE(backend_->snapshot(wanted_snapshot(), wanted(1)).has_value());
  EXPECT_FALSE(backend_->adopt_backup(wanted_snapshot()).has_value());

  EXPECT_TRUE(is_empty("storage/snapshots"));
  EXPECT_EQ(directory_.read("victim"), std::string(1 << 20, 'v'));
}

TEST_F(Threat_E01_Snapshot, AHeaderThatNamesAnotherBaseReachesNothing) {
  make(wanted(1));
  write(path(), "write -P 0x12 2M 1M");
  const auto victim = directory_.write("victim", std::string(1 << 20, 'v'));
  ASSERT_EQ(::chmod(victim.c_str(), 0666), 0);
  tool({"qemu-img", "rebase", "-u", "-f", "qcow2", "-F", "raw", "-b", victim, path()});

  take(wanted(1));

  EXPECT_FALSE(info(snapshot_path()).contains("backing-filename"));
  write(snapshot_path(), "read -P 0 0 2M");
  write(snapshot_path(), "read -P 0x12 2M 1M");
}

class Threat_E02_Snapshot : public StorageSnapshot {};

TEST_F(Threat_E02_Snapshot, AHeaderThatTheGuestWroteIntoItsDiskIsData) {
  const auto victim = directory_.write("victim", std::string(1 << 20, 'v'));
  tool({"qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", victim, directory_.path("inner.qcow2"), "1G"});
  make(wanted(1));
  write(path(), "write -s " + directory_.path("inner.qcow2") + " 0 64k");

  take(wanted(1));
  make(based(2));

  expect_equal(snapshot_path(), path());
  write(backend_->path(other_volume), "read 0 64k");
  tool({"qemu-img", "dd", "-f", "qcow2", "-O", "raw", "if=" + snapshot_path(), "of=" + directory_.path("head"),
        "bs=512", "count=1"});
  EXPECT_EQ(directory_.read("head"), directory_.read("inner.qcow2").substr(0, 512));
}

class Threat_E03_Snapshot : public StorageSnapshot {};

// The disk's size is what a hypervisor wrote into the header: it buys no room, and no time.
TEST_F(Threat_E03_Snapshot, ADiskThatIsNoVolumesIsRefused) {
  make(wanted(1));
  {
    std::fstream file(path(), std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(24);
    file << std::string("\x40\0\0\0\0\0\0\0", 8);
  }

  EXPECT_FALSE(backend_->snapshot(wanted_snapshot(), wanted(1)).has_value());
  EXPECT_FALSE(backend_->backup_target(wanted_snapshot(), wanted(1)).has_value());

  EXPECT_TRUE(is_empty("storage/snapshots"));
}

class Threat_E07_Snapshot : public StorageSnapshot {};

TEST_F(Threat_E07_Snapshot, NobodyReadsItButTheHostAndTheToolThatCopiesIt) {
  make(wanted(1));
  take(wanted(1));

  const auto status = status_of(snapshot_path());
  EXPECT_EQ(status.st_mode & 07777U, 0440U);
  EXPECT_EQ(status.st_uid, 0U);
  EXPECT_EQ(status.st_gid, ImportLimits{}.copying_user.gid);
}

}  // namespace
}  // namespace virga::storage
