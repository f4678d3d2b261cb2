#include "storage/host/simulated_volumes.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

namespace virga::storage {
namespace {

const auto ami = ImageId::trusted("ami-00000000000000001");
const auto first = VolumeId::trusted("vol-00000000000000001");
const auto second = VolumeId::trusted("vol-00000000000000002");

class SimulatedVolumesTest : public ::testing::Test {
 protected:
  SimulatedVolumesTest() {
    std::string name = (std::filesystem::temp_directory_path() / "virga-test-XXXXXX").string();
    directory_ = ::mkdtemp(name.data());
    restart();
  }
  ~SimulatedVolumesTest() override { std::filesystem::remove_all(directory_); }
  void restart() {
    volumes_.reset();
    faults_ = std::make_unique<Faults>();
    volumes_ = std::move(SimulatedVolumes::create(directory_ / "volumes", 10, *faults_).value());
  }
  static WantedVolume wanted(const VolumeId& id, std::uint64_t size_gib, const ImageId& image = {}) {
    return {.id = id, .generation = 1, .number = 1, .size_gib = size_gib, .image = image};
  }
  std::string file(const std::string& content) {
    const auto path = directory_ / "image";
    std::ofstream(path, std::ios::binary) << content;
    return path.string();
  }

  std::filesystem::path directory_;
  std::unique_ptr<Faults> faults_;
  std::unique_ptr<SimulatedVolumes> volumes_;
};

TEST_F(SimulatedVolumesTest, KeepsVolumesAndImagesOverARestart) {
  ASSERT_TRUE(volumes_->import_image(ami, file("abc")));
  ASSERT_TRUE(volumes_->create(wanted(first, 1, ami)));
  ASSERT_TRUE(volumes_->create(wanted(first, 1, ami)));
  restart();
  ASSERT_EQ(volumes_->list().value().size(), 1U);
  EXPECT_TRUE(volumes_->list().value()[0].ready);
  ASSERT_EQ(volumes_->list_images().value().size(), 1U);
  EXPECT_EQ(volumes_->list_images().value()[0].sha256,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(volumes_->list_images().value()[0].file_bytes, 3U);
}

TEST_F(SimulatedVolumesTest, ReadsTheSizeOfAQcow2) {
  std::string header("QFI\xfb\0\0\0\3", 8);
  header.resize(24, '\0');
  header += std::string("\0\0\0\0\x80\0\0\0", 8);
  header.resize(104, '\0');
  EXPECT_EQ(volumes_->import_image(ami, file(header))->virtual_bytes, 2ULL << 30);
}

TEST_F(SimulatedVolumesTest, RefusesFilesThatAreNone) {
  EXPECT_FALSE(volumes_->import_image(ami, "/nonexistent"));
  EXPECT_FALSE(volumes_->import_image(ami, directory_.string()));
  EXPECT_FALSE(volumes_->import_image(ami, file("")));
}

TEST_F(SimulatedVolumesTest, GrowsAVolumeAndNeverShrinksIt) {
  ASSERT_TRUE(volumes_->create(wanted(first, 2)));
  ASSERT_TRUE(volumes_->resize(first, 4));
  ASSERT_TRUE(volumes_->resize(first, 3));
  restart();
  EXPECT_EQ(volumes_->list().value().at(0).size_gib, 4U);
  EXPECT_EQ(volumes_->resize(first, 11).error().code, Code::insufficient_volume_capacity);
  EXPECT_EQ(volumes_->resize(second, 2).error().code, Code::incorrect_state);
  EXPECT_EQ(volumes_->list().value().at(0).size_gib, 4U);
}

TEST_F(SimulatedVolumesTest, HasTheRoomItWasTold) {
  ASSERT_TRUE(volumes_->create(wanted(first, 8)));
  EXPECT_EQ(volumes_->create(wanted(second, 3)).error().code, Code::insufficient_volume_capacity);
  ASSERT_TRUE(volumes_->remove(first));
  ASSERT_TRUE(volumes_->remove(first));
  EXPECT_TRUE(volumes_->create(wanted(second, 3)));
}

TEST_F(SimulatedVolumesTest, KeepsAnImageThatVolumesNeed) {
  EXPECT_EQ(volumes_->create(wanted(first, 1, ami)).error().code, Code::incorrect_state);
  ASSERT_TRUE(volumes_->import_image(ami, file("abc")));
  ASSERT_TRUE(volumes_->create(wanted(first, 1, ami)));
  EXPECT_EQ(volumes_->remove_image(ami).error().code, Code::incorrect_state);
  ASSERT_TRUE(volumes_->remove(first));
  EXPECT_TRUE(volumes_->remove_image(ami));
  EXPECT_TRUE(volumes_->list_images().value().empty());
}

TEST_F(SimulatedVolumesTest, RemovesWhatAnInterruptedWriteLeft) {
  std::ofstream(directory_ / "volumes" / "vol-00000000000000001.json.tmp") << "{";
  restart();
  EXPECT_TRUE(volumes_->list().value().empty());
  EXPECT_EQ(volumes_->remove_leftovers().value().size(), 1U);
  EXPECT_TRUE(volumes_->remove_leftovers().value().empty());
}

TEST_F(SimulatedVolumesTest, KeepsSnapshotsAndWhatLiesOnThemOverARestart) {
  const auto snapshot_id = SnapshotId::trusted("snap-0123456789abcdef0");
  WantedVolume source;
  source.id = VolumeId::trusted("vol-0123456789abcdef0");
  source.size_gib = 2;
  const WantedSnapshot snapshot{.id = snapshot_id, .generation = 1, .volume = source.id, .size_gib = 2};
  EXPECT_EQ(volumes_->snapshot(snapshot, source).error().code, Code::incorrect_state);
  ASSERT_TRUE(volumes_->create(source));
  EXPECT_EQ(volumes_->adopt_backup(snapshot).error().code, Code::incorrect_state);
  ASSERT_TRUE(volumes_->backup_target(snapshot, source));
  EXPECT_TRUE(volumes_->list_snapshots()->empty());
  ASSERT_TRUE(volumes_->adopt_backup(snapshot));
  auto based = source;
  based.id = VolumeId::trusted("vol-0123456789abcdef1");
  based.snapshot = snapshot_id;
  based.size_gib = 1;
  EXPECT_EQ(volumes_->create(based).error().code, Code::invalid_parameter_value);
  based.size_gib = 3;
  ASSERT_TRUE(volumes_->create(based));
  const auto file = volumes_->backing(based).front();

  ASSERT_TRUE(volumes_->remove_snapshot(snapshot_id));
  restart();
  EXPECT_TRUE(volumes_->list_snapshots()->empty());
  EXPECT_TRUE(std::filesystem::exists(file));

  ASSERT_TRUE(volumes_->remove(based.id));
  EXPECT_FALSE(std::filesystem::exists(file));
}

}  // namespace
}  // namespace virga::storage
