#include "compute/host/kvm_probe.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/support/temporary_directory.h"

namespace virga::compute {
namespace {

// Plays QEMU.
class FakeRunner final : public CommandRunner {
 public:
  Result<CommandResult> run(const Command& command) override {
    commands.push_back(command);
    return result;
  }
  std::vector<Command> commands;
  CommandResult result;
};

class KvmProbeTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::access("/dev/kvm", R_OK | W_OK) != 0) GTEST_SKIP() << "without /dev/kvm nothing is probed";
  }
  test::TemporaryDirectory directory_;
  FakeRunner runner_;
};

TEST_F(KvmProbeTest, WorksWhenTheBootSectorRan) {
  runner_.result.exit_code = 85;

  EXPECT_TRUE(probe_kvm(runner_, directory_.path()).works);
  ASSERT_EQ(runner_.commands.size(), 1U);
  EXPECT_THAT(runner_.commands[0].argv, testing::Contains("kvm"));
  EXPECT_LE(runner_.commands[0].timeout, std::chrono::seconds(10));
}

TEST_F(KvmProbeTest, DoesNotWorkWhenTheGuestHangsOrQemuFails) {
  runner_.result.timed_out = true;
  EXPECT_FALSE(probe_kvm(runner_, directory_.path()).works);

  const test::TemporaryDirectory another;
  runner_.result = {.exit_code = 134, .standard_output = {}, .standard_error = "Aborted"};
  const auto verdict = probe_kvm(runner_, another.path());
  EXPECT_FALSE(verdict.works);
  EXPECT_THAT(verdict.detail, testing::HasSubstr("Aborted"));
}

TEST_F(KvmProbeTest, AsksOncePerBoot) {
  runner_.result.exit_code = 85;
  probe_kvm(runner_, directory_.path());

  EXPECT_TRUE(probe_kvm(runner_, directory_.path()).works);
  EXPECT_EQ(runner_.commands.size(), 1U);

  std::ofstream(directory_.path() / "kvm-probe.json") << R"({"key": "another boot", "works": true})";
  runner_.result.exit_code = 1;
  EXPECT_FALSE(probe_kvm(runner_, directory_.path()).works);
  EXPECT_EQ(runner_.commands.size(), 2U);
}

}  // namespace
}  // namespace virga::compute
