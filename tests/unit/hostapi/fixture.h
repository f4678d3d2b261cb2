#pragma once

// A host made of the three fakes, with a clock that stands still, whose role and machine can be ended and begun anew.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>

#include "compute/host/simulated_hypervisor.h"
#include "core/faults.h"
#include "hostapi/agent/agent.h"
#include "network/host/simulated_network.h"
#include "storage/host/simulated_volumes.h"

namespace virga::hostapi {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// A directory that goes with its owner.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "virga-test-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

template <class IdType>
IdType id(unsigned number) {
  return IdType::trusted(fmt::format("{}{:017x}", IdType::prefix, number));
}

inline storage::WantedVolume wanted_volume(unsigned number, std::uint64_t generation = 1) {
  return {.id = id<VolumeId>(number), .generation = generation, .number = number, .size_gib = 2, .image = {}};
}

inline network::WantedVpc wanted_vpc(unsigned number, std::vector<unsigned> instances, std::uint64_t generation = 1) {
  network::WantedVpc vpc;
  vpc.id = id<VpcId>(number);
  vpc.generation = generation;
  vpc.number = number;
  vpc.account = AccountId::trusted("111122223333");
  vpc.cidrs = {"172.31.0.0/16"};
  for (const auto instance : instances) {
    network::WantedInterface interface;
    interface.id = id<NetworkInterfaceId>(instance);
    interface.number = instance;
    interface.mac = fmt::format("0a:00:00:00:00:{:02x}", instance);
    interface.private_ips = {fmt::format("172.31.0.{}", instance)};
    interface.instance = id<InstanceId>(instance);
    vpc.interfaces.push_back(interface);
  }
  return vpc;
}

/// Instance `number` with volume `number` as its root, and interface `number` in VPC 1.
inline compute::WantedInstance wanted_instance(unsigned number, std::uint64_t generation = 1) {
  compute::WantedInstance instance;
  instance.id = id<InstanceId>(number);
  instance.generation = generation;
  instance.number = number;
  instance.account = AccountId::trusted("111122223333");
  instance.instance_type = "t3.nano";
  instance.disks = {{.volume = id<VolumeId>(number), .device = "/dev/sda1", .slot = 0, .root = true}};
  compute::WantedNic nic;
  nic.interface = id<NetworkInterfaceId>(number);
  nic.number = number;
  nic.vpc = id<VpcId>(1);
  nic.vpc_number = 1;
  nic.mac = fmt::format("0a:00:00:00:00:{:02x}", number);
  instance.nics = {nic};
  return instance;
}

class AgentTest : public ::testing::Test {
 protected:
  AgentTest() { boot_machine(); }

  /// Begins the host role (again) on whatever state is there: a kill -9 and a restart.
  void start_role() {
    end_role();
    faults_ = std::make_unique<Faults>();
    auto hypervisor = compute::SimulatedHypervisor::create(
        {.directory = directory_.path() / "guests",
         .cpus = 4,
         .memory_mib = 8192,
         .latencies = {},
         .grow_volume = [this](const VolumeId& volume, std::uint64_t gib) { return volumes_->resize(volume, gib); },
         .watch_clock = false},
        clock_, *faults_);
    auto network = network::SimulatedNetwork::create(directory_.path() / "network", *faults_);
    auto volumes = storage::SimulatedVolumes::create(directory_.path() / "volumes", 1000, *faults_);
    ASSERT_TRUE(hypervisor && network && volumes);
    hypervisor_ = std::move(*hypervisor);
    network_ = std::move(*network);
    volumes_ = std::move(*volumes);
    const AgentOptions options{.directory = directory_.path() / "agent",
                               .host_identity = "identity-1",
                               .host_name = "host-1",
                               .version = "test",
                               .boot_id = fmt::format("role-{}", ++role_starts_),
                               .kernel_boot_id = fmt::format("kernel-{}", machine_boots_)};
    VpcHooks hooks;
    hooks.applied = [this](const network::WantedVpc& vpc) { applied_.push_back(vpc.id); };
    hooks.removed = [this](const network::WantedVpc& vpc) { removed_.push_back(vpc.id); };
    auto agent = Agent::create(options, config_, {*hypervisor_, *network_, *volumes_, clock_}, hooks);
    ASSERT_TRUE(agent) << describe(agent.error());
    agent_ = std::move(*agent);
  }
  void end_role() {
    agent_.reset();
    volumes_.reset();
    network_.reset();
    hypervisor_.reset();
    faults_.reset();
  }
  /// The machine begins anew: guests are off, the network is empty, disks are as they were.
  void boot_machine() {
    if (hypervisor_) hypervisor_->lose_power();
    if (network_) network_->lose_power();
    ++machine_boots_;
    start_role();
  }

  /// Passes until nothing more happens by itself.
  void settle() {
    for (int passes = 0; passes < 50; ++passes)
      if (!agent_->reconcile_once()) return;
    ADD_FAILURE() << "the agent does not come to rest";
  }
  void advance(milliseconds time) {
    clock_.advance(time);
    settle();
  }
  /// Passes over so much time, in small steps.
  void run_for(milliseconds time, milliseconds step = seconds(1)) {
    for (milliseconds done{0}; done < time; done += step) advance(step);
  }

  void put_all(unsigned instances) {
    std::vector<unsigned> numbers;
    for (unsigned number = 1; number <= instances; ++number) {
      numbers.push_back(number);
      ASSERT_TRUE(agent_->put(wanted_volume(number)));
      ASSERT_TRUE(agent_->put(wanted_instance(number)));
    }
    ASSERT_TRUE(agent_->put(wanted_vpc(1, numbers)));
  }

  compute::ObservedInstance seen(unsigned number) const {
    for (const auto& instance : agent_->state().instances)
      if (instance.id == id<InstanceId>(number)) return instance;
    return {};
  }
  bool knows(unsigned number) const { return !seen(number).id.empty(); }
  compute::Domain domain(unsigned number) {
    const auto domains = hypervisor_->list().value();
    for (const auto& domain : domains)
      if (domain.id == id<InstanceId>(number)) return domain;
    return {};
  }
  std::size_t taps() {
    std::size_t count = 0;
    for (const auto& vpc : network_->vpcs()) count += vpc.taps.size();
    return count;
  }

  TemporaryDirectory directory_;
  ManualClock clock_;
  Config config_;
  int role_starts_ = 0;
  int machine_boots_ = 0;
  std::vector<VpcId> applied_;
  std::vector<VpcId> removed_;
  std::unique_ptr<Faults> faults_;
  std::unique_ptr<compute::SimulatedHypervisor> hypervisor_;
  std::unique_ptr<network::SimulatedNetwork> network_;
  std::unique_ptr<storage::SimulatedVolumes> volumes_;
  std::unique_ptr<Agent> agent_;
};

}  // namespace virga::hostapi
