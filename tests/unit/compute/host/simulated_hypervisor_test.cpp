#include "compute/host/simulated_hypervisor.h"

#include <gmock/gmock.h>

#include <cstdlib>

namespace virga::compute {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::Not;

const auto guest = InstanceId::trusted("i-00000000000000001");
const auto other = InstanceId::trusted("i-00000000000000002");
const auto root_disk = VolumeId::trusted("vol-00000000000000001");
const auto data_disk = VolumeId::trusted("vol-00000000000000002");

class SimulatedHypervisorTest : public ::testing::Test {
 protected:
  SimulatedHypervisorTest() {
    std::string name = (std::filesystem::temp_directory_path() / "virga-test-XXXXXX").string();
    directory_ = ::mkdtemp(name.data());
    restart();
  }
  ~SimulatedHypervisorTest() override { std::filesystem::remove_all(directory_); }

  void restart() {
    hypervisor_.reset();
    faults_ = std::make_unique<Faults>();
    auto made =
        SimulatedHypervisor::create({.directory = directory_,
                                     .cpus = 2,
                                     .memory_mib = 1024,
                                     .latencies = {},
                                     .grow_volume = [this](const VolumeId& volume, std::uint64_t gib) -> Result<void> {
                                       grown_[volume] = gib;
                                       return {};
                                     },
                                     .watch_clock = false},
                                    clock_, *faults_);
    ASSERT_TRUE(made);
    hypervisor_ = std::move(*made);
  }
  std::map<VolumeId, std::uint64_t> grown_;
  static DomainSpec spec(const InstanceId& id, const VolumeId& disk) {
    DomainSpec spec;
    spec.id = id;
    spec.start_number = 1;
    spec.disks = {{.volume = disk, .path = "/dev/null", .slot = 0}};
    return spec;
  }
  void run(const InstanceId& id, const VolumeId& disk) {
    ASSERT_TRUE(hypervisor_->start_paused(spec(id, disk)));
    ASSERT_TRUE(hypervisor_->resume(id));
  }
  Domain domain(const InstanceId& id) {
    const auto domains = hypervisor_->list().value();
    for (const auto& domain : domains)
      if (domain.id == id) return domain;
    return {};
  }

  std::filesystem::path directory_;
  ManualClock clock_;
  std::unique_ptr<Faults> faults_;
  std::unique_ptr<SimulatedHypervisor> hypervisor_;
};

TEST_F(SimulatedHypervisorTest, GrowsOnlyDisksOfAGuestThatIsOn) {
  EXPECT_EQ(hypervisor_->resize_disk(guest, root_disk, 4).error().code, Code::incorrect_state);
  run(guest, root_disk);

  EXPECT_TRUE(hypervisor_->resize_disk(guest, root_disk, 4));
  EXPECT_EQ(hypervisor_->resize_disk(guest, data_disk, 4).error().code, Code::incorrect_state);

  EXPECT_EQ(grown_, (std::map<VolumeId, std::uint64_t>{{root_disk, 4}}));
}

TEST_F(SimulatedHypervisorTest, CopiesADiskOfAGuestThatIsOn) {
  using State = DiskBackup::State;
  const auto state = [&] { return hypervisor_->backup_state(guest)->state; };
  EXPECT_EQ(state(), State::none);
  EXPECT_EQ(hypervisor_->begin_backup(guest, root_disk, "/x").error().code, Code::incorrect_state);
  run(guest, root_disk);
  EXPECT_EQ(hypervisor_->begin_backup(guest, data_disk, "/x").error().code, Code::incorrect_state);

  ASSERT_TRUE(hypervisor_->begin_backup(guest, root_disk, "/x"));
  EXPECT_EQ(state(), State::running);
  EXPECT_EQ(hypervisor_->detach_disk(guest, root_disk).error().code, Code::incorrect_state);
  restart();
  EXPECT_EQ(state(), State::running) << "it outlives the process";
  clock_.advance(SimulatedLatencies{}.backup);
  EXPECT_EQ(state(), State::finished);

  ASSERT_TRUE(hypervisor_->begin_backup(guest, root_disk, "/x"));
  ASSERT_TRUE(hypervisor_->cancel_backup(guest));
  EXPECT_EQ(state(), State::failed);
  ASSERT_TRUE(hypervisor_->begin_backup(guest, root_disk, "/x"));
  ASSERT_TRUE(hypervisor_->kill_process(guest));
  EXPECT_EQ(state(), State::none);
}

TEST_F(SimulatedHypervisorTest, GuestsOutliveTheProcess) {
  run(guest, root_disk);
  restart();
  EXPECT_EQ(domain(guest).state, DomainState::running);
  EXPECT_EQ(domain(guest).start_number, 1U);
  EXPECT_EQ(domain(guest).disks, std::vector{root_disk});
}

TEST_F(SimulatedHypervisorTest, WhatIsDueHappensWhileNobodyLooks) {
  run(guest, root_disk);
  ASSERT_TRUE(hypervisor_->shutdown(guest));
  EXPECT_EQ(domain(guest).state, DomainState::running);
  restart();
  clock_.advance(milliseconds(200));
  EXPECT_EQ(domain(guest).state, DomainState::off);
  EXPECT_EQ(domain(guest).exit_reason, ExitReason::guest_shutdown);
}

TEST_F(SimulatedHypervisorTest, ConsoleTellsTheGuestsLife) {
  run(guest, root_disk);
  EXPECT_THAT(hypervisor_->console_output(guest).value(), HasSubstr("Linux version"));
  EXPECT_THAT(hypervisor_->console_output(guest).value(), Not(HasSubstr("tiny: ready")));
  clock_.advance(milliseconds(60));
  EXPECT_THAT(hypervisor_->console_output(guest).value(), HasSubstr("tiny: ready"));
  ASSERT_TRUE(hypervisor_->guest_poweroff(guest));
  EXPECT_THAT(hypervisor_->console_output(guest).value(), HasSubstr("Power down"));
  EXPECT_EQ(hypervisor_->console_output(other).value(), "");
}

TEST_F(SimulatedHypervisorTest, HasTheMemoryItWasTold) {
  run(guest, root_disk);
  auto large = spec(other, data_disk);
  large.memory_mib = 513;
  const auto refused = hypervisor_->start_paused(large);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::insufficient_instance_capacity);
  EXPECT_THAT(refused.error().message, HasSubstr("needed 513 MiB, free 512 MiB"));
  ASSERT_TRUE(hypervisor_->destroy(guest));
  EXPECT_TRUE(hypervisor_->start_paused(large));
}

TEST_F(SimulatedHypervisorTest, VolumeIsInOneRunningDomainOnly) {
  run(guest, root_disk);
  EXPECT_FALSE(hypervisor_->start_paused(spec(other, root_disk)));
  run(other, data_disk);
  EXPECT_FALSE(hypervisor_->attach_disk(guest, {.volume = data_disk, .path = "/dev/null", .slot = 1}));
  ASSERT_TRUE(hypervisor_->destroy(other));
  EXPECT_FALSE(hypervisor_->attach_disk(guest, {.volume = data_disk, .path = "/dev/null", .slot = 0}))
      << "the slot is taken";
  EXPECT_TRUE(hypervisor_->attach_disk(guest, {.volume = data_disk, .path = "/dev/null", .slot = 1}));
  EXPECT_FALSE(hypervisor_->start_paused(spec(other, data_disk)));
  ASSERT_TRUE(hypervisor_->detach_disk(guest, data_disk));
  EXPECT_EQ(domain(guest).disks.size(), 2U) << "the guest takes time to let go";
  clock_.advance(milliseconds(60));
  EXPECT_EQ(domain(guest).disks, std::vector{root_disk});
}

TEST_F(SimulatedHypervisorTest, CountsResets) {
  run(guest, root_disk);
  ASSERT_TRUE(hypervisor_->reboot(guest));
  EXPECT_EQ(domain(guest).resets, 0U);
  clock_.advance(milliseconds(200));
  EXPECT_EQ(domain(guest).resets, 1U);
  ASSERT_TRUE(hypervisor_->reset(guest));
  EXPECT_EQ(domain(guest).resets, 2U);
}

TEST_F(SimulatedHypervisorTest, KeepsThePortsRulesAboutPower) {
  EXPECT_TRUE(hypervisor_->destroy(guest));
  EXPECT_TRUE(hypervisor_->undefine(guest));
  EXPECT_FALSE(hypervisor_->resume(guest));
  run(guest, root_disk);
  EXPECT_FALSE(hypervisor_->start_paused(spec(guest, root_disk)));
  EXPECT_FALSE(hypervisor_->undefine(guest));
  ASSERT_TRUE(hypervisor_->destroy(guest));
  EXPECT_TRUE(hypervisor_->undefine(guest));
  EXPECT_TRUE(hypervisor_->list().value().empty());
}

TEST_F(SimulatedHypervisorTest, FailsHangsAndForgetsAsTold) {
  ASSERT_TRUE(faults_->inject({.kind = FaultKind::fail, .object = guest.str(), .count = 1, .delay = milliseconds(0)}));
  run(other, data_disk);
  EXPECT_FALSE(hypervisor_->start_paused(spec(guest, root_disk)));
  EXPECT_TRUE(hypervisor_->start_paused(spec(guest, root_disk)));
  ASSERT_TRUE(faults_->inject({.kind = FaultKind::hang, .object = "*", .count = 1, .delay = milliseconds(0)}));
  EXPECT_TRUE(hypervisor_->list());
  EXPECT_EQ(hypervisor_->resume(guest).error().code, Code::unavailable);
  ASSERT_TRUE(
      faults_->inject({.kind = FaultKind::forget, .object = guest.str(), .count = 1, .delay = milliseconds(0)}));
  EXPECT_EQ(hypervisor_->list().value().size(), 1U);
  EXPECT_FALSE(faults_->inject({.kind = FaultKind::forget, .object = "*", .count = 1, .delay = milliseconds(0)}));
}

TEST_F(SimulatedHypervisorTest, CrashEndsTheProcess) {
  ASSERT_TRUE(faults_->inject({.kind = FaultKind::crash, .object = "*", .count = 1, .delay = milliseconds(0)}));
  EXPECT_EXIT(static_cast<void>(hypervisor_->resume(guest)), ::testing::ExitedWithCode(70), "");
}

}  // namespace
}  // namespace virga::compute
