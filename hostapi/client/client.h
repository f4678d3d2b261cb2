#pragma once

// A host as the control role and the command line reach it: the host API over its unix socket.
//
// Deadlines: 2 s to connect, 10 s for a whole call (a long poll: its wait and 5 s more). Answers are bounded. Whatever
// keeps an answer from coming is `unavailable`; an error the host answers with keeps its code and message.
// Thread-safe: each call has a connection of its own.

#include <chrono>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>

#include "core/faults.h"
#include "core/unique_fd.h"
#include "hostapi/host.h"

namespace virga::hostapi {

class Client final : public Host {
 public:
  explicit Client(std::filesystem::path socket) : socket_(std::move(socket)) {}

  Result<void> put_vpc(const network::WantedVpc& vpc) override;
  Result<void> put_volume(const storage::WantedVolume& volume) override;
  Result<void> put_snapshot(const storage::WantedSnapshot& snapshot) override;
  Result<void> put_instance(const compute::WantedInstance& instance) override;
  Result<void> remove(DocumentKind kind, const std::string& id) override;
  Result<void> confirm(const Inventory& inventory) override;
  Result<HostState> state() override;
  /// The sequence is of the boot last seen by state().
  Result<std::uint64_t> wait_for_change(std::uint64_t sequence, std::chrono::milliseconds wait) override;
  Result<std::string> console_output(const InstanceId& instance) override;

  /// Asks the host to take in a file of its own file system, named by an absolute path; state() shows when it is ready.
  /// For root only.
  Result<void> import_image(const ImageId& image, const std::string& path);
  /// The interactive serial console: a stream of bytes both ways.
  Result<UniqueFd> open_serial(const InstanceId& instance);
  /// A TCP connection made from within a VPC.
  Result<UniqueFd> connect_vpc(const VpcId& vpc, const std::string& address, std::uint16_t port);
  /// Spoils something on a simulated host; `fault` is "fail", "hang", "crash", "forget", "poweroff" or "kill".
  Result<void> simulate(const std::string& fault, const std::string& object, int count = 1,
                        std::chrono::milliseconds delay = std::chrono::milliseconds(0));

 private:
  static constexpr std::chrono::milliseconds call_timeout{10'000};
  /// The body of a 2xx answer.
  Result<std::string> call(const std::string& method, const std::string& target, const std::string& body = {},
                           std::chrono::milliseconds timeout = call_timeout) const;
  /// A connection that the host has switched to a raw stream.
  Result<UniqueFd> upgrade(const std::string& target) const;

  const std::filesystem::path socket_;
  std::mutex mutex_;
  std::string boot_id_;
};

/// The client of the host whose socket this is; nothing is connected yet.
inline std::unique_ptr<Client> make_unix_client(const std::filesystem::path& socket) {
  return std::make_unique<Client>(socket);
}

}  // namespace virga::hostapi
