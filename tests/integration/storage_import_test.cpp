// The qcow2 backend with the real qemu-img, the real sandbox and a real file system.

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>

#include "storage/host/qcow2_backend.h"

#include "core/json_values.h"
#include "tests/support/image_samples.h"

namespace virga::storage {
namespace {

using namespace samples;

const auto image_id = ImageId::trusted("ami-0123456789abcdef0");
const auto volume_id = VolumeId::trusted("vol-0123456789abcdef0");

class StorageImport : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "the import sandbox needs root";
    // The sandbox's user must be able to reach the input that is bound into its tree.
    auto created = Qcow2Backend::create({.directory = directory_.path("storage"), .runner = runner_, .limits = {}});
    ASSERT_TRUE(created.has_value()) << describe(created.error());
    backend_ = std::move(*created);
  }
  std::string tool(std::vector<std::string> argv) {
    const auto result = runner_.run_ok({.argv = std::move(argv)});
    EXPECT_TRUE(result.has_value()) << (result ? "" : describe(result.error()));
    return result ? result->standard_output : std::string();
  }
  /// A raw disk of 8 MiB with a boot sector and some content.
  std::string raw_disk() {
    std::string content(8 << 20, '\0');
    for (std::size_t i = 0; i < content.size(); i += 70'001) content[i] = static_cast<char>('a' + i % 26);
    content.replace(510, 2, "\x55\xaa");
    return directory_.write("disk.raw", content);
  }
  nlohmann::json info(const std::string& path) {
    return nlohmann::json::parse(tool({"qemu-img", "info", "-f", "qcow2", "--output=json", path}));
  }
  std::string content_of(const std::string& path) {
    tool({"qemu-img", "convert", "-f", "qcow2", "-O", "raw", path, directory_.path("back.raw")});
    return directory_.read("back.raw");
  }
  std::string image_path() { return directory_.path("storage/images/ami-0123456789abcdef0.qcow2"); }
  void expect_refused(const std::string& path, std::string_view words) {
    const auto result = backend_->import_image(image_id, path);
    ASSERT_FALSE(result.has_value()) << path;
    EXPECT_EQ(result.error().code, Code::invalid_parameter_value) << describe(result.error());
    EXPECT_NE(result.error().message.find(words), std::string::npos) << result.error().message;
    EXPECT_TRUE(std::filesystem::is_empty(directory_.path("storage/spool")));
    EXPECT_TRUE(std::filesystem::is_empty(directory_.path("storage/images")));
  }
  void expect_imported(const std::string& path, const std::string& content) {
    const auto result = backend_->import_image(image_id, path);
    ASSERT_TRUE(result.has_value()) << describe(result.error());
    EXPECT_EQ(result->virtual_bytes, content.size());
    EXPECT_EQ(content_of(image_path()), content);
    EXPECT_TRUE(std::filesystem::is_empty(directory_.path("storage/spool")));
    ASSERT_TRUE(backend_->remove_image(image_id).has_value());
  }

  SystemCommandRunner runner_;
  TemporaryDirectory directory_;
  std::unique_ptr<VolumeBackend> backend_;
};

TEST_F(StorageImport, ImportsEachAcceptedFormat) {
  const auto source = raw_disk();
  const auto content = directory_.read("disk.raw");
  expect_imported(source, content);

  const std::vector<std::vector<std::string>> forms = {
      {"-O", "qcow2"},
      {"-O", "qcow2", "-o", "compat=0.10"},
      {"-c", "-O", "qcow2"},
      {"-c", "-O", "qcow2", "-o", "compression_type=zstd"},
      {"-O", "qcow2", "-o", "extended_l2=on,cluster_size=128k"},
      {"-O", "vmdk", "-o", "subformat=streamOptimized"},
  };
  for (const auto& form : forms) {
    std::vector<std::string> argv = {"qemu-img", "convert", "-f", "raw"};
    argv.insert(argv.end(), form.begin(), form.end());
    argv.insert(argv.end(), {source, directory_.path("form")});
    tool(argv);
    SCOPED_TRACE(fmt::format("{}", fmt::join(form, " ")));
    expect_imported(directory_.path("form"), content);
  }
}

TEST_F(StorageImport, AnOverlayNamesItsBaseAndItsFormat) {
  ASSERT_TRUE(backend_->import_image(image_id, raw_disk()).has_value());
  WantedVolume volume;
  volume.id = volume_id;
  volume.size_gib = 2;
  volume.image = image_id;

  ASSERT_TRUE(backend_->create(volume).has_value());

  const auto about = info(backend_->path(volume_id));
  EXPECT_EQ(about["virtual-size"], 2 * gib);
  EXPECT_EQ(about["backing-filename"], image_path());
  EXPECT_EQ(about["backing-filename-format"], "qcow2");
  EXPECT_EQ(backend_->remove_image(image_id).error().code, Code::incorrect_state);
  const auto volumes = backend_->list();
  ASSERT_EQ(volumes->size(), 1U);
  EXPECT_GT(volumes->front().allocated_bytes, 0U);
}

TEST_F(StorageImport, TheSandboxHasNoNetworkNoRightsAndNoOtherFiles) {
  auto command = confined_conversion({.input = directory_.write("input", "the input"),
                                      .output_directory = directory_.path("storage"),
                                      .header = {ImageFormat::raw, 1 << 20},
                                      .user = {}});
  ASSERT_TRUE(command.has_value());
  const auto tool_at = std::find(command->argv.begin(), command->argv.end(), "/usr/bin/qemu-img");
  command->argv.erase(tool_at, command->argv.end());
  const std::string look =
      "import os, socket\n"
      "print(sorted(os.listdir('/')), os.getuid(), os.getgid(), os.getgroups(), os.getpid() < 4)\n"
      "def attempt(name, action):\n"
      "  try: action(); print(name, 'worked')\n"
      "  except OSError as error: print(name, error.errno)\n"
      "attempt('socket', lambda: socket.socket())\n"
      "attempt('setuid', lambda: os.setuid(0))\n"
      "attempt('link', lambda: os.link('/input', '/output/x'))\n"
      "attempt('program', lambda: open('/usr/bin/x', 'w'))\n";
  command->argv.insert(command->argv.end(), {"/usr/bin/python3", "-c", look});

  const auto result = runner_.run(*command);

  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->standard_output,
            "['dev', 'input', 'lib', 'lib64', 'output', 'usr'] 65534 65534 [] True\n"
            "socket 1\nsetuid 1\nlink 1\nprogram 30\n")
      << result->standard_error;
}

class Threat_E01_Tools : public StorageImport {};
TEST_F(Threat_E01_Tools, FilesThatReferToOthersAreRefused) {
  const auto secret = raw_disk();
  tool({"qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", secret, directory_.path("absolute")});
  expect_refused(directory_.path("absolute"), "backing file");
  tool({"qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", "disk.raw", directory_.path("relative")});
  expect_refused(directory_.path("relative"), "backing file");
  const auto json = R"(json:{"driver":"raw","file":{"driver":"file","filename":")" + secret + "\"}}";
  tool({"qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", json, directory_.path("json")});
  expect_refused(directory_.path("json"), "backing file");
  tool({"qemu-img", "create", "-q", "-f", "qcow2", "-u", "-F", "raw", "-b", "nbd://127.0.0.1:9/x",
        directory_.path("nbd"), "1G"});
  expect_refused(directory_.path("nbd"), "backing file");
  tool({"qemu-img", "create", "-q", "-f", "qcow2", "-o", "data_file=" + directory_.path("data"),
        directory_.path("data-file"), "1G"});
  expect_refused(directory_.path("data-file"), "external data file");
  tool({"qemu-img", "convert", "-f", "raw", "-O", "vmdk", "-o", "subformat=monolithicFlat", secret,
        directory_.path("flat.vmdk")});
  expect_refused(directory_.path("flat.vmdk"), "VMDK descriptor");
  tool({"qemu-img", "convert", "-f", "raw", "-O", "vmdk", secret, directory_.path("sparse.vmdk")});
  expect_refused(directory_.path("sparse.vmdk"), "streamOptimized");
}

TEST_F(Threat_E01_Tools, OtherFormatsAreRefused) {
  const auto source = raw_disk();
  for (const std::string format : {"vdi", "vpc", "vhdx", "qed"}) {
    tool({"qemu-img", "convert", "-f", "raw", "-O", format, source, directory_.path("other")});
    expect_refused(directory_.path("other"), "Convert it first");
  }
  // qemu-img times its key derivation and gives up on a busy machine, so the header is written here.
  directory_.write("luks", std::string("LUKS\xba\xbe\0\1", 8) + std::string((1 << 20) - 8, '\0'));
  expect_refused(directory_.path("luks"), "LUKS");
}

class Threat_E02_Tools : public StorageImport {};
TEST_F(Threat_E02_Tools, AHeaderInsideADiskStaysData) {
  // The disk's own first bytes are a qcow2 header with a backing file: a guest may write that at any time.
  auto content = Bytes(directory_.read(std::filesystem::path(raw_disk()).filename()));
  content.text(0, qcow2().big64(8, 512).big32(16, 11).str().substr(0, 500)).text(512, "/etc/shadow");
  tool({"qemu-img", "convert", "-f", "raw", "-O", "qcow2", directory_.write("inner", content.str()),
        directory_.path("outer")});

  expect_imported(directory_.path("outer"), content.str());
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

class Threat_E04 : public StorageImport {};
TEST_F(Threat_E04, ANewVolumeReadsAsZeros) {
  WantedVolume volume;
  volume.id = volume_id;
  volume.size_gib = 1;
  ASSERT_TRUE(backend_->create(volume).has_value());
  tool({"qemu-io", "-f", "qcow2", "-c", "write -P 0x5a 0 4M", backend_->path(volume_id)});
  ASSERT_TRUE(backend_->remove(volume_id).has_value());

  ASSERT_TRUE(backend_->create(volume).has_value());

  EXPECT_EQ(tool({"qemu-io", "-f", "qcow2", "-c", "read -P 0 0 16M", backend_->path(volume_id)}).find("failed"),
            std::string::npos);
}

class Threat_E07_Tools : public StorageImport {};
TEST_F(Threat_E07_Tools, RealFilesHaveStrictModes) {
  ASSERT_TRUE(backend_->import_image(image_id, raw_disk()).has_value());
  WantedVolume volume;
  volume.id = volume_id;
  volume.size_gib = 1;
  ASSERT_TRUE(backend_->create(volume).has_value());

  struct stat status {};
  ASSERT_EQ(::stat(backend_->path(volume_id).c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600U);
  EXPECT_EQ(status.st_uid, 0U);
  ASSERT_EQ(::stat(image_path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0444U);
  EXPECT_EQ(status.st_uid, 0U);
}

}  // namespace
}  // namespace virga::storage
