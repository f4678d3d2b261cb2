// What a guest that has broken out into its QEMU process finds: a fixed device list, a user that owns next to nothing,
// bounds on what it writes.

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "core/unique_fd.h"
#include "tests/integration/libvirt_fixture.h"

namespace virga::compute {
namespace {

// One line of /proc/PID/status, without its name.
std::string status_line(int pid, const std::string& name) {
  std::ifstream in(fmt::format("/proc/{}/status", pid));
  for (std::string line; std::getline(in, line);)
    if (line.starts_with(name + ":")) return line.substr(name.size() + 1);
  return {};
}

struct stat status_of(const std::string& path) {
  struct stat status {};
  EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
  return status;
}

enum class Use { read, write, connect };

int use(const char* path, Use how) {
  if (how == Use::connect) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    return ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ? 0 : errno;
  }
  return ::open(path, how == Use::read ? O_RDONLY : O_RDWR) >= 0 ? 0 : errno;
}

// What a program gets that runs as the guest's process does, with its user, groups and mount namespace: 0 or an errno.
int as_guest(int pid, const std::string& path, Use how) {
  const auto uid = status_of(fmt::format("/proc/{}", pid)).st_uid;
  const auto gid = status_of(fmt::format("/proc/{}", pid)).st_gid;
  std::vector<gid_t> groups;
  std::stringstream listed(status_line(pid, "Groups"));
  for (gid_t group = 0; listed >> group;) groups.push_back(group);
  const UniqueFd mounts(::open(fmt::format("/proc/{}/ns/mnt", pid).c_str(), O_RDONLY | O_CLOEXEC));
  const pid_t child = ::fork();
  if (child == 0) {
    const bool dropped = ::setns(mounts.get(), CLONE_NEWNS) == 0 && ::setgroups(groups.size(), groups.data()) == 0 &&
                         ::setgid(gid) == 0 && ::setuid(uid) == 0;
    ::_exit(dropped ? use(path.c_str(), how) : 255);
  }
  int ended = 0;
  EXPECT_EQ(::waitpid(child, &ended, 0), child);
  return WEXITSTATUS(ended);
}

using LibvirtThreatsTest = LibvirtTest;

TEST_F(LibvirtThreatsTest, Threat_F01_RunsQemuWithTheFixedDevicesOnly) {
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

TEST_F(LibvirtThreatsTest, Threat_F04_SocketsAreForRootAlone) {
  for (const char* name : {"libvirt-sock", "libvirt-sock-ro", "libvirt-admin-sock"}) {
    struct stat status {};
    ASSERT_EQ(::stat((directory_.path() / "lv/run" / name).c_str(), &status), 0) << name;
    EXPECT_EQ(status.st_mode & 077U, 0U) << name;
  }
}

TEST_F(LibvirtThreatsTest, Threat_F05_AFloodOfTheSerialPortStaysBounded) {
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

TEST_F(LibvirtThreatsTest, Threat_F02_QemuIsAUserWithoutRights) {
  const auto spec = tiny_guest("i-0000000000000000d");
  const auto started = hypervisor_->start_paused(spec);
  ASSERT_TRUE(started) << describe(started.error());
  const int pid = libvirtd_->guest_pid(spec.id.str());

  const auto* user = ::getpwnam("virga-qemu");
  ASSERT_NE(user, nullptr);
  std::stringstream uids(status_line(pid, "Uid"));
  for (int kind = 0; kind < 4; ++kind) {  // real, effective, saved, file system
    uid_t uid = 0;
    uids >> uid;
    EXPECT_EQ(uid, user->pw_uid);
  }
  EXPECT_NE(user->pw_uid, 0U);
  for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapAmb"})
    EXPECT_EQ(status_line(pid, set), "\t0000000000000000") << set;
  EXPECT_EQ(status_line(pid, "NoNewPrivs"), "\t1");
  EXPECT_EQ(status_line(pid, "Seccomp"), "\t2") << "filtered";
  EXPECT_NE(std::filesystem::read_symlink(fmt::format("/proc/{}/ns/mnt", pid)),
            std::filesystem::read_symlink(fmt::format("/proc/{}/ns/mnt", libvirtd_->pid())))
      << "a /dev of its own";
}

TEST_F(LibvirtThreatsTest, Threat_F02_QemusUserReachesWhatItsGuestUsesAndNothingElse) {
  const auto spec = tiny_guest("i-0000000000000000e");
  const auto other = volume_file("other", false);
  const auto secret = (directory_.path() / "secret").string();
  std::ofstream(secret) << "secret";
  std::filesystem::permissions(secret, std::filesystem::perms(0600));
  const auto started = hypervisor_->start_paused(spec);
  ASSERT_TRUE(started) << describe(started.error());
  const int pid = libvirtd_->guest_pid(spec.id.str());
  const auto files = directory_.path() / "00aa/consoles/0000000000000000e";

  EXPECT_EQ(as_guest(pid, spec.disks[0].path, Use::write), 0) << "its own volume";
  EXPECT_EQ(as_guest(pid, base_file(), Use::read), 0);
  EXPECT_EQ(as_guest(pid, base_file(), Use::write), EACCES);
  EXPECT_EQ(as_guest(pid, other, Use::read), EACCES);
  EXPECT_EQ(as_guest(pid, secret, Use::read), EACCES);
  EXPECT_EQ(as_guest(pid, files.string() + ".log", Use::read), EACCES);
  EXPECT_EQ(as_guest(pid, files.string() + ".tty", Use::connect), EACCES);
  EXPECT_EQ(as_guest(pid, (directory_.path() / "lv/run/libvirt-sock").string(), Use::connect), EACCES);
  EXPECT_EQ(as_guest(pid, "/run/libvirt/libvirt-sock", Use::connect), EACCES);
  EXPECT_EQ(as_guest(pid, "/dev/net/tun", Use::write), ENOENT);
  EXPECT_EQ(as_guest(pid, directory_.path().string(), Use::read), EACCES) << "nothing can be listed";
}

TEST_F(LibvirtThreatsTest, Threat_F02_AVolumeIsQemusOnlyWhileItIsUsedAndItsBaseNever) {
  const auto spec = tiny_guest("i-0000000000000000f");
  const DomainDisk data{
      .volume = VolumeId::trusted("vol-0123456789abcdef0"), .path = volume_file("data", false), .slot = 1};
  const auto qemu = [] { return ::getpwnam("virga-qemu")->pw_uid; };
  const auto is = [](const std::string& path, uid_t owner) {
    const auto status = status_of(path);
    return status.st_uid == owner && (status.st_mode & 07777U) == 0600U;
  };
  ASSERT_TRUE(is(spec.disks[0].path, 0));
  boot(spec);
  ASSERT_TRUE(hypervisor_->attach_disk(spec.id, data));

  EXPECT_TRUE(is(spec.disks[0].path, qemu()));
  EXPECT_TRUE(is(data.path, qemu()));
  EXPECT_EQ(status_of(base_file()).st_uid, 0U);
  EXPECT_EQ(status_of(base_file()).st_mode & 07777U, 0440U);
  EXPECT_EQ(status_of(base_file()).st_gid, ::getgrnam("virga-qemu")->gr_gid);

  ASSERT_TRUE(hypervisor_->detach_disk(spec.id, data.volume));
  ASSERT_TRUE(eventually(30s, [&] { return is(data.path, 0); }));
  ASSERT_EQ(::kill(libvirtd_->guest_pid(spec.id.str()), SIGKILL), 0);
  ASSERT_TRUE(eventually(end_is_seen_within, [&] { return is(spec.disks[0].path, 0); }));
  EXPECT_EQ(status_of(base_file()).st_uid, 0U);
}

TEST_F(LibvirtThreatsTest, Threat_F05_QemusProcessesAndFilesAreCounted) {
  const auto spec = tiny_guest("i-0000000000000001a");
  ASSERT_TRUE(hypervisor_->start_paused(spec));
  std::ifstream in(fmt::format("/proc/{}/limits", libvirtd_->guest_pid(spec.id.str())));
  std::stringstream limits;
  limits << in.rdbuf();

  for (const char* name : {"Max processes", "Max open files", "Max core file size"}) {
    const std::regex line(std::string(name) + " +([0-9]+) +([0-9]+)");
    std::smatch found;
    const auto text = limits.str();
    ASSERT_TRUE(std::regex_search(text, found, line)) << name << " is unlimited:\n" << text;
    EXPECT_LE(std::stoul(found[2]), 16'384U) << name;
  }
  const auto line = libvirtd_->guest_command_line(spec.id.str());
  EXPECT_NE(line.find("\"werror\":\"stop\""), std::string::npos) << line;
  EXPECT_NE(line.find("\"rerror\":\"stop\""), std::string::npos) << line;
}

}  // namespace
}  // namespace virga::compute
