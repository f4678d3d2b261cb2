// Snapshots of volumes of real (emulated) guests: the agent with the real hypervisor and the real files. The guests
// have no network.

#include <fmt/format.h>
#include <signal.h>

#include <fstream>

#include "hostapi/agent/agent.h"
#include "network/host/simulated_network.h"
#include "storage/host/qcow2_backend.h"
#include "tests/integration/libvirt_fixture.h"

namespace virga::hostapi {
namespace {

using compute::GuestState;
using test::eventually;
using namespace std::chrono_literals;

constexpr auto copy_time = 120s;

class SnapshotGuests : public compute::LibvirtTest {
 protected:
  void SetUp() override {
    LibvirtTest::SetUp();
    if (IsSkipped()) return;
    auto volumes = storage::Qcow2Backend::create(
        {.directory = (directory_.path() / "storage").string(), .runner = runner_, .limits = {}});
    ASSERT_TRUE(volumes) << describe(volumes.error());
    volumes_ = std::move(*volumes);
    auto network = network::SimulatedNetwork::create(directory_.path() / "network", faults_);
    ASSERT_TRUE(network);
    network_ = std::move(*network);
    const auto imported = volumes_->import_image(image_, test::tiny_image());
    ASSERT_TRUE(imported) << describe(imported.error());
    start_role();
  }
  void TearDown() override {
    agent_.reset();
    LibvirtTest::TearDown();
  }
  void start_role() {
    agent_.reset();
    const AgentOptions options{.directory = directory_.path() / "agent",
                               .host_identity = "identity-1",
                               .host_name = "host-1",
                               .version = "test",
                               .boot_id = fmt::format("role-{}", ++role_starts_),
                               .kernel_boot_id = "kernel-1"};
    auto agent = Agent::create(options, config_, {*hypervisor_, *network_, *volumes_, clock_});
    ASSERT_TRUE(agent) << describe(agent.error());
    agent_ = std::move(*agent);
    agent_->start();
  }

  storage::WantedVolume root() const {
    return {.id = root_, .generation = 1, .number = 1, .size_gib = 1, .image = image_, .snapshot = {}};
  }
  storage::WantedVolume data() const {
    return {.id = data_, .generation = 1, .number = 2, .size_gib = 1, .image = {}, .snapshot = {}};
  }
  compute::WantedInstance guest(compute::Power power, std::uint64_t generation, std::uint64_t start_number) const {
    compute::WantedInstance instance;
    instance.id = guest_;
    instance.generation = generation;
    instance.start_number = start_number;
    instance.number = 1;
    instance.account = AccountId::trusted("123456789012");
    instance.instance_type = "t1.nano";
    instance.memory_mib = 128;
    instance.power = power;
    instance.shutdown_timeout_s = 0;
    instance.disks = {{.volume = root_, .device = "/dev/sda1", .slot = 0, .root = true},
                      {.volume = data_, .device = "/dev/sdf", .slot = 1, .root = false}};
    return instance;
  }
  void put_guest(compute::Power power, std::uint64_t generation, std::uint64_t start_number) {
    ASSERT_TRUE(agent_->put(guest(power, generation, start_number)));
  }
  void put_volumes() {
    ASSERT_TRUE(agent_->put(root()));
    ASSERT_TRUE(agent_->put(data()));
    ASSERT_TRUE(eventually(60s, [&] { return std::filesystem::exists(volumes_->path(data_)); }));
  }
  /// Puts what a copy takes some seconds for into the data volume.
  void fill() {
    ASSERT_EQ(test::run({"qemu-io", "-f", "qcow2", "-c", "write -P 0x5a 256M 600M", volumes_->path(data_)}), 0);
  }
  void put_snapshot() {
    ASSERT_TRUE(agent_->put(storage::WantedSnapshot{.id = snapshot_, .generation = 1, .volume = data_, .size_gib = 1}));
  }
  storage::ObservedSnapshot snapshot() const {
    for (const auto& seen : agent_->state().snapshots)
      if (seen.id == snapshot_) return seen;
    return {};
  }
  bool is_state(GuestState state) const {
    const auto instances = agent_->state().instances;
    return !instances.empty() && instances.front().state == state;
  }
  bool is_made() {
    return eventually(copy_time, [&] { return snapshot().ready; });
  }
  bool hypervisor_copies() {
    return eventually(60s, [&] {
      const auto backup = hypervisor_->backup_state(guest_);
      return backup && backup->state == compute::DiskBackup::State::running;
    });
  }
  std::string snapshot_path() const { return directory_.path() / "storage/snapshots" / (snapshot_.str() + ".qcow2"); }
  /// Reads as much from the beginning of the snapshot's disk.
  std::string beginning(std::size_t mebibytes) {
    const auto raw = (directory_.path() / "head.raw").string();
    EXPECT_EQ(test::run({"qemu-img", "dd", "-f", "qcow2", "-O", "raw", "if=" + snapshot_path(), "of=" + raw, "bs=1M",
                         fmt::format("count={}", mebibytes)}),
              0);
    std::ifstream file(raw, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void expect_what_was_filled_in() {
    EXPECT_EQ(test::run({"qemu-io", "-f", "qcow2", "-c", "read -P 0x5a 256M 600M", "-c", "read -P 0 0 256M", "-c",
                         "read -P 0 856M 168M", snapshot_path()}),
              0);
  }
  /// Nobody may have the volume open.
  void expect_equal_to_the_volume() {
    EXPECT_EQ(test::run({"qemu-img", "compare", "-f", "qcow2", "-F", "qcow2", snapshot_path(), volumes_->path(data_)}),
              0);
  }

  const ImageId image_ = ImageId::trusted("ami-0123456789abcdef0");
  const VolumeId data_ = VolumeId::trusted("vol-0123456789abcdef0");
  const InstanceId guest_ = InstanceId::trusted("i-0000000000000005a");
  const SnapshotId snapshot_ = SnapshotId::trusted("snap-0123456789abcdef0");
  SystemCommandRunner runner_;
  SystemClock clock_;
  Faults faults_;
  Config config_;
  int role_starts_ = 0;
  std::unique_ptr<storage::VolumeBackend> volumes_;
  std::unique_ptr<network::SimulatedNetwork> network_;
  std::unique_ptr<Agent> agent_;
};

/// How many numbered records of 4 KiB stand in a row; -1 when there is something after the first that is missing.
int records_in(const std::string& bytes) {
  constexpr std::size_t size = 4096;
  std::string_view rest = bytes;
  int count = 0;
  while (rest.size() >= size && rest.starts_with(fmt::format("r{} ", count))) {
    rest.remove_prefix(size);
    ++count;
  }
  return rest.find_first_not_of('\0') == std::string_view::npos ? count : -1;
}

TEST_F(SnapshotGuests, ARunningGuestGoesOnAndNothingWrittenAfterTheMomentIsInIt) {
  put_volumes();
  put_guest(compute::Power::running, 1, 1);
  ASSERT_TRUE(console_shows(guest_, "login:")) << console(guest_);
  auto serial = log_in(guest_);
  // Each record is on the disk before the next is written.
  serial.type(
      "(i=0; while [ $i -lt 4000 ]; do printf '%-4096s' \"r$i\" | dd of=/dev/vdb bs=4096 seek=$i conv=notrunc,fsync "
      "2>/dev/null; i=$((i + 1)); [ $((i % 10)) = 0 ] && echo wrote-$i; done) &\n");
  ASSERT_TRUE(serial.expect("wrote-20\r", 60s)) << serial.seen();

  put_snapshot();
  ASSERT_TRUE(is_made()) << snapshot().problem;

  const int count = records_in(beginning(16));
  EXPECT_GE(count, 20);
  const auto later = fmt::format("wrote-{}\r", (count / 10 + 3) * 10);
  EXPECT_TRUE(serial.expect(later, 60s)) << "the guest goes on: " << serial.seen();
  EXPECT_EQ(records_in(beginning(16)), count);
  EXPECT_TRUE(is_state(GuestState::running));
  EXPECT_TRUE(std::filesystem::is_empty(directory_.path() / "storage/backups"));
}

TEST_F(SnapshotGuests, AStoppedGuestStartsAfterTheCopy) {
  put_volumes();
  fill();
  put_guest(compute::Power::running, 1, 1);
  ASSERT_TRUE(eventually(60s, [&] { return is_state(GuestState::running); }));
  put_guest(compute::Power::stopped, 2, 1);
  ASSERT_TRUE(eventually(60s, [&] { return is_state(GuestState::stopped); }));

  put_snapshot();
  ASSERT_TRUE(eventually(30s, [&] { return snapshot().total_bytes > 0; }));
  put_guest(compute::Power::running, 3, 2);
  bool started_early = false;
  ASSERT_TRUE(eventually(copy_time, [&] {
    const bool runs = is(guest_, compute::DomainState::running);
    const bool made = snapshot().ready;  // after the look at the guest, who may start as soon as it is
    started_early = started_early || (runs && !made);
    return made;
  })) << snapshot().problem;

  EXPECT_FALSE(started_early);
  expect_what_was_filled_in();
  EXPECT_TRUE(eventually(60s, [&] { return is_state(GuestState::running); }));
}

TEST_F(SnapshotGuests, WhenQemuDiesInTheMiddleTheFileIsCopied) {
  put_volumes();
  fill();
  put_guest(compute::Power::running, 1, 1);
  ASSERT_TRUE(eventually(60s, [&] { return is_state(GuestState::running); }));
  put_snapshot();
  ASSERT_TRUE(hypervisor_copies());

  ASSERT_EQ(::kill(libvirtd_->guest_pid(guest_.str()), SIGKILL), 0);

  ASSERT_TRUE(is_made()) << snapshot().problem;
  EXPECT_TRUE(is_state(GuestState::exited));
  expect_equal_to_the_volume();
  EXPECT_TRUE(std::filesystem::is_empty(directory_.path() / "storage/backups"));
}

TEST_F(SnapshotGuests, WhenTheRoleEndsInTheMiddleItBeginsAgain) {
  put_volumes();
  fill();
  put_guest(compute::Power::running, 1, 1);
  ASSERT_TRUE(eventually(60s, [&] { return is_state(GuestState::running); }));
  put_snapshot();
  ASSERT_TRUE(hypervisor_copies());

  start_role();

  ASSERT_TRUE(is_made()) << snapshot().problem;
  EXPECT_TRUE(is_state(GuestState::running));
  expect_what_was_filled_in();  // the guest never wrote to it
}

TEST_F(SnapshotGuests, WhenLibvirtdEndsInTheMiddleItIsMadeAllTheSame) {
  put_volumes();
  fill();
  put_guest(compute::Power::running, 1, 1);
  ASSERT_TRUE(eventually(60s, [&] { return is_state(GuestState::running); }));
  put_snapshot();
  ASSERT_TRUE(hypervisor_copies());

  ASSERT_EQ(::kill(libvirtd_->pid(), SIGKILL), 0);
  ASSERT_TRUE(libvirtd_->start());

  ASSERT_TRUE(is_made()) << snapshot().problem;
  EXPECT_TRUE(eventually(60s, [&] { return is_state(GuestState::running); }));
  expect_what_was_filled_in();
}

TEST_F(SnapshotGuests, ACancelledCopyLeavesNothing) {
  put_volumes();
  fill();
  put_guest(compute::Power::running, 1, 1);
  ASSERT_TRUE(eventually(60s, [&] { return is_state(GuestState::running); }));
  put_snapshot();
  ASSERT_TRUE(hypervisor_copies());

  ASSERT_TRUE(agent_->remove(DocumentKind::snapshot, snapshot_.str()));

  ASSERT_TRUE(eventually(60s, [&] { return agent_->state().snapshots.empty(); }));
  ASSERT_TRUE(eventually(60s, [&] {
    const auto backup = hypervisor_->backup_state(guest_);
    return backup && backup->state != compute::DiskBackup::State::running;
  }));
  for (const char* folder : {"storage/backups", "storage/snapshots", "storage/spool"})
    EXPECT_TRUE(std::filesystem::is_empty(directory_.path() / folder)) << folder;
  EXPECT_TRUE(is_state(GuestState::running));
}

}  // namespace
}  // namespace virga::hostapi
