#pragma once

// The qcow2 backend with the real qemu-img, the real sandbox and a real file system.

#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "core/json_values.h"
#include "storage/host/qcow2_backend.h"
#include "tests/support/image_samples.h"

namespace virga::storage {

using namespace samples;

inline const auto image_id = ImageId::trusted("ami-0123456789abcdef0");
inline const auto volume_id = VolumeId::trusted("vol-0123456789abcdef0");

class StorageImport : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "the import sandbox needs root";
    open(directory_.path("storage"), {});
  }
  void open(const std::string& directory, const ImportLimits& limits) {
    auto created = Qcow2Backend::create({.directory = directory, .runner = runner_, .limits = limits});
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

}  // namespace virga::storage
