// What the image sandbox lets a tool have, and what hostile images cost.

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include <algorithm>
#include <random>

#include "core/unique_fd.h"
#include "tests/integration/storage_fixture.h"

namespace virga::storage {
namespace {

class StorageSandbox : public StorageImport {
 protected:
  /// What a Python program prints that runs in the tool's place.
  std::string inside(const std::string& program) {
    auto command = confined_conversion({.input = directory_.write("input", "the input"),
                                        .output_directory = directory_.path("storage"),
                                        .header = {ImageFormat::raw, 1 << 20},
                                        .user = {},
                                        .room_bytes = gib});
    EXPECT_TRUE(command.has_value());
    command->argv.erase(std::find(command->argv.begin(), command->argv.end(), "/usr/bin/qemu-img"),
                        command->argv.end());
    command->argv.insert(command->argv.end(), {"/usr/bin/python3", "-c", program});
    const auto result = runner_.run(*command);
    EXPECT_TRUE(result.has_value() && result->ok()) << (result ? result->standard_error : describe(result.error()));
    return result ? result->standard_output : std::string();
  }
};

TEST_F(StorageSandbox, HasNoNetworkNoRightsAndNoOtherFiles) {
  const auto seen = inside(
      "import ctypes, os, socket\n"
      "print(sorted(os.listdir('/')), os.getuid(), os.getgid(), os.getgroups(), os.getpid() < 4)\n"
      "def attempt(name, action):\n"
      "  try: action(); print(name, 'worked')\n"
      "  except OSError as error: print(name, error.errno)\n"
      "attempt('socket', lambda: socket.socket())\n"
      "attempt('setuid', lambda: os.setuid(0))\n"
      "attempt('link', lambda: os.link('/input', '/output/x'))\n"
      "attempt('program', lambda: open('/usr/bin/x', 'w'))\n"
      "for number in range(3, 32): attempt(number, lambda: os.fstat(number))\n"
      "PR_GET_NO_NEW_PRIVS = 39\n"
      "print(ctypes.CDLL(None).prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0))\n");

  std::string expected =
      "['dev', 'input', 'lib', 'lib64', 'output', 'usr'] 65530 65530 [] True\n"
      "socket 1\nsetuid 1\nlink 1\nprogram 30\n";
  constexpr int bad_descriptor = 9;
  for (int number = 3; number < 32; ++number) expected += fmt::format("{} {}\n", number, bad_descriptor);
  EXPECT_EQ(seen, expected + "1\n");
}

class Threat_E03_Sandbox : public StorageSandbox {};
TEST_F(Threat_E03_Sandbox, HasTheLimitsOfTheThreatModel) {
  EXPECT_EQ(inside("import resource as r\n"
                   "for name in ('AS', 'CPU', 'FSIZE', 'NPROC', 'NOFILE', 'STACK', 'CORE'):\n"
                   "  print(name, *r.getrlimit(getattr(r, 'RLIMIT_' + name)))\n"),
            fmt::format("AS {0} {0}\nCPU 30 30\nFSIZE {1} {1}\nNPROC 32 32\nNOFILE 32 32\nSTACK {2} {2}\nCORE 0 0\n",
                        gib, (1 << 20) * 101 / 100 + (1 << 20), 1 << 20));
}

TEST_F(Threat_E03_Sandbox, StartsNoMoreProcessesThanItsLimit) {
  EXPECT_EQ(inside("import os, signal\n"
                   "children = []\n"
                   "try:\n"
                   "  while len(children) < 100:\n"
                   "    child = os.fork()\n"
                   "    if child == 0: signal.pause()\n"
                   "    children.append(child)\n"
                   "except OSError as error: print(error.errno, len(children) < 32)\n"
                   "for child in children: os.kill(child, signal.SIGKILL)\n"),
            "11 True\n");
}

class Threat_E03_Tools : public StorageImport {};
TEST_F(Threat_E03_Tools, HugeAndOddImagesAreRefused) {
  tool({"qemu-img", "create", "-q", "-f", "qcow2", "-o", "cluster_size=2M", directory_.path("huge"), "60T"});
  expect_refused(directory_.path("huge"), "61440 GiB");
  tool({"qemu-img", "create", "-q", "-f", "qcow2", "-o", "refcount_bits=1", directory_.path("refcount"), "1G"});
  expect_refused(directory_.path("refcount"), "reference counts");
}

TEST_F(Threat_E03_Tools, DamageThatOnlyTheToolFindsIsRefused) {
  tool({"qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw_disk(), directory_.path("good")});
  // The first table points between two clusters.
  auto bytes = Bytes(directory_.read("good"));
  const auto table = static_cast<std::size_t>(static_cast<unsigned char>(bytes.str()[45])) << 16;
  directory_.write("damaged", bytes.big64(table, (std::uint64_t{1} << 63) | 0x10200).str());

  expect_refused(directory_.path("damaged"), "could not be converted");
}

TEST_F(Threat_E03_Tools, ACompressedBombTakesItsPlaceAsHoles) {
  ::close(::creat(directory_.path("zeros").c_str(), 0600));
  std::filesystem::resize_file(directory_.path("zeros"), 4 * gib);
  std::fstream(directory_.path("zeros"), std::ios::in | std::ios::out | std::ios::binary)
      .seekp(510)
      .write("\x55\xaa", 2);
  tool({"qemu-img", "convert", "-c", "-f", "raw", "-O", "qcow2", directory_.path("zeros"), directory_.path("bomb")});

  const auto imported = backend_->import_image(image_id, directory_.path("bomb"));

  ASSERT_TRUE(imported.has_value()) << describe(imported.error());
  EXPECT_LT(imported->file_bytes, 4U << 20);
}

/// Bytes of data that compress badly, or well.
enum class Content { random, zeros };

class Threat_E03_Cost : public StorageImport {
 protected:
  /// A disk of 24 MiB as a compressed qcow2.
  std::string compressed(const std::string& name, Content content, const std::string& options) {
    std::string disk(24 << 20, '\0');
    std::minstd_rand random(7);
    if (content == Content::random)
      std::generate(disk.begin(), disk.end(), [&] { return static_cast<char>(random()); });
    disk.replace(510, 2, "\x55\xaa");
    tool({"qemu-img", "convert", "-c", "-f", "raw", "-O", "qcow2", "-o", options, directory_.write("disk", disk),
          directory_.path(name)});
    return directory_.path(name);
  }
  std::string empty(const std::string& name, const std::string& options, const std::string& size) {
    tool({"qemu-img", "create", "-q", "-f", "qcow2", "-o", options, directory_.path(name), size});
    return directory_.path(name);
  }
};

TEST_F(Threat_E03_Cost, NoImageTakesMuchMemory) {
  const std::vector<std::string> corpus = {
      directory_.write("amplifier", amplifier(128 << 20).str()),
      compressed("large-clusters", Content::random, "cluster_size=2M"),
      compressed("large-zstd-clusters", Content::random, "cluster_size=2M,compression_type=zstd"),
      compressed("small-clusters", Content::random, "cluster_size=4k"),
      compressed("zeros", Content::zeros, "cluster_size=2M"),
      empty("large-first-table", "cluster_size=512", "127G"),
      empty("large", "cluster_size=65536", "2047G"),
  };
  for (const auto& path : corpus) {
    const auto result = backend_->import_image(image_id, path);
    EXPECT_TRUE(result.has_value()) << path << ": " << describe(result.error());
    EXPECT_TRUE(backend_->remove_image(image_id).has_value());
  }

  // The largest of all children this process has waited for, and of theirs.
  rusage children{};
  ASSERT_EQ(::getrusage(RUSAGE_CHILDREN, &children), 0);
  constexpr long kib_of_a_gib = 1 << 20;
  EXPECT_LT(children.ru_maxrss, kib_of_a_gib);
  EXPECT_GT(children.ru_maxrss, 8 << 10) << "qemu-img alone has more: nothing was measured";
}

/// On a file system of its own, in a mount namespace of its own: both are gone with the process.
class Threat_H05_SmallDisk : public StorageImport {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "mounting needs root";
    const auto disk = directory_.path("disk");
    std::filesystem::create_directory(disk);
    ASSERT_EQ(::unshare(CLONE_NEWNS), 0);
    ASSERT_EQ(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    ASSERT_EQ(::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=96m,mode=0755"), 0);
    ImportLimits limits;
    limits.reserve = {.least_bytes = reserve_bytes, .percent = 0};
    open(disk + "/storage", limits);
  }
  std::uint64_t free_bytes() const { return std::filesystem::space(directory_.path("disk")).available; }

  static constexpr std::uint64_t reserve_bytes = 32 << 20;
};

TEST_F(Threat_H05_SmallDisk, AnImageThatGrowsWithoutEndTakesNothingOfTheReserve) {
  const auto result = backend_->import_image(image_id, directory_.write("amplifier", amplifier(64 * gib).str()));

  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, Code::insufficient_volume_capacity) << describe(result.error());
  EXPECT_TRUE(std::filesystem::is_empty(directory_.path("disk/storage/spool")));
  EXPECT_GT(free_bytes(), 95U << 20);
}

TEST_F(Threat_H05_SmallDisk, AFullDiskRefusesWhatIsNewAndDeletesWork) {
  WantedVolume volume;
  volume.id = volume_id;
  volume.size_gib = 1;
  volume.image = image_id;
  ASSERT_TRUE(backend_->import_image(image_id, raw_disk()).has_value());
  ASSERT_TRUE(backend_->create(volume).has_value());
  // Somebody else fills the disk to its last block.
  const auto filler = directory_.path("disk/filler");
  const UniqueFd fd(::open(filler.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  ASSERT_EQ(::posix_fallocate(fd.get(), 0, static_cast<off_t>(free_bytes())), 0);
  ASSERT_EQ(free_bytes(), 0U);

  auto other = volume;
  other.id = VolumeId::trusted("vol-0aaaaaaaaaaaaaaaa");
  EXPECT_EQ(backend_->create(other).error().code, Code::insufficient_volume_capacity);
  EXPECT_EQ(backend_->import_image(ImageId::trusted("ami-0aaaaaaaaaaaaaaaa"), raw_disk()).error().code,
            Code::insufficient_volume_capacity);
  EXPECT_EQ(backend_->list()->size(), 1U);
  EXPECT_TRUE(backend_->list_images()->front().ready);
  EXPECT_TRUE(backend_->remove(volume_id).has_value());
  EXPECT_TRUE(backend_->remove_image(image_id).has_value());

  std::filesystem::remove(filler);
  EXPECT_EQ(::ftruncate(fd.get(), 0), 0);
  EXPECT_TRUE(backend_->import_image(image_id, raw_disk()).has_value());
  EXPECT_TRUE(backend_->create(other).has_value());
}

}  // namespace
}  // namespace virga::storage
