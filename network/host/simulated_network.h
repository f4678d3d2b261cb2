#pragma once

// The fake of the HostNetwork port: which VPCs, taps and plugged interfaces there would be. It refuses what the real
// one refuses, and its state outlives the process as kernel objects do. It carries no packets.

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/faults.h"
#include "network/host/host_network.h"

namespace virga::network {

enum class TapPlace { root, plugged };

/// What exists of one VPC on the simulated host.
struct SimulatedVpc {
  VpcId id;
  std::uint64_t generation = 0;          ///< of the document last applied; 0: only taps exist
  std::map<std::string, TapPlace> taps;  ///< by interface id
  /// The private addresses that would answer, by public address.
  std::map<std::string, std::string> addresses;
};

class SimulatedNetwork final : public HostNetwork {
 public:
  static Result<std::unique_ptr<SimulatedNetwork>> create(std::filesystem::path directory, Faults& faults);

  Result<void> apply(const WantedVpc& vpc) override;
  Result<void> remove(const WantedVpc& vpc) override;
  Result<std::string> create_tap(const WantedVpc& vpc, const NetworkInterfaceId& interface) override;
  Result<void> plug(const WantedVpc& vpc, const NetworkInterfaceId& interface) override;
  Result<void> unplug(const WantedVpc& vpc, const NetworkInterfaceId& interface) override;
  bool is_plugged(const WantedVpc& vpc, const NetworkInterfaceId& interface) override;
  Result<std::vector<std::string>> remove_orphans(const std::vector<WantedVpc>& known) override;
  /// A simulated network carries no packets: UnsupportedOperation.
  Result<UniqueFd> listen(const WantedVpc& vpc, std::string_view address, std::uint16_t port) override;
  Result<std::uint64_t> incarnation(const WantedVpc&) override { return 1; }
  Result<UniqueFd> connect(const WantedVpc& vpc, std::string_view address, std::uint16_t port,
                           std::chrono::milliseconds timeout) override;
  std::vector<std::string> problems() override { return {}; }

  /// All that exists now, for tests.
  std::vector<SimulatedVpc> vpcs();
  /// The machine lost its power: nothing is left.
  void lose_power();

 private:
  SimulatedNetwork(std::filesystem::path directory, Faults& faults);
  Result<void> load();
  void forget(const std::string& object);
  Result<void> save(const SimulatedVpc& vpc);
  Result<void> call(std::string_view name, const WantedVpc& vpc, const std::string& object,
                    const std::function<Result<void>(SimulatedVpc&)>& effect);
  std::filesystem::path file_of(const VpcId& id) const;

  const std::filesystem::path directory_;
  Faults& faults_;
  std::mutex mutex_;
  std::map<VpcId, SimulatedVpc> vpcs_;
};

}  // namespace virga::network
