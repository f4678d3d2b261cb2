#pragma once

// A libvirtd of the test's own (scripts/private-libvirtd), its guests' processes, and the tiny guest image.

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace virga::test {

/// Runs a program; its exit code, 124 after a minute.
int run(const std::vector<std::string>& argv);

/// Waits for a process to end, also one that is nobody's child and stays a zombie. False at the deadline.
bool wait_for_end(int pid, std::chrono::milliseconds deadline);

/// Why tests with real guests cannot run here; nothing if they can.
std::optional<std::string> no_guests_reason();

/// The tiny guest image: VIRGA_TINY_IMAGE, or built once into the build folder.
std::filesystem::path tiny_image();

/// Started in the constructor. At the end its guests are destroyed and it is stopped.
class PrivateLibvirtd {
 public:
  explicit PrivateLibvirtd(std::filesystem::path directory);
  ~PrivateLibvirtd();
  PrivateLibvirtd(const PrivateLibvirtd&) = delete;
  PrivateLibvirtd& operator=(const PrivateLibvirtd&) = delete;

  std::string uri() const;
  bool start();
  int pid() const;
  /// The QEMU process of a guest; 0 if it has none.
  int guest_pid(const std::string& name) const;
  /// The full command line of that process.
  std::string guest_command_line(const std::string& name) const;

 private:
  std::filesystem::path directory_;
};

}  // namespace virga::test
