// Volumes that grow, with the real qemu-img in the real sandbox.

#include <fcntl.h>
#include <sys/stat.h>

#include "core/unique_fd.h"
#include "tests/integration/storage_fixture.h"

namespace virga::storage {
namespace {

class StorageResize : public StorageImport {
 protected:
  static WantedVolume wanted(std::uint64_t size_gib, const ImageId& image = {}) {
    WantedVolume volume;
    volume.id = volume_id;
    volume.size_gib = size_gib;
    volume.image = image;
    return volume;
  }
  void make(const WantedVolume& volume) {
    const auto made = backend_->create(volume);
    ASSERT_TRUE(made.has_value()) << describe(made.error());
  }
  std::string path() { return backend_->path(volume_id); }
  void expect_ours() {
    struct stat status {};
    ASSERT_EQ(::stat(path().c_str(), &status), 0);
    EXPECT_EQ(status.st_uid, 0U);
    EXPECT_EQ(status.st_gid, 0U);
    EXPECT_EQ(status.st_mode & 07777U, 0600U);
  }
  /// The first bytes of the disk.
  std::string beginning(std::size_t bytes) {
    tool({"qemu-img", "dd", "-f", "qcow2", "-O", "raw", "if=" + path(), "of=" + directory_.path("head"), "bs=1M",
          "count=8"});
    return directory_.read("head").substr(0, bytes);
  }
  void overwrite(std::uint64_t at, const std::string& bytes) {
    std::fstream file(path(), std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(static_cast<std::streamoff>(at));
    file << bytes;
  }
};

TEST_F(StorageResize, AnOverlayGrowsAndKeepsItsBytesAndItsBase) {
  ASSERT_TRUE(backend_->import_image(image_id, raw_disk()).has_value());
  make(wanted(1, image_id));
  tool({"qemu-io", "-f", "qcow2", "-c", "write -P 0x5a 1M 64k", path()});
  const auto before = beginning(8 << 20);
  ASSERT_EQ(before.size(), 8U << 20);
  ASSERT_EQ(before[(1 << 20) + 5], 0x5a);

  const auto grown = backend_->resize(volume_id, 3);

  ASSERT_TRUE(grown.has_value()) << describe(grown.error());
  EXPECT_EQ(backend_->list()->front().size_gib, 3U);
  EXPECT_EQ(info(path())["virtual-size"], std::uint64_t{3} << 30);
  EXPECT_EQ(info(path())["backing-filename"], image_path());
  EXPECT_EQ(info(path())["backing-filename-format"], "qcow2");
  EXPECT_EQ(beginning(8 << 20), before);
  tool({"qemu-img", "check", "-f", "qcow2", path()});
  expect_ours();
}

TEST_F(StorageResize, GrowsToTheLargestVolumeThereIs) {
  make(wanted(1));

  const auto grown = backend_->resize(volume_id, 16384);

  ASSERT_TRUE(grown.has_value()) << describe(grown.error());
  EXPECT_EQ(backend_->list()->front().size_gib, 16384U);
  tool({"qemu-img", "check", "-f", "qcow2", path()});
}

TEST_F(StorageResize, WhatIsLargeEnoughOrSmallerIsLeftAlone) {
  make(wanted(3));
  const auto before = directory_.read("storage/volumes/vol-0123456789abcdef0.qcow2");

  EXPECT_TRUE(backend_->resize(volume_id, 3).has_value());
  EXPECT_TRUE(backend_->resize(volume_id, 2).has_value());

  EXPECT_EQ(directory_.read("storage/volumes/vol-0123456789abcdef0.qcow2"), before);
}

TEST_F(StorageResize, AVolumeThatAGuestHasOpenIsNotTouched) {
  make(wanted(1));
  // The locks that QEMU has on the disks of its guest: one byte for each thing it does, and does not let others do.
  const UniqueFd guest(::open(path().c_str(), O_RDWR | O_CLOEXEC));
  for (const off_t first : {100, 200}) {
    struct flock lock {};
    lock.l_type = F_RDLCK;
    lock.l_whence = SEEK_SET;
    lock.l_start = first;
    lock.l_len = 4;
    ASSERT_EQ(::fcntl(guest.get(), F_OFD_SETLK, &lock), 0);
  }

  EXPECT_FALSE(backend_->resize(volume_id, 2).has_value());

  EXPECT_EQ(backend_->list()->front().size_gib, 1U);
  expect_ours();
}

class Threat_E01_Resize : public StorageResize {};

// A hypervisor that was broken into has made another file of the host the data of its volume.
TEST_F(Threat_E01_Resize, AHeaderThatNamesAnotherFileReachesNothing) {
  make(wanted(1));
  const auto victim = directory_.write("victim", std::string(4096, 'v'));
  ASSERT_EQ(::chmod(victim.c_str(), 0666), 0);
  tool({"qemu-img", "create", "-q", "-f", "qcow2", "-o", "data_file=" + victim + ",data_file_raw=on",
        directory_.path("hostile.qcow2"), "1G"});
  // Creating it has made the victim as large as the disk: a resize as root would do the same once more.
  directory_.write("victim", std::string(4096, 'v'));
  std::filesystem::copy_file(directory_.path("hostile.qcow2"), path(),
                             std::filesystem::copy_options::overwrite_existing);

  EXPECT_FALSE(backend_->resize(volume_id, 4).has_value());

  EXPECT_EQ(directory_.read("victim"), std::string(4096, 'v'));
}

// The same with a backing file: it is not opened, and the name in the header says no more than before.
TEST_F(Threat_E01_Resize, AHeaderThatNamesAnotherBaseReachesNothing) {
  make(wanted(1));
  const auto victim = directory_.write("victim", std::string(1 << 20, 'v'));
  tool({"qemu-img", "rebase", "-u", "-f", "qcow2", "-F", "raw", "-b", victim, path()});
  ASSERT_EQ(::chmod(victim.c_str(), 0), 0);

  const auto grown = backend_->resize(volume_id, 4);

  ASSERT_TRUE(grown.has_value()) << describe(grown.error());
  EXPECT_EQ(directory_.read("victim"), std::string(1 << 20, 'v'));
}

// What is no qcow2 at all is not grown, whatever another driver would make of it.
TEST_F(Threat_E01_Resize, AVolumeThatIsNoLongerAQcow2IsRefused) {
  make(wanted(1));
  overwrite(0, "KDMV");

  EXPECT_FALSE(backend_->resize(volume_id, 4).has_value());

  EXPECT_EQ(backend_->list()->front().size_gib, 0U);
}

}  // namespace
}  // namespace virga::storage
