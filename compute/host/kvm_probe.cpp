#include "compute/host/kvm_probe.h"

#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include "core/json_values.h"
#include <system_error>

namespace virga::compute {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::milliseconds probe_timeout{8'000};
// QEMU's isa-debug-exit ends it with (value << 1) | 1.
constexpr unsigned char exit_value = 0x2a;
constexpr int expected_exit_code = (exit_value << 1) | 1;

// What the verdict depends on.
std::string boot_key() {
  utsname name{};
  ::uname(&name);
  std::string boot_id;
  std::ifstream("/proc/sys/kernel/random/boot_id") >> boot_id;
  return fmt::format("{} {}", name.release, boot_id);
}

void write_boot_sector(const fs::path& path) {
  std::array<unsigned char, 512> sector{
      0xba, 0xf4,       0x00,  // mov dx, 0xf4
      0xb0, exit_value,        // mov al, exit_value
      0xee,                    // out dx, al
      0xf4,                    // hlt
  };
  sector[510] = 0x55;
  sector[511] = 0xaa;
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(reinterpret_cast<const char*>(sector.data()), sector.size());
  // The firmware cannot read a disk of a single sector.
  std::error_code ignored;
  fs::resize_file(path, 1 << 20, ignored);
}

KvmVerdict run_probe(CommandRunner& runner, const fs::path& sector) {
  if (::access("/dev/kvm", R_OK | W_OK) != 0) return {false, "/dev/kvm cannot be opened"};
  write_boot_sector(sector);
  Command command;
  command.argv = {"qemu-system-x86_64",
                  "-accel",
                  "kvm",
                  "-machine",
                  "q35",
                  "-cpu",
                  "host",
                  "-m",
                  "64",
                  "-nodefaults",
                  "-no-user-config",
                  "-display",
                  "none",
                  "-no-reboot",
                  "-device",
                  "isa-debug-exit,iobase=0xf4,iosize=4",
                  "-drive",
                  fmt::format("file={},format=raw,if=none,id=boot,readonly=on", sector.string()),
                  "-device",
                  "virtio-blk-pci,drive=boot,bootindex=0"};
  command.timeout = probe_timeout;
  const auto result = runner.run(command);
  std::error_code ignored;
  fs::remove(sector, ignored);
  if (!result) return {false, describe(result.error())};
  if (result->timed_out) return {false, "a guest hangs under KVM"};
  if (result->exit_code == expected_exit_code) return {true, {}};
  return {false, fmt::format("QEMU ended with {}: {}", result->exit_code, result->standard_error.substr(0, 400))};
}

}  // namespace

KvmVerdict probe_kvm(CommandRunner& runner, const fs::path& directory) {
  const auto cache = directory / "kvm-probe.json";
  const auto key = boot_key();
  if (std::ifstream in(cache); in) {
    const auto known = nlohmann::json::parse(in, nullptr, false);
    if (known.is_object() && known.value("key", "") == key)
      return {known.value("works", false), known.value("detail", "")};
  }
  const auto verdict = run_probe(runner, directory / "kvm-probe.img");
  std::ofstream(cache, std::ios::trunc) << nlohmann::json{
      {"key", key},
      {"works", verdict.works},
      {"detail", verdict.detail}}.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return verdict;
}

}  // namespace virga::compute
