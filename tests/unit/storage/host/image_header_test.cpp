#include "storage/host/image_header.h"

#include <gtest/gtest.h>

#include "core/unique_fd.h"
#include "tests/support/image_samples.h"

namespace virga::storage {
namespace {

using namespace samples;
constexpr std::uint64_t limit = 2048 * gib;

Result<ImageHeader> check(const Bytes& content) {
  const TemporaryDirectory directory;
  const UniqueFd fd(::open(directory.write("image", content.str()).c_str(), O_RDONLY));
  const auto bytes = TRY(ImageBytes::open(fd.get()));
  return check_image(bytes, limit);
}

/// A refusal with the words in its message, which also says what to do.
void expect_refused(const Bytes& content, std::string_view words) {
  const auto result = check(content);
  ASSERT_FALSE(result.has_value()) << words;
  EXPECT_EQ(result.error().code, Code::invalid_parameter_value);
  EXPECT_NE(result.error().message.find(words), std::string::npos) << result.error().message;
}

void expect_accepted(const Bytes& content, ImageFormat format, std::uint64_t virtual_bytes) {
  const auto result = check(content);
  ASSERT_TRUE(result.has_value()) << describe(result.error());
  EXPECT_EQ(result->format, format);
  EXPECT_EQ(result->virtual_bytes, virtual_bytes);
}

TEST(ImageHeader, AcceptsOneGoodImageOfEachKind) {
  expect_accepted(qcow2(), ImageFormat::qcow2, gib);
  expect_accepted(qcow2().big32(4, 2), ImageFormat::qcow2, gib);
  expect_accepted(raw(), ImageFormat::raw, 1 << 20);
  expect_accepted(vmdk(), ImageFormat::vmdk, 1 << 20);
}

TEST(ImageHeader, AcceptsTheFeaturesThatQemuWritesByChoice) {
  expect_accepted(qcow2().big64(72, 16).big32(36, 4), ImageFormat::qcow2, gib);                    // extended L2
  expect_accepted(qcow2().big32(100, 112).big64(72, 8).text(104, "\1"), ImageFormat::qcow2, gib);  // zstd
  expect_accepted(qcow2().big32(104, 0x6803F857).big32(108, 48), ImageFormat::qcow2, gib);         // feature names
}

TEST(Threat_E01, Qcow2WithABackingFileIsRefused) {
  for (const std::string name :
       {"/etc/shadow", "../../volumes/x.qcow2", "json:{\"driver\":\"file\"}", "nbd://192.0.2.1"})
    expect_refused(qcow2().big64(8, 512).big32(16, static_cast<std::uint32_t>(name.size())).text(512, name),
                   "backing file");
  expect_refused(qcow2().big32(16, 9), "backing file");
  expect_refused(qcow2().big32(104, 0xE2792ACA).big32(108, 5), "names another file");
}

TEST(Threat_E01, Qcow2WithAnExternalDataFileIsRefused) {
  expect_refused(qcow2().big64(72, 4), "external data file");
  expect_refused(qcow2().big32(104, 0x44415441).big32(108, 11).text(112, "/etc/shadow"), "names another file");
  // Behind another, harmless part of the header.
  expect_refused(qcow2().big32(104, 0x6803F857).big32(108, 5).big32(120, 0x44415441).big32(124, 4),
                 "names another file");
}

TEST(Threat_E01, EncryptedQcow2IsRefused) {
  expect_refused(qcow2().big32(32, 1), "encrypted");
  expect_refused(qcow2().big32(32, 2), "encrypted");
  expect_refused(qcow2().big32(104, 0x0537BE77).big32(108, 16), "encrypted");
}

TEST(Threat_E01, Qcow2OfAnOddKindIsRefusedByName) {
  expect_refused(qcow2().big32(4, 1), "qcow version 1");
  expect_refused(qcow2().big32(4, 4), "qcow version 4");
  expect_refused(qcow2().big64(72, std::uint64_t{1} << 40), "features nobody knows");
  expect_refused(qcow2().big64(72, 1), "not closed properly");
  expect_refused(qcow2().big64(72, 2), "corrupt");
  expect_refused(qcow2().big32(60, 1), "snapshots");
  expect_refused(qcow2().big32(104, 0x23852875).big32(108, 24), "bitmaps");
  expect_refused(qcow2().big32(104, 0x12345678).big32(108, 8), "unknown part");
  expect_refused(qcow2().big32(100, 112).big64(72, 8).text(104, "\2"), "unknown compression");
}

TEST(Threat_E01, VmdkThatRefersToOtherFilesIsRefused) {
  const auto with = [](std::string from, const std::string& to) {
    auto descriptor = good_descriptor;
    return vmdk(descriptor.replace(descriptor.find(from), from.size(), to));
  };
  expect_refused(with("RW 2048 SPARSE \"disk.vmdk\"", "RW 2048 FLAT \"/etc/shadow\" 0"), "flat extent");
  expect_refused(with("RW 2048 SPARSE", "rw 2048 VMFS"), "vmfs extent");
  expect_refused(with("RW 2048 SPARSE \"disk.vmdk\"", "RW 1 SPARSE \"a\"\nRW 1 SPARSE \"b\""), "2 parts");
  expect_refused(with("RW 2048 SPARSE \"disk.vmdk\"", ""), "0 parts");
  expect_refused(with("parentCID=ffffffff", "parentCID=00000001"), "parent");
  expect_refused(with("parentCID=ffffffff", "  parentFileNameHint=\"/etc/shadow\""), "parent");
  expect_refused(with("streamOptimized", "monolithicFlat"), "streamOptimized");
  expect_refused(vmdk().little64(12, 0), "impossible sizes");
  expect_refused(vmdk().little64(65536 - 1024 + 12, 0), "impossible sizes");
  expect_refused(vmdk().little64(65536 - 1024 + 12, 4096), "headers differ");
  expect_refused(vmdk().little64(65536 - 1024 + 28, 3), "headers differ");
  expect_refused(vmdk().little32(8, 1), "streamOptimized");
  expect_refused(vmdk().little64(28, 0).little64(65536 - 1024 + 28, 0), "no description");
  expect_refused(vmdk().little64(36, 1 << 20), "no description");
}

TEST(Threat_E01, OtherFormatsAreRefusedByName) {
  expect_refused(raw().text(0, "# Disk DescriptorFile\n"), "VMDK descriptor");
  expect_refused(raw().text(0, std::string_view("LUKS\xba\xbe", 6)), "LUKS");
  expect_refused(raw().text(0, "vhdxfile"), "VHDX");
  expect_refused(raw().text(0, "conectix"), "VHD");
  expect_refused(raw().text((1 << 20) - 512, "conectix"), "VHD");
  expect_refused(raw().text(0, std::string_view("QED\0", 4)), "QED");
  expect_refused(raw().text(0x40, "\x7f\x10\xda\xbe"), "VDI");
  expect_refused(raw().text(0, "\x1f\x8b\x08"), "gzip");
  expect_refused(raw().text(0, std::string_view("\xfd"
                                                "7zXZ\0",
                                                6)),
                 "xz");
  expect_refused(raw().text(510, "xx"), "boot sector");
  expect_refused(Bytes("root:x:0:0:root:/root:/bin/sh\n"), "only 30 bytes");
  expect_refused(Bytes(std::string(700, 'x')), "multiple of 512");
}

TEST(Threat_E03, HugeSizesAreRefused) {
  expect_refused(qcow2().big64(24, 60 * 1024 * gib), "61440 GiB");
  expect_refused(qcow2().big64(24, ~std::uint64_t{0}), "no number of sectors");
  expect_refused(qcow2().big64(24, 0), "no number of sectors");
  expect_refused(qcow2().big64(24, 1000), "no number of sectors");
  expect_refused(vmdk().little64(12, std::uint64_t{1} << 40).little64(65536 - 1024 + 12, std::uint64_t{1} << 40),
                 "limit");
}

TEST(Threat_E03, ImpossibleTablesAreRefused) {
  expect_refused(qcow2().big32(36, 0x80000000), "first table");
  expect_refused(qcow2().big32(36, 1), "first table");
  expect_refused(qcow2().big64(40, 0), "first table");
  expect_refused(qcow2().big64(40, 4096), "first table");
  expect_refused(qcow2().big64(40, std::uint64_t{1} << 62), "first table");
  expect_refused(qcow2().big32(96, 0), "reference counts");
  expect_refused(qcow2().big32(96, 200), "reference counts");
  expect_refused(qcow2().big32(56, 0), "reference counts");
  expect_refused(qcow2().big32(56, 1 << 30), "reference counts");
  expect_refused(qcow2().big64(48, std::uint64_t{1} << 40), "reference counts");
  expect_refused(qcow2().big32(20, 8), "clusters");
  expect_refused(qcow2().big32(20, 63), "clusters");
  expect_refused(qcow2().big32(100, 0), "header of 0 bytes");
  expect_refused(qcow2().big32(100, 1 << 20), "header of");
  expect_refused(qcow2().big32(104, 0x6803F857).big32(108, 0xffffffff), "does not end");
}

TEST(Threat_E03, EveryTruncatedHeaderIsRefused) {
  for (std::size_t size = 0; size < 3 * 65536 + 16; size += size < 2048 ? 1 : 4096)
    EXPECT_FALSE(check(qcow2().cut(size)).has_value()) << size;
  for (std::size_t size = 0; size < 65535; size += size < 4096 ? 7 : 1021)
    EXPECT_FALSE(check(vmdk().cut(size)).has_value()) << size;
}

TEST(Threat_E03, EveryChangedByteOfAHeaderEndsInAnAnswer) {
  for (std::size_t at = 0; at < 128; ++at)
    for (const char value : {'\0', '\1', '\x7f', '\x80', '\xff'}) {
      const auto result = check(qcow2().text(at, std::string_view(&value, 1)));
      if (!result)
        EXPECT_EQ(result.error().code, Code::invalid_parameter_value) << at;
      else
        EXPECT_LE(result->virtual_bytes, limit);
    }
}

TEST(ImageHeader, RefusalsTellNothingOfTheHost) {
  const auto result = check(qcow2().big64(8, 512).big32(16, 11).text(512, "/etc/shadow"));

  EXPECT_EQ(result.error().message.find('/'), std::string::npos) << result.error().message;
}

}  // namespace
}  // namespace virga::storage
