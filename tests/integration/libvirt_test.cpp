// The libvirt adapter against a real libvirtd and real (emulated) guests.

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <fstream>

#include "compute/host/kvm_probe.h"
#include "tests/integration/libvirt_fixture.h"

namespace virga::compute {
namespace {

// Runs the KVM probe's guest by emulation, which works everywhere.
class EmulatingRunner final : public CommandRunner {
 public:
  Result<CommandResult> run(const Command& command) override {
    auto emulated = command;
    std::replace(emulated.argv.begin(), emulated.argv.end(), std::string("kvm"), std::string("tcg"));
    std::replace(emulated.argv.begin(), emulated.argv.end(), std::string("host"), std::string("max"));
    emulated.timeout = 60s;
    return SystemCommandRunner().run(emulated);
  }
};

TEST(KvmProbe, ItsBootSectorIsReachedThroughTheFirmware) {
  if (const auto reason = test::no_guests_reason()) GTEST_SKIP() << *reason;
  if (::access("/dev/kvm", R_OK | W_OK) != 0) GTEST_SKIP() << "without /dev/kvm nothing is probed";
  const test::TemporaryDirectory directory;
  EmulatingRunner runner;

  const auto verdict = probe_kvm(runner, directory.path());

  EXPECT_TRUE(verdict.works) << verdict.detail;
}

TEST_F(LibvirtTest, BootsAGuestAndSeesItsPoweroffWithinTwoSeconds) {
  const auto spec = tiny_guest("i-00000000000000001");
  boot(spec);
  const auto running = find(spec.id);
  ASSERT_TRUE(running);
  EXPECT_EQ(running->state, DomainState::running);
  EXPECT_EQ(running->start_number, 1U);
  EXPECT_EQ(running->disks, std::vector{root_});

  auto serial = log_in(spec.id);
  const int process = libvirtd_->guest_pid(spec.id.str());
  serial.type("poweroff -f\n");
  ASSERT_TRUE(test::wait_for_end(process, 30s));
  const auto ended = std::chrono::steady_clock::now();
  ASSERT_TRUE(eventually(end_is_seen_within, [&] { return is(spec.id, DomainState::off); }));
  EXPECT_LT(std::chrono::steady_clock::now() - ended, end_is_seen_within);
  EXPECT_EQ(find(spec.id)->exit_reason, ExitReason::guest_shutdown);
  EXPECT_TRUE(find(spec.id)->disks.empty());
  EXPECT_GT(changes_, 1);
  EXPECT_EQ(ends_, 1);
}

TEST_F(LibvirtTest, AsksTheGuestToShutDownAndStartsItAgain) {
  auto spec = tiny_guest("i-00000000000000002");
  boot(spec);

  ASSERT_TRUE(hypervisor_->shutdown(spec.id));
  ASSERT_TRUE(eventually(60s, [&] { return is(spec.id, DomainState::off); })) << console(spec.id);
  EXPECT_EQ(find(spec.id)->exit_reason, ExitReason::guest_shutdown);
  EXPECT_TRUE(hypervisor_->shutdown(spec.id)) << "asking a guest that is off is no error";

  spec.start_number = 2;
  ASSERT_TRUE(hypervisor_->start_paused(spec));
  ASSERT_TRUE(hypervisor_->start_paused(spec)) << "the same start again is no error";
  EXPECT_EQ(find(spec.id)->start_number, 2U);
  EXPECT_EQ(find(spec.id)->exit_reason, ExitReason::none);
  spec.start_number = 3;
  EXPECT_EQ(hypervisor_->start_paused(spec).error().code, Code::incorrect_state);
  EXPECT_EQ(hypervisor_->undefine(spec.id).error().code, Code::incorrect_state);

  ASSERT_TRUE(hypervisor_->destroy(spec.id));
  EXPECT_TRUE(is(spec.id, DomainState::off));
  EXPECT_EQ(find(spec.id)->exit_reason, ExitReason::none);
  ASSERT_TRUE(hypervisor_->undefine(spec.id));
  EXPECT_FALSE(find(spec.id));
  EXPECT_EQ(console(spec.id), "");
  EXPECT_TRUE(hypervisor_->destroy(spec.id));
  EXPECT_TRUE(hypervisor_->undefine(spec.id));
  EXPECT_EQ(hypervisor_->resume(spec.id).error().code, Code::invalid_instance_id_not_found);
}

TEST_F(LibvirtTest, ReportsAKilledProcessWithinTwoSeconds) {
  const auto spec = tiny_guest("i-00000000000000003");
  ASSERT_TRUE(hypervisor_->start_paused(spec));
  ASSERT_TRUE(hypervisor_->resume(spec.id));
  const int before = changes_;

  ASSERT_EQ(::kill(libvirtd_->guest_pid(spec.id.str()), SIGKILL), 0);

  ASSERT_TRUE(
      eventually(end_is_seen_within, [&] { return changes_ > before && ends_ == 1 && is(spec.id, DomainState::off); }));
  const auto domain = hypervisor_->look_at(spec.id);
  ASSERT_TRUE(domain && *domain);
  EXPECT_EQ((*domain)->exit_reason, ExitReason::process_killed);
  EXPECT_EQ((*domain)->start_number, spec.start_number);
}

TEST_F(LibvirtTest, RebootsAndResetsTheGuest) {
  const auto spec = tiny_guest("i-00000000000000004");
  boot(spec);
  const auto boots = [&] {
    const auto text = console(spec.id);
    int count = 0;
    for (auto at = text.find("login:"); at != std::string::npos; at = text.find("login:", at + 1)) ++count;
    return count;
  };
  const auto resets = find(spec.id)->resets;

  ASSERT_TRUE(hypervisor_->reboot(spec.id));
  ASSERT_TRUE(eventually(boot_time, [&] { return boots() == 2; })) << console(spec.id);
  EXPECT_TRUE(is(spec.id, DomainState::running));
  EXPECT_GT(*find(spec.id)->resets, *resets);

  const auto after_reboot = find(spec.id)->resets;
  ASSERT_TRUE(hypervisor_->reset(spec.id));
  ASSERT_TRUE(eventually(boot_time, [&] { return boots() == 3; })) << console(spec.id);
  EXPECT_GT(*find(spec.id)->resets, *after_reboot);
}

TEST_F(LibvirtTest, PlugsVolumesInAndOutOfTheRunningGuest) {
  const auto spec = tiny_guest("i-00000000000000005");
  boot(spec);
  const DomainDisk disk{
      .volume = VolumeId::trusted("vol-0123456789abcdef0"), .path = volume_file("data", false), .slot = 1};

  ASSERT_TRUE(hypervisor_->attach_disk(spec.id, disk));
  ASSERT_TRUE(hypervisor_->attach_disk(spec.id, disk)) << "attaching what is attached is no error";
  EXPECT_EQ(find(spec.id)->disks, (std::vector{root_, disk.volume}));
  auto serial = log_in(spec.id);
  serial.type(
      "until [ -b /dev/vdb ]; do usleep 100000; done; cat /sys/block/vdb/serial; echo; blockdev --getsize64 "
      "/dev/vdb\n");
  EXPECT_TRUE(serial.expect("vol0123456789abcdef0", 30s)) << serial.seen();
  EXPECT_TRUE(serial.expect("67108864", 30s)) << serial.seen();

  const int before = changes_;
  ASSERT_TRUE(hypervisor_->detach_disk(spec.id, disk.volume));
  ASSERT_TRUE(eventually(30s, [&] { return find(spec.id)->disks == std::vector{root_}; }));
  EXPECT_TRUE(eventually(5s, [&] { return changes_ > before; }));
  EXPECT_TRUE(hypervisor_->detach_disk(spec.id, disk.volume)) << "detaching what is gone is no error";
}

TEST_F(LibvirtTest, GrowsAVolumeUnderTheRunningGuest) {
  const auto spec = tiny_guest("i-0000000000000000d");
  const DomainDisk disk{
      .volume = VolumeId::trusted("vol-0123456789abcdef0"), .path = volume_file("data", false), .slot = 1};
  EXPECT_EQ(hypervisor_->resize_disk(spec.id, disk.volume, 1).error().code, Code::invalid_instance_id_not_found);
  boot(spec);
  EXPECT_EQ(hypervisor_->resize_disk(spec.id, disk.volume, 1).error().code, Code::incorrect_state);
  ASSERT_TRUE(hypervisor_->attach_disk(spec.id, disk));
  auto serial = log_in(spec.id);
  serial.type(
      "until [ -b /dev/vdb ]; do usleep 100000; done; dd if=/dev/urandom of=/dev/vdb bs=1M count=4 conv=notrunc; sync; "
      "echo before-$(dd if=/dev/vdb bs=1M count=4 2>/dev/null | md5sum | cut -c1-32) > /tmp/sum; cat "
      "/sys/block/vdb/size\n");
  ASSERT_TRUE(serial.expect("131072", 60s)) << serial.seen();

  const auto grown = hypervisor_->resize_disk(spec.id, disk.volume, 2);
  ASSERT_TRUE(grown) << describe(grown.error());
  EXPECT_TRUE(hypervisor_->resize_disk(spec.id, disk.volume, 2)) << "what is large enough is left alone";
  EXPECT_TRUE(hypervisor_->resize_disk(spec.id, disk.volume, 1)) << "and is never made smaller";

  serial.type(
      "until [ $(cat /sys/block/vdb/size) = 4194304 ]; do usleep 100000; done; echo before-$(dd if=/dev/vdb bs=1M "
      "count=4 2>/dev/null | md5sum | cut -c1-32) | cmp - /tmp/sum && echo as-$((40 + 2))-before\n");
  EXPECT_TRUE(serial.expect("as-42-before", 60s)) << serial.seen();
}

TEST_F(LibvirtTest, AdoptsItsGuestsAfterLibvirtdWasKilled) {
  const auto spec = tiny_guest("i-00000000000000006");
  boot(spec);
  const int guest = libvirtd_->guest_pid(spec.id.str());
  const int before = changes_;

  ASSERT_EQ(::kill(libvirtd_->pid(), SIGKILL), 0);
  ASSERT_TRUE(eventually(10s, [&] { return !hypervisor_->list(); }));
  EXPECT_EQ(hypervisor_->list().error().code, Code::unavailable);
  ASSERT_TRUE(libvirtd_->start());

  ASSERT_TRUE(eventually(20s, [&] { return is(spec.id, DomainState::running); }));
  EXPECT_EQ(libvirtd_->guest_pid(spec.id.str()), guest);
  EXPECT_GE(changes_, before + 2) << "told of the loss and of the new connection";
  const int reconnected = changes_;
  ASSERT_EQ(::kill(guest, SIGKILL), 0);
  ASSERT_TRUE(eventually(end_is_seen_within, [&] { return changes_ > reconnected && is(spec.id, DomainState::off); }))
      << "events come from the new connection";
  EXPECT_EQ(find(spec.id)->exit_reason, ExitReason::process_killed);
}

TEST_F(LibvirtTest, SeesAGuestThatDiedWhileLibvirtdWasDown) {
  const auto spec = tiny_guest("i-0000000000000000c");
  ASSERT_TRUE(hypervisor_->start_paused(spec));
  const int guest = libvirtd_->guest_pid(spec.id.str());
  ASSERT_EQ(::kill(libvirtd_->pid(), SIGKILL), 0);
  ASSERT_TRUE(eventually(10s, [&] { return !hypervisor_->list(); }));
  ASSERT_EQ(::kill(guest, SIGKILL), 0);

  ASSERT_TRUE(libvirtd_->start());

  ASSERT_TRUE(eventually(20s, [&] { return is(spec.id, DomainState::off); }));
  EXPECT_EQ(find(spec.id)->exit_reason, ExitReason::process_killed);
}

TEST_F(LibvirtTest, AHungLibvirtdCostsACallItsDeadlineOnly) {
  const auto spec = tiny_guest("i-00000000000000007");
  ASSERT_TRUE(hypervisor_->start_paused(spec));
  ASSERT_EQ(::kill(libvirtd_->pid(), SIGSTOP), 0);

  const auto begin = std::chrono::steady_clock::now();
  const auto listed = hypervisor_->list();
  const auto took = std::chrono::steady_clock::now() - begin;
  ASSERT_EQ(::kill(libvirtd_->pid(), SIGCONT), 0);

  ASSERT_FALSE(listed);
  EXPECT_EQ(listed.error().code, Code::unavailable);
  EXPECT_LT(took, 12s);
  EXPECT_TRUE(eventually(10s, [&] { return is(spec.id, DomainState::paused); }));
}

TEST_F(LibvirtTest, RealmsOnOneLibvirtdDoNotMeet) {
  const auto other = open("00bb");
  const auto spec = tiny_guest("i-00000000000000008");
  ASSERT_TRUE(hypervisor_->start_paused(spec));

  EXPECT_TRUE(other->list()->empty());
  EXPECT_TRUE(other->destroy(spec.id)) << "unknown there";
  EXPECT_TRUE(is(spec.id, DomainState::paused));
}

TEST_F(LibvirtTest, OpensThePersistentTapByNameWithVnetHeaders) {
  const std::string tap = fmt::format("vt{:04x}000001", ::getpid() & 0xffff);
  ASSERT_EQ(test::run({"ip", "tuntap", "add", "dev", tap, "mode", "tap", "vnet_hdr"}), 0);
  auto spec = tiny_guest("i-0000000000000000b");
  spec.nics = {{.interface = {}, .tap = tap, .mac = "02:00:00:00:00:01"}};

  const auto started = hypervisor_->start_paused(spec);

  EXPECT_TRUE(started) << describe(started.error());
  unsigned flags = 0;
  std::ifstream("/sys/class/net/" + tap + "/tun_flags") >> std::hex >> flags;
  // IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_PERSIST, no IFF_MULTI_QUEUE (0x0100)
  EXPECT_EQ(flags & 0xffffU, 0x5802U);
  EXPECT_TRUE(hypervisor_->destroy(spec.id));
  EXPECT_EQ(test::run({"ip", "tuntap", "del", "dev", tap, "mode", "tap"}), 0);
}

}  // namespace
}  // namespace virga::compute
