#pragma once

// Disk images for tests, byte by byte: a good one of each kind, and a way to spoil it.

#include <endian.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace virga::samples {

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    char path[] = "/tmp/virga-test-XXXXXX";
    path_ = ::mkdtemp(path);
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  std::string path(const std::string& name = {}) const { return name.empty() ? path_ : path_ + "/" + name; }
  /// Writes a file and returns its path.
  std::string write(const std::string& name, std::string_view content) const {
    std::ofstream(path(name), std::ios::binary) << content;
    return path(name);
  }
  std::string read(const std::string& name) const {
    std::ifstream file(path(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

 private:
  std::string path_;
};

class Bytes {
 public:
  explicit Bytes(std::size_t size) : bytes_(size, '\0') {}
  explicit Bytes(std::string bytes) : bytes_(std::move(bytes)) {}
  Bytes& big32(std::size_t at, std::uint32_t value) { return number(at, htobe32(value)); }
  Bytes& big64(std::size_t at, std::uint64_t value) { return number(at, htobe64(value)); }
  Bytes& little16(std::size_t at, std::uint16_t value) { return number(at, htole16(value)); }
  Bytes& little32(std::size_t at, std::uint32_t value) { return number(at, htole32(value)); }
  Bytes& little64(std::size_t at, std::uint64_t value) { return number(at, htole64(value)); }
  Bytes& text(std::size_t at, std::string_view value) {
    bytes_.replace(at, value.size(), value);
    return *this;
  }
  Bytes& cut(std::size_t size) {
    bytes_.resize(size);
    return *this;
  }
  std::string str() const { return bytes_; }

 private:
  template <class T>
  Bytes& number(std::size_t at, T value) {
    std::memcpy(bytes_.data() + at, &value, sizeof value);
    return *this;
  }
  std::string bytes_;
};

inline constexpr std::uint64_t gib = std::uint64_t{1} << 30;

/// An empty qcow2 version 3 disk of 1 GiB with clusters of 64 KiB: header, reference counts, first table.
inline Bytes qcow2(std::uint64_t virtual_bytes = gib) {
  constexpr std::size_t cluster = 65536;
  Bytes bytes(4 * cluster);
  bytes.text(0, "QFI\xfb").big32(4, 3).big32(20, 16).big64(24, virtual_bytes);
  bytes.big32(36, static_cast<std::uint32_t>((virtual_bytes - 1) / (512 << 20) + 1)).big64(40, 3 * cluster);
  bytes.big64(48, cluster).big32(56, 1).big32(96, 4).big32(100, 104);
  bytes.big64(cluster, 2 * cluster);
  for (std::size_t i = 0; i < 4; ++i) bytes.text(2 * cluster + 2 * i, std::string_view("\0\1", 2));
  return bytes;
}

/// A qcow2 file of six clusters that reads as a disk full of data: all entries of its tables are the same.
inline Bytes amplifier(std::uint64_t virtual_bytes) {
  constexpr std::size_t cluster = 65536;
  constexpr std::size_t first_table = 3 * cluster;
  constexpr std::size_t second_table = 4 * cluster;
  constexpr std::size_t data = 5 * cluster;
  Bytes bytes(qcow2(virtual_bytes).str() + std::string(cluster, '\0') + std::string(cluster, 'Z'));
  for (std::size_t i = 0; i <= (virtual_bytes - 1) / (512 << 20); ++i) bytes.big64(first_table + 8 * i, second_table);
  for (std::size_t i = 0; i < cluster / 8; ++i) bytes.big64(second_table + 8 * i, data);
  return bytes;
}

/// A raw disk of 1 MiB with a boot sector.
inline Bytes raw() { return Bytes(1 << 20).text(510, "\x55\xaa").text(4096, "content"); }

inline const std::string good_descriptor =
    "# Disk DescriptorFile\nversion=1\nCID=12345678\nparentCID=ffffffff\ncreateType=\"streamOptimized\"\n\n"
    "# Extent description\nRW 2048 SPARSE \"disk.vmdk\"\n\n# The Disk Data Base\n#DDB\nddb.adapterType = \"ide\"\n";

/// A streamOptimized VMDK of 1 MiB (2,048 sectors); its data is not there, only what a header check reads.
inline Bytes vmdk(const std::string& descriptor = good_descriptor) {
  Bytes bytes(65536);
  for (const std::size_t at : {std::size_t{0}, bytes.str().size() - 1024}) {
    bytes.text(at, "KDMV").little32(at + 4, 3).little32(at + 8, 0x30001).little64(at + 12, 2048).little64(at + 20, 128);
    bytes.little64(at + 28, 1).little64(at + 36, 20).little32(at + 44, 512).little16(at + 77, 1);
    bytes.little64(at + 56, at == 0 ? ~std::uint64_t{0} : 64);
  }
  return bytes.text(512, descriptor);
}

}  // namespace virga::samples
