#include "storage/host/qcow2_backend.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <functional>

#include "tests/support/image_samples.h"

namespace virga::storage {
namespace {

using namespace samples;

const auto image_id = ImageId::trusted("ami-0123456789abcdef0");
const auto volume_id = VolumeId::trusted("vol-0123456789abcdef0");
const auto snapshot_id = SnapshotId::trusted("snap-0123456789abcdef0");

/// Does what qemu-img would: `create` writes a header, the confined `convert` writes a qcow2 of the same size.
class FakeTools final : public CommandRunner {
 public:
  Result<CommandResult> run(const Command& command) override {
    commands.push_back(command.argv);
    if (meanwhile) meanwhile();
    if (next_result.exit_code != 0) return next_result;
    const auto& argv = command.argv;
    if (std::find(argv.begin(), argv.end(), "resize") != argv.end()) {
      const auto bind = std::find(argv.begin(), argv.end(), "--bind");
      std::fstream volume(*(bind + 1), std::ios::binary | std::ios::in | std::ios::out);
      volume.seekp(24) << Bytes(8).big64(0, std::stoull(argv.back()) << 30).str();
      return CommandResult{};
    }
    if (argv[0] == "bwrap") {
      const auto output = *(std::find(argv.begin(), argv.end(), "--bind") + 1) + "/" + converted_name;
      std::ofstream(output, std::ios::binary) << converted.str();
      return CommandResult{};
    }
    auto disk = qcow2();
    if (const auto base = std::find(argv.begin(), argv.end(), "-b"); base != argv.end())
      disk.big64(8, 512).big32(16, static_cast<std::uint32_t>((base + 1)->size())).text(512, *(base + 1));
    std::ofstream(argv[argv.size() - 2], std::ios::binary) << disk.str();
    return CommandResult{};
  }
  std::vector<std::vector<std::string>> commands;
  CommandResult next_result;
  std::function<void()> meanwhile;  ///< while the tool is at work
  Bytes converted = qcow2();
};

class Qcow2BackendTest : public testing::Test {
 protected:
  Qcow2BackendTest() { restart(); }
  void restart() {
    auto created = Qcow2Backend::create(
        {.directory = directory_.path("storage"),
         .runner = tools_,
         .limits = {.max_virtual_bytes = 2048 * gib,
                    .reserve = reserve_,
                    .user = {::geteuid(), ::getegid()},
                    .copying_user = {::geteuid(), ::getegid()}}});
    ASSERT_TRUE(created.has_value()) << describe(created.error());
    backend_ = std::move(*created);
  }
  Result<ObservedImage> import(const Bytes& content = qcow2()) {
    return backend_->import_image(image_id, directory_.write("upload", content.str()));
  }
  static WantedVolume volume(std::uint64_t size_gib, const ImageId& image = {}) {
    WantedVolume wanted;
    wanted.id = volume_id;
    wanted.size_gib = size_gib;
    wanted.image = image;
    return wanted;
  }
  /// Another volume, on the snapshot.
  static WantedVolume based(std::uint64_t size_gib) {
    auto wanted = volume(size_gib);
    wanted.id = VolumeId::trusted("vol-0123456789abcdef1");
    wanted.snapshot = snapshot_id;
    return wanted;
  }
  static WantedSnapshot snapshot() {
    return {.id = snapshot_id, .generation = 1, .volume = volume_id, .size_gib = 1};
  }
  mode_t mode_of(const std::string& name) {
    struct stat status {};
    return ::stat(directory_.path("storage/" + name).c_str(), &status) == 0 ? status.st_mode & 07777 : 0;
  }
  bool exists(const std::string& name) { return std::filesystem::exists(directory_.path("storage/" + name)); }

  TemporaryDirectory directory_;
  FakeTools tools_;
  Reserve reserve_{.least_bytes = 0, .percent = 0};
  std::unique_ptr<VolumeBackend> backend_;
};

TEST_F(Qcow2BackendTest, CreatesAnEmptyVolumeOnce) {
  ASSERT_TRUE(backend_->create(volume(2)).has_value());
  ASSERT_TRUE(backend_->create(volume(2)).has_value());

  EXPECT_EQ(tools_.commands.size(), 1U);
  const auto volumes = backend_->list();
  ASSERT_EQ(volumes->size(), 1U);
  EXPECT_EQ(volumes->front().id, volume_id);
  EXPECT_TRUE(volumes->front().ready);
  EXPECT_EQ(backend_->path(volume_id), directory_.path("storage/volumes/vol-0123456789abcdef0.qcow2"));
}

TEST_F(Qcow2BackendTest, GrowsAVolumeOnceAndNeverShrinksIt) {
  ASSERT_TRUE(backend_->create(volume(2)).has_value());
  EXPECT_EQ(backend_->list()->front().size_gib, 1U) << "what the header says, which is the tool's";

  ASSERT_TRUE(backend_->resize(volume_id, 4).has_value());
  ASSERT_TRUE(backend_->resize(volume_id, 4).has_value());
  ASSERT_TRUE(backend_->resize(volume_id, 3).has_value());

  EXPECT_EQ(backend_->list()->front().size_gib, 4U);
  ASSERT_EQ(tools_.commands.size(), 2U);
  const auto& argv = tools_.commands.back();
  EXPECT_EQ(argv.front(), "bwrap");
  EXPECT_EQ(argv.back(), "4G");
  EXPECT_NE(argv.at(argv.size() - 2).find(R"("driver":"qcow2")"), std::string::npos);
  EXPECT_NE(argv.at(argv.size() - 2).find(R"("backing":null)"), std::string::npos);
  EXPECT_EQ(mode_of("volumes/vol-0123456789abcdef0.qcow2"), 0600U);
}

TEST_F(Qcow2BackendTest, AVolumeThatCannotGrowStaysAsItWas) {
  EXPECT_EQ(backend_->resize(volume_id, 4).error().code, Code::incorrect_state);
  ASSERT_TRUE(backend_->create(volume(2)).has_value());
  tools_.next_result.exit_code = 1;

  EXPECT_FALSE(backend_->resize(volume_id, 4).has_value());

  EXPECT_EQ(backend_->list()->front().size_gib, 1U);
}

TEST_F(Qcow2BackendTest, RemovesAVolumeAndFreesItsSpace) {
  ASSERT_TRUE(backend_->create(volume(2)).has_value());

  EXPECT_TRUE(backend_->remove(volume_id).has_value());
  EXPECT_TRUE(backend_->remove(volume_id).has_value());

  EXPECT_TRUE(backend_->list()->empty());
  EXPECT_FALSE(exists("volumes/vol-0123456789abcdef0.qcow2"));
}

TEST_F(Qcow2BackendTest, RefusesAVolumeWhoseImageIsNotHere) {
  const auto result = backend_->create(volume(2, image_id));

  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, Code::incorrect_state);
}

TEST_F(Qcow2BackendTest, RefusesAVolumeSmallerThanItsImage) {
  tools_.converted = qcow2(3 * gib);
  ASSERT_TRUE(import(qcow2(3 * gib)).has_value());

  const auto result = backend_->create(volume(2, image_id));

  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, Code::invalid_parameter_value);
}

TEST_F(Qcow2BackendTest, LeavesNothingOfAVolumeThatCannotBeMade) {
  tools_.next_result.exit_code = 1;
  tools_.next_result.standard_error = "No space left on device";

  ASSERT_FALSE(backend_->create(volume(2)).has_value());

  EXPECT_TRUE(backend_->list()->empty());
  EXPECT_TRUE(std::filesystem::is_empty(directory_.path("storage/spool")));
}

TEST_F(Qcow2BackendTest, ImportsAnImageOnce) {
  const auto first = import();
  const auto second = import();

  ASSERT_TRUE(first.has_value()) << describe(first.error());
  ASSERT_TRUE(second.has_value());
  EXPECT_TRUE(first->ready);
  EXPECT_EQ(first->virtual_bytes, gib);
  EXPECT_EQ(first->file_bytes, qcow2().str().size());
  EXPECT_EQ(first->sha256.size(), 64U);
  EXPECT_EQ(second->sha256, first->sha256);
  EXPECT_EQ(tools_.commands.size(), 1U);
  EXPECT_TRUE(std::filesystem::is_empty(directory_.path("storage/spool")));
}

TEST_F(Qcow2BackendTest, KeepsAnImageWhileAVolumeIsBasedOnIt) {
  ASSERT_TRUE(import().has_value());
  ASSERT_TRUE(backend_->create(volume(2, image_id)).has_value());

  EXPECT_EQ(backend_->remove_image(image_id).error().code, Code::incorrect_state);
  ASSERT_TRUE(backend_->remove(volume_id).has_value());
  EXPECT_TRUE(backend_->remove_image(image_id).has_value());

  EXPECT_TRUE(backend_->remove_image(image_id).has_value());
  EXPECT_TRUE(backend_->list_images()->empty());
  EXPECT_TRUE(std::filesystem::is_empty(directory_.path("storage/images")));
}

TEST_F(Qcow2BackendTest, RemovesLeftoversOfACrashAndNothingElse) {
  ASSERT_TRUE(import().has_value());
  ASSERT_TRUE(backend_->create(volume(2, image_id)).has_value());
  std::filesystem::create_directory(directory_.path("storage/spool/ami-0aaaaaaaaaaaaaaaa.output"));
  directory_.write("storage/spool/ami-0aaaaaaaaaaaaaaaa.output/image.qcow2", "half");
  directory_.write("storage/spool/vol-0aaaaaaaaaaaaaaaa.qcow2", "half");
  directory_.write("storage/images/ami-0aaaaaaaaaaaaaaaa.qcow2", "without a record");
  directory_.write("storage/images/ami-0aaaaaaaaaaaaaaaa.json.tmp", "half");
  directory_.write("storage/images/notes.txt", "not ours");
  restart();

  const auto removed = backend_->remove_leftovers();

  ASSERT_TRUE(removed.has_value()) << describe(removed.error());
  EXPECT_EQ(removed->size(), 4U);
  EXPECT_TRUE(backend_->remove_leftovers()->empty());
  EXPECT_TRUE(exists("images/notes.txt"));
  EXPECT_EQ(backend_->list()->size(), 1U);
  EXPECT_TRUE(backend_->list_images()->front().ready);
}

TEST_F(Qcow2BackendTest, OneImageThatCannotBeReadHidesNoOther) {
  ASSERT_TRUE(import().has_value());
  std::filesystem::create_symlink("/etc/hostname", directory_.path("storage/images/ami-0aaaaaaaaaaaaaaaa.json"));

  const auto images = backend_->list_images();

  ASSERT_TRUE(images.has_value()) << describe(images.error());
  ASSERT_EQ(images->size(), 2U);
  EXPECT_TRUE(images->front().ready);
  EXPECT_FALSE(images->back().ready);
  EXPECT_NE(images->back().problem, "");
  EXPECT_TRUE(backend_->remove_image(images->back().id).has_value());
  EXPECT_EQ(backend_->list_images()->size(), 1U);
}

TEST_F(Qcow2BackendTest, SpaceIsThatOfTheFileSystem) {
  const auto space = backend_->space();

  EXPECT_GT(space->total_gib, 0);
  EXPECT_LE(space->free_gib, space->total_gib);
}

class Threat_E01_Import : public Qcow2BackendTest {};
TEST_F(Threat_E01_Import, NoToolSeesAFileThatOurOwnCheckRefuses) {
  const auto refused_bytes = qcow2().big64(8, 512).big32(16, 11).text(512, "/etc/shadow");

  const auto result = import(refused_bytes);

  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, Code::invalid_parameter_value);
  EXPECT_TRUE(tools_.commands.empty());
  EXPECT_TRUE(std::filesystem::is_empty(directory_.path("storage/spool")));
}

TEST_F(Threat_E01_Import, OnlyARegularFileIsRead) {
  const auto good = directory_.write("good", qcow2().str());
  std::filesystem::create_symlink(good, directory_.path("link"));
  ASSERT_EQ(::mkfifo(directory_.path("fifo").c_str(), 0600), 0);

  for (const auto& path : {directory_.path("link"), directory_.path("fifo"), directory_.path(),
                           directory_.path("absent"), std::string("/dev/zero"), directory_.path("good/x")}) {
    const auto result = backend_->import_image(image_id, path);
    ASSERT_FALSE(result.has_value()) << path;
    EXPECT_EQ(result.error().code, Code::invalid_parameter_value) << path << ": " << describe(result.error());
  }
  EXPECT_TRUE(tools_.commands.empty());
}

TEST_F(Threat_E01_Import, TheToolsResultIsCheckedToo) {
  for (const auto& bad : {qcow2(2 * gib), qcow2().big64(8, 512).big32(16, 4).text(512, "/etc"), raw(), Bytes(100)}) {
    tools_.converted = bad;
    EXPECT_FALSE(import().has_value());
    EXPECT_TRUE(std::filesystem::is_empty(directory_.path("storage/spool")));
    EXPECT_TRUE(std::filesystem::is_empty(directory_.path("storage/images")));
  }
}

class Threat_E02 : public Qcow2BackendTest {};
TEST_F(Threat_E02, EveryToolCallNamesTheFormatOfEveryFile) {
  ASSERT_TRUE(import().has_value());
  ASSERT_TRUE(backend_->create(volume(2, image_id)).has_value());

  const auto follows = [](const std::vector<std::string>& argv, const char* option, const char* value) {
    const auto found = std::find(argv.begin(), argv.end(), option);
    return found != argv.end() && found + 1 != argv.end() && *(found + 1) == value;
  };
  const auto& convert = tools_.commands.at(0);
  EXPECT_TRUE(follows(convert, "-O", "qcow2"));
  EXPECT_EQ(convert.at(convert.size() - 2),
            R"(json:{"backing":null,"driver":"qcow2","file":{"driver":"file","filename":"/input"}})");
  const auto& create = tools_.commands.at(1);
  EXPECT_TRUE(follows(create, "-f", "qcow2"));
  EXPECT_TRUE(follows(create, "-F", "qcow2"));
}

TEST_F(Threat_E01_Import, NoToolOutsideTheSandboxOpensAnImage) {
  ASSERT_TRUE(import().has_value());
  ASSERT_TRUE(backend_->create(volume(2, image_id)).has_value());

  for (const auto& argv : tools_.commands) {
    const bool names_an_image = std::find(argv.begin(), argv.end(), "-b") != argv.end();
    const bool opens_it = names_an_image && std::find(argv.begin(), argv.end(), "-u") == argv.end();
    EXPECT_TRUE(argv[0] == "bwrap" || !opens_it) << argv[0];
  }
  EXPECT_EQ(tools_.commands.size(), 2U);
}

class Threat_E03_Import : public Qcow2BackendTest {};
TEST_F(Threat_E03_Import, FailureAndTimeoutOfTheToolAreTheFilesFault) {
  tools_.next_result = {
      .exit_code = 137, .standard_output = {}, .standard_error = std::string(90'000, 'x'), .timed_out = true};

  const auto result = import();

  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, Code::invalid_parameter_value);
  EXPECT_LT(result.error().context.size(), 4400U);
}

TEST_F(Threat_E03_Import, ABrokenSandboxIsNotTheFilesFault) {
  tools_.next_result.exit_code = 1;
  tools_.next_result.standard_error = "bwrap: Creating new namespace failed";

  EXPECT_EQ(import().error().code, Code::internal);
}

class Threat_H05 : public Qcow2BackendTest {};
TEST_F(Threat_H05, BelowTheLowWaterMarkNothingNewIsMadeAndEverythingElseWorks) {
  ASSERT_TRUE(import().has_value());
  ASSERT_TRUE(backend_->create(volume(2, image_id)).has_value());
  reserve_.least_bytes = std::uint64_t{1} << 62;  // more than any file system has
  restart();

  auto other = volume(1);
  other.id = VolumeId::trusted("vol-0aaaaaaaaaaaaaaaa");
  EXPECT_EQ(backend_->create(other).error().code, Code::insufficient_volume_capacity);
  const auto upload = directory_.path("upload");
  const auto refused = backend_->import_image(ImageId::trusted("ami-0aaaaaaaaaaaaaaaa"), upload);
  EXPECT_EQ(refused.error().code, Code::insufficient_volume_capacity);

  EXPECT_EQ(backend_->space()->free_gib, 0);
  EXPECT_TRUE(backend_->create(volume(2, image_id)).has_value()) << "it exists";
  EXPECT_EQ(backend_->list()->size(), 1U);
  EXPECT_TRUE(backend_->remove(volume_id).has_value());
  EXPECT_TRUE(backend_->remove_image(image_id).has_value());
}

class Threat_E05 : public Qcow2BackendTest {};
TEST_F(Threat_E05, DeleteAfterAHalfMadeVolumeLeavesNoFile) {
  directory_.write("storage/spool/vol-0123456789abcdef0.qcow2", "half");
  restart();

  ASSERT_TRUE(backend_->create(volume(1)).has_value());
  ASSERT_TRUE(backend_->remove(volume_id).has_value());

  EXPECT_TRUE(std::filesystem::is_empty(directory_.path("storage/spool")));
  EXPECT_TRUE(std::filesystem::is_empty(directory_.path("storage/volumes")));
}

class Threat_E07 : public Qcow2BackendTest {};
TEST_F(Threat_E07, FilesCanBeReadByTheirOwnersOnly) {
  ASSERT_TRUE(import().has_value());
  ASSERT_TRUE(backend_->create(volume(2, image_id)).has_value());

  EXPECT_EQ(mode_of("volumes/vol-0123456789abcdef0.qcow2"), 0600U);
  EXPECT_EQ(mode_of("images/ami-0123456789abcdef0.qcow2"), 0444U);
  EXPECT_EQ(mode_of("spool"), 0700U);
  for (const auto* listable : {"", "images", "volumes"}) EXPECT_EQ(mode_of(listable), 0711U) << listable;
}

class Threat_E08 : public Qcow2BackendTest {};
TEST_F(Threat_E08, ASymbolicLinkInPlaceOfAFileIsNotFollowed) {
  const auto elsewhere = directory_.write("elsewhere", "untouched");
  std::filesystem::create_symlink(elsewhere, directory_.path("storage/volumes/vol-0123456789abcdef0.qcow2"));

  EXPECT_FALSE(backend_->create(volume(2)).has_value());

  EXPECT_EQ(directory_.read("elsewhere"), "untouched");
}

TEST_F(Threat_E08, ASymbolicLinkInPlaceOfADirectoryIsRefused) {
  std::filesystem::create_directory(directory_.path("other"));
  std::filesystem::create_directory_symlink(directory_.path("other"), directory_.path("linked"));

  EXPECT_FALSE(
      Qcow2Backend::create({.directory = directory_.path("linked"), .runner = tools_, .limits = {}}).has_value());
}

class Threat_E09 : public Qcow2BackendTest {};
TEST_F(Threat_E09, NoVolumeIsMadeOnAnImageWhoseBytesChanged) {
  ASSERT_TRUE(import().has_value());
  const auto file = directory_.path("storage/images/ami-0123456789abcdef0.qcow2");
  std::filesystem::permissions(file, std::filesystem::perms::owner_write, std::filesystem::perm_options::add);
  std::fstream(file, std::ios::in | std::ios::out | std::ios::binary).seekp(200'000).put('!');
  restart();

  const auto result = backend_->create(volume(2, image_id));

  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, Code::incorrect_state);
  EXPECT_FALSE(backend_->list_images()->front().ready);
}

TEST_F(Threat_E09, AnImageThatWasCutOffOrLostIsNotReady) {
  ASSERT_TRUE(import().has_value());
  std::filesystem::resize_file(directory_.path("storage/images/ami-0123456789abcdef0.qcow2"), 4096);
  EXPECT_FALSE(backend_->list_images()->front().ready);

  directory_.write("storage/images/ami-0aaaaaaaaaaaaaaaa.json", "{\"virtual_bytes\":\"x\"}");
  const auto images = backend_->list_images();
  ASSERT_EQ(images->size(), 2U);
  EXPECT_FALSE(images->at(1).problem.empty());
}

TEST_F(Qcow2BackendTest, ASnapshotIsMadeInTheSandboxFromWhatIsWanted) {
  EXPECT_EQ(backend_->snapshot(snapshot(), volume(1)).error().code, Code::incorrect_state);
  ASSERT_TRUE(import());
  ASSERT_TRUE(backend_->create(volume(1, image_id)));

  const auto made = backend_->snapshot(snapshot(), volume(1, image_id));

  ASSERT_TRUE(made) << describe(made.error());
  const auto& argv = tools_.commands.back();
  EXPECT_EQ(argv.front(), "bwrap");
  const auto source = *(argv.end() - 2);
  EXPECT_TRUE(source.starts_with("json:")) << source;
  EXPECT_NE(source.find("/base-1"), std::string::npos) << source;
  EXPECT_EQ(source.find(directory_.path()), std::string::npos) << "no file of the host is named: " << source;
  EXPECT_EQ(mode_of("snapshots/snap-0123456789abcdef0.qcow2"), 0440U);
  EXPECT_TRUE(std::filesystem::is_empty(directory_.path("storage/spool")));
  const auto listed = backend_->list_snapshots();
  ASSERT_EQ(listed->size(), 1U);
  EXPECT_TRUE(listed->front().ready);

  const auto commands = tools_.commands.size();
  EXPECT_TRUE(backend_->snapshot(snapshot(), volume(1, image_id)));
  EXPECT_EQ(tools_.commands.size(), commands) << "made once";
}

TEST_F(Qcow2BackendTest, ACopyThatFailsOrIsOfAnotherSizeIsNoSnapshot) {
  ASSERT_TRUE(backend_->create(volume(1)));
  tools_.next_result = {.exit_code = 1, .standard_output = {}, .standard_error = "damaged"};
  EXPECT_FALSE(backend_->snapshot(snapshot(), volume(1)));
  tools_.next_result = {};
  tools_.converted = qcow2(2 * gib);
  EXPECT_FALSE(backend_->snapshot(snapshot(), volume(1)));

  EXPECT_TRUE(backend_->list_snapshots()->empty());
  EXPECT_TRUE(std::filesystem::is_empty(directory_.path("storage/snapshots")));
  EXPECT_TRUE(std::filesystem::is_empty(directory_.path("storage/spool")));
}

TEST_F(Qcow2BackendTest, ARemovedSnapshotStaysForTheVolumesOnItOverARestart) {
  ASSERT_TRUE(backend_->create(volume(1)));
  ASSERT_TRUE(backend_->snapshot(snapshot(), volume(1)));
  ASSERT_TRUE(backend_->create(based(2)));
  EXPECT_EQ(backend_->backing(based(2)),
            std::vector<std::string>{directory_.path("storage/snapshots/snap-0123456789abcdef0.qcow2")});

  ASSERT_TRUE(backend_->remove_snapshot(snapshot_id));
  EXPECT_TRUE(backend_->list_snapshots()->empty());
  restart();
  ASSERT_TRUE(backend_->remove_leftovers());
  EXPECT_TRUE(exists("snapshots/snap-0123456789abcdef0.qcow2"));
  EXPECT_TRUE(backend_->list_snapshots()->empty());

  ASSERT_TRUE(backend_->remove(based(2).id));
  EXPECT_TRUE(std::filesystem::is_empty(directory_.path("storage/snapshots")));
}

TEST_F(Qcow2BackendTest, AnInterruptedVolumeOnASnapshotDoesNotKeepIt) {
  ASSERT_TRUE(backend_->create(volume(1)));
  ASSERT_TRUE(backend_->snapshot(snapshot(), volume(1)));
  tools_.next_result.exit_code = 1;
  EXPECT_FALSE(backend_->create(based(2)));
  tools_.next_result = {};
  directory_.write("storage/snapshots/snap-0123456789abcdef0.vol-0123456789abcdef1", "");  // noted, and then a crash
  ASSERT_TRUE(backend_->remove_snapshot(snapshot_id));
  EXPECT_TRUE(exists("snapshots/snap-0123456789abcdef0.qcow2"));

  restart();
  ASSERT_TRUE(backend_->remove_leftovers());

  EXPECT_TRUE(std::filesystem::is_empty(directory_.path("storage/snapshots")));
}

// A file gets its name before the name is on disk: only the end of the call says that it outlives a power cut.
TEST_F(Qcow2BackendTest, ASnapshotIsReadyWhenTheCallThatMakesItIsOver) {
  ASSERT_TRUE(backend_->create(volume(1)));
  std::vector<ObservedSnapshot> listed;
  tools_.meanwhile = [&] {
    directory_.write("storage/snapshots/snap-0123456789abcdef0.qcow2", "");
    listed = backend_->list_snapshots().value();
  };
  ASSERT_TRUE(backend_->snapshot(snapshot(), volume(1)));

  ASSERT_EQ(listed.size(), 1U);
  EXPECT_FALSE(listed.front().ready);
  EXPECT_TRUE(backend_->list_snapshots()->front().ready);
}

TEST_F(Qcow2BackendTest, ASnapshotThatServesVolumesAfterItsRemovalIsNotMadeAnew) {
  ASSERT_TRUE(backend_->create(volume(1)));
  ASSERT_TRUE(backend_->snapshot(snapshot(), volume(1)));
  ASSERT_TRUE(backend_->create(based(2)));
  ASSERT_TRUE(backend_->remove_snapshot(snapshot_id));
  ASSERT_TRUE(backend_->backup_target(snapshot(), volume(1)));
  const auto commands = tools_.commands.size();

  EXPECT_EQ(backend_->snapshot(snapshot(), volume(1)).error().code, Code::incorrect_state);
  EXPECT_EQ(backend_->adopt_backup(snapshot()).error().code, Code::incorrect_state);

  EXPECT_EQ(tools_.commands.size(), commands) << "its file stays as it is";
  EXPECT_TRUE(exists("snapshots/snap-0123456789abcdef0.qcow2"));
}

TEST_F(Qcow2BackendTest, AVolumeThatStandsKeepsItsSnapshotThoughMakingItFailed) {
  ASSERT_TRUE(backend_->create(volume(1)));
  ASSERT_TRUE(backend_->snapshot(snapshot(), volume(1)));
  tools_.meanwhile = [&] { directory_.write("storage/volumes/vol-0123456789abcdef1.qcow2", ""); };
  tools_.next_result.exit_code = 1;
  EXPECT_FALSE(backend_->create(based(2)));

  ASSERT_TRUE(backend_->remove_snapshot(snapshot_id));

  EXPECT_TRUE(exists("snapshots/snap-0123456789abcdef0.qcow2"));
  ASSERT_TRUE(backend_->remove(based(2).id));
  EXPECT_TRUE(std::filesystem::is_empty(directory_.path("storage/snapshots")));
}

TEST_F(Qcow2BackendTest, AHypervisorsUnfinishedCopyIsALeftover) {
  ASSERT_TRUE(backend_->create(volume(1)));
  ASSERT_TRUE(backend_->backup_target(snapshot(), volume(1)));
  ASSERT_TRUE(backend_->remove_leftovers());
  EXPECT_TRUE(exists("backups/snap-0123456789abcdef0.qcow2")) << "it is in use";

  restart();
  ASSERT_TRUE(backend_->remove_leftovers());

  EXPECT_FALSE(exists("backups/snap-0123456789abcdef0.qcow2"));
  EXPECT_EQ(backend_->adopt_backup(snapshot()).error().code, Code::incorrect_state);
}

}  // namespace
}  // namespace virga::storage
