// The libvirt adapter against a real libvirtd and real (emulated) guests.

#include "compute/host/libvirt_hypervisor.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <regex>
#include <set>

#include "compute/host/kvm_probe.h"
#include "tests/support/eventually.h"
#include "tests/support/private_libvirtd.h"
#include "tests/support/serial_console.h"
#include "tests/support/temporary_directory.h"

namespace virga::compute {
namespace {

using namespace std::chrono_literals;
using test::eventually;

constexpr auto boot_time = 120s;

class LibvirtTest : public testing::Test {
 protected:
  void SetUp() override {
    if (const auto reason = test::no_guests_reason()) GTEST_SKIP() << *reason;
    libvirtd_ = std::make_unique<test::PrivateLibvirtd>(directory_.path() / "lv");
    hypervisor_ = open("00aa");
    hypervisor_->on_change([this] { ++changes_; });
  }
  void TearDown() override {
    hypervisor_.reset();
    libvirtd_.reset();
    if (HasFailure()) directory_.keep();
  }

  std::unique_ptr<Hypervisor> open(const std::string& realm) {
    std::filesystem::create_directories(directory_.path() / realm);
    auto hypervisor = create_libvirt_hypervisor({.uri = libvirtd_->uri(),
                                                 .realm = realm,
                                                 .state_dir = directory_.path() / realm,
                                                 .accelerator = Accelerator::tcg,
                                                 .disk_cache = "unsafe",
                                                 .pci_ports = 8});
    EXPECT_TRUE(hypervisor) << describe(hypervisor.error());
    return std::move(*hypervisor);
  }

  // A throw-away overlay on the tiny image, or an empty volume of 64 MiB.
  std::string volume_file(const std::string& name, bool bootable) {
    const auto path = (directory_.path() / (name + ".qcow2")).string();
    auto argv = bootable ? std::vector<std::string>{"qemu-img", "create", "-q",
                                                    "-f",       "qcow2",  "-F",
                                                    "qcow2",    "-b",     test::tiny_image().string(),
                                                    path}
                         : std::vector<std::string>{"qemu-img", "create", "-q", "-f", "qcow2", path, "64M"};
    EXPECT_EQ(test::run(argv), 0);
    return path;
  }

  DomainSpec tiny_guest(std::string_view id, std::uint64_t start_number = 1) {
    DomainSpec spec;
    spec.id = InstanceId::trusted(id);
    spec.start_number = start_number;
    spec.account = AccountId::trusted("123456789012");
    spec.instance_type = "t1.nano";
    spec.memory_mib = 128;
    spec.disks = {{.volume = root_, .path = volume_file(spec.id.str(), true), .slot = 0}};
    return spec;
  }

  std::optional<Domain> find(const InstanceId& id) {
    const auto domains = hypervisor_->list();
    if (!domains) return std::nullopt;
    const auto found = std::find_if(domains->begin(), domains->end(), [&](const Domain& d) { return d.id == id; });
    return found == domains->end() ? std::nullopt : std::optional(*found);
  }
  bool is(const InstanceId& id, DomainState state) {
    const auto domain = find(id);
    return domain && domain->state == state;
  }
  std::string console(const InstanceId& id) { return hypervisor_->console_output(id).value_or(""); }
  bool console_shows(const InstanceId& id, const std::string& text) {
    return eventually(boot_time, [&] { return console(id).find(text) != std::string::npos; });
  }
  // Starts it and waits for the login prompt: the power button has a listener by then.
  void boot(const DomainSpec& spec) {
    const auto started = hypervisor_->start_paused(spec);
    ASSERT_TRUE(started) << describe(started.error());
    ASSERT_TRUE(is(spec.id, DomainState::paused));
    ASSERT_TRUE(hypervisor_->resume(spec.id));
    ASSERT_TRUE(console_shows(spec.id, "login:")) << console(spec.id);
  }
  // The guest's serial console, logged in as root.
  test::SerialConsole log_in(const InstanceId& id) {
    test::SerialConsole serial(hypervisor_->console_socket(id).value_or(""));
    EXPECT_TRUE(serial.ok());
    serial.type("\n");
    EXPECT_TRUE(serial.expect("login:", 60s)) << serial.seen();
    serial.type("root\n");
    EXPECT_TRUE(serial.expect("tiny#", 30s)) << serial.seen();
    return serial;
  }

  const VolumeId root_ = VolumeId::trusted("vol-00000000000000001");
  test::TemporaryDirectory directory_;
  std::unique_ptr<test::PrivateLibvirtd> libvirtd_;
  std::unique_ptr<Hypervisor> hypervisor_;
  std::atomic<int> changes_ = 0;
};

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

TEST_F(LibvirtTest, BootsAGuestAndSeesItsPoweroff) {
  const auto spec = tiny_guest("i-00000000000000001");
  boot(spec);
  const auto running = find(spec.id);
  ASSERT_TRUE(running);
  EXPECT_EQ(running->state, DomainState::running);
  EXPECT_EQ(running->start_number, 1U);
  EXPECT_EQ(running->disks, std::vector{root_});

  auto serial = log_in(spec.id);
  serial.type("poweroff -f\n");
  ASSERT_TRUE(eventually(30s, [&] { return libvirtd_->guest_pid(spec.id.str()) == 0; }));
  ASSERT_TRUE(eventually(20s, [&] { return is(spec.id, DomainState::off); }));
  EXPECT_EQ(find(spec.id)->exit_reason, ExitReason::guest_shutdown);
  EXPECT_TRUE(find(spec.id)->disks.empty());
  EXPECT_GT(changes_, 1);
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

TEST_F(LibvirtTest, ReportsAKilledProcess) {
  const auto spec = tiny_guest("i-00000000000000003");
  ASSERT_TRUE(hypervisor_->start_paused(spec));
  ASSERT_TRUE(hypervisor_->resume(spec.id));
  const int before = changes_;

  ASSERT_EQ(::kill(libvirtd_->guest_pid(spec.id.str()), SIGKILL), 0);

  ASSERT_TRUE(eventually(20s, [&] { return changes_ > before && is(spec.id, DomainState::off); }));
  EXPECT_EQ(find(spec.id)->exit_reason, ExitReason::process_killed);
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
  ASSERT_TRUE(eventually(20s, [&] { return changes_ > reconnected && is(spec.id, DomainState::off); }))
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

TEST_F(LibvirtTest, Threat_F01_RunsQemuWithTheFixedDevicesOnly) {
  const auto spec = tiny_guest("i-00000000000000009");
  ASSERT_TRUE(hypervisor_->start_paused(spec));

  const auto line = libvirtd_->guest_command_line(spec.id.str());
  EXPECT_NE(line.find("-nodefaults"), std::string::npos);
  EXPECT_NE(line.find("-sandbox on"), std::string::npos);
  EXPECT_NE(line.find("usb=off"), std::string::npos);
  std::set<std::string> drivers;
  const std::regex device(R"(-device \{"driver":"([^"]*)\")");
  for (std::sregex_iterator match(line.begin(), line.end(), device), end; match != end; ++match)
    drivers.insert((*match)[1]);
  const std::set<std::string> allowed = {"VGA",
                                         "isa-serial",
                                         "pcie-root-port",
                                         "virtio-balloon-pci",
                                         "virtio-blk-pci",
                                         "virtio-rng-pci",
                                         "virtio-serial-pci",
                                         "virtserialport"};
  EXPECT_EQ(drivers, allowed) << line;
  const std::regex counted("-device ");
  EXPECT_EQ(std::distance(std::sregex_iterator(line.begin(), line.end(), counted), {}),
            std::distance(std::sregex_iterator(line.begin(), line.end(), device), {}))
      << "every device was looked at";
  EXPECT_EQ(line.find("-netdev"), std::string::npos) << "no network but the interfaces asked for";
}

TEST_F(LibvirtTest, Threat_F04_SocketsAreForRootAlone) {
  for (const char* name : {"libvirt-sock", "libvirt-sock-ro", "libvirt-admin-sock"}) {
    struct stat status {};
    ASSERT_EQ(::stat((directory_.path() / "lv/run" / name).c_str(), &status), 0) << name;
    EXPECT_EQ(status.st_mode & 077U, 0U) << name;
  }
}

TEST_F(LibvirtTest, Threat_F05_AFloodOfTheSerialPortStaysBounded) {
  const auto spec = tiny_guest("i-0000000000000000a");
  boot(spec);
  {
    auto serial = log_in(spec.id);
    serial.type("yes 0123456789abcdef0123456789abcdef0123456789abcdef | head -c 2500000; echo flood-$((40+2))\n");
    ASSERT_TRUE(serial.expect("cdef\r\n0123456789", 60s)) << serial.seen();
  }  // A client that stays and does not read would hold the guest up.
  std::uintmax_t largest = 0;
  const auto log = directory_.path() / "00aa/consoles/0000000000000000a.log";
  ASSERT_TRUE(eventually(180s, [&] {
    std::error_code error;
    largest = std::max(largest, std::filesystem::file_size(log, error));
    return console(spec.id).find("flood-42") != std::string::npos;
  }));
  EXPECT_LT(largest, 3U << 20);
  EXPECT_LE(console(spec.id).size(), 64U << 10);
  EXPECT_TRUE(eventually(5s, [&] { return std::filesystem::file_size(log) <= 1U << 20; }));
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
