#pragma once

// A libvirtd of the test's own, the adapter on it, and tiny guests.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <filesystem>
#include <memory>

#include "compute/host/libvirt_hypervisor.h"
#include "tests/support/eventually.h"
#include "tests/support/private_libvirtd.h"
#include "tests/support/serial_console.h"
#include "tests/support/temporary_directory.h"

namespace virga::compute {

using namespace std::chrono_literals;
using test::eventually;

constexpr auto boot_time = 120s;
/// From the end of a guest's process to the adapter's word of it.
constexpr auto end_is_seen_within = 2s;

class LibvirtTest : public testing::Test {
 protected:
  void SetUp() override {
    if (const auto reason = test::no_guests_reason()) GTEST_SKIP() << *reason;
    // As in the host role: libvirt's client writes to a libvirtd that has died meanwhile.
    ASSERT_NE(std::signal(SIGPIPE, SIG_IGN), SIG_ERR);
    // As in an installation: QEMU's user passes, and lists nothing.
    std::filesystem::permissions(directory_.path(), std::filesystem::perms(0711));
    libvirtd_ = std::make_unique<test::PrivateLibvirtd>(directory_.path() / "lv");
    hypervisor_ = open("00aa");
    hypervisor_->on_change([this] { ++changes_; });
    hypervisor_->on_end([this](const InstanceId&) { ++ends_; });
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

  // The tiny image, as an import leaves it.
  std::string base_file() {
    const auto path = directory_.path() / "base.qcow2";
    if (!std::filesystem::exists(path)) {
      std::filesystem::copy_file(test::tiny_image(), path);
      std::filesystem::permissions(path, std::filesystem::perms(0400));
    }
    return path.string();
  }
  // A throw-away overlay on the tiny image, or an empty volume of 64 MiB.
  std::string volume_file(const std::string& name, bool bootable) {
    const auto path = (directory_.path() / (name + ".qcow2")).string();
    auto argv = bootable ? std::vector<std::string>{"qemu-img", "create", "-q", "-f",        "qcow2",
                                                    "-F",       "qcow2",  "-b", base_file(), path}
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
    spec.disks = {{.volume = root_, .path = volume_file(spec.id.str(), true), .slot = 0, .backing = {base_file()}}};
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
  std::atomic<int> ends_ = 0;
};

}  // namespace virga::compute
