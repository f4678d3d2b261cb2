// The qcow2 backend with the real qemu-img, the real sandbox and a real file system.

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

#include "tests/integration/storage_fixture.h"

namespace virga::storage {
namespace {

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
  tool({"qemu-img", "convert", "-f", "raw", "-O", "qcow2", source, directory_.path("plain")});
  constexpr std::size_t crypt_method_at = 32;
  constexpr std::uint32_t luks_inside = 2;
  directory_.write("luks-inside", Bytes(directory_.read("plain")).big32(crypt_method_at, luks_inside).str());
  expect_refused(directory_.path("luks-inside"), "encrypted");
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
