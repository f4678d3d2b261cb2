#include "network/host/simulated_network.h"
#include "core/json_values.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/durable_file.h"
#include "network/host/layout.h"

namespace virga::network {

NLOHMANN_JSON_SERIALIZE_ENUM(TapPlace, {{TapPlace::root, "root"}, {TapPlace::plugged, "plugged"}})
// What an older version did not write keeps its default.
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(SimulatedVpc, id, generation, taps, addresses)

namespace {

const WantedInterface* find_local(const WantedVpc& vpc, const NetworkInterfaceId& id) {
  const auto found = std::find_if(vpc.interfaces.begin(), vpc.interfaces.end(), [&](const WantedInterface& interface) {
    return interface.id == id && interface.local;
  });
  return found == vpc.interfaces.end() ? nullptr : &*found;
}

bool has_plugged(const SimulatedVpc& vpc) {
  return std::any_of(vpc.taps.begin(), vpc.taps.end(), [](const auto& tap) { return tap.second == TapPlace::plugged; });
}

/// As the real network has it: with a gateway, for interfaces of this host whose subnet has a route to it.
std::map<std::string, std::string> answering_addresses(const WantedVpc& vpc) {
  std::map<std::string, std::string> answering;
  const auto layout = read_layout(vpc, Names("0000"));
  if (!layout) return answering;
  for (const auto& address : layout->addresses) answering[address.public_ip.str()] = address.private_ip.str();
  return answering;
}

}  // namespace

Result<std::unique_ptr<SimulatedNetwork>> SimulatedNetwork::create(std::filesystem::path directory, Faults& faults) {
  std::unique_ptr<SimulatedNetwork> network(new SimulatedNetwork(std::move(directory), faults));
  TRY_VOID(network->load());
  faults.subscribe([raw = network.get()](FaultKind kind, const std::string& object) {
    if (kind == FaultKind::forget) raw->forget(object);
  });
  return network;
}

SimulatedNetwork::SimulatedNetwork(std::filesystem::path directory, Faults& faults)
    : directory_(std::move(directory)), faults_(faults) {}

std::filesystem::path SimulatedNetwork::file_of(const VpcId& id) const { return directory_ / (id.str() + ".json"); }

Result<void> SimulatedNetwork::load() {
  std::error_code error;
  std::filesystem::create_directories(directory_, error);
  if (error) return fail(internal_error("create " + directory_.string() + ": " + error.message()));
  for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
    if (entry.path().extension() != ".json") continue;
    const auto text = TRY(read_file(entry.path()));
    try {
      auto vpc = nlohmann::json::parse(text).get<SimulatedVpc>();
      vpcs_.emplace(vpc.id, std::move(vpc));
    } catch (const nlohmann::json::exception& exception) {
      return fail(internal_error(entry.path().string() + ": " + exception.what()));
    }
  }
  return {};
}

void SimulatedNetwork::forget(const std::string& object) {
  const std::lock_guard lock(mutex_);
  for (auto entry = vpcs_.begin(); entry != vpcs_.end();) {
    auto& vpc = (entry++)->second;
    if (vpc.id.str() == object) {
      vpc.generation = 0;
      vpc.taps.clear();
      vpc.addresses.clear();
    } else if (vpc.taps.erase(object) == 0) {
      continue;
    }
    static_cast<void>(save(vpc));
  }
}

Result<void> SimulatedNetwork::save(const SimulatedVpc& vpc) {
  if (vpc.generation == 0 && vpc.taps.empty()) {
    const auto path = file_of(vpc.id);
    vpcs_.erase(vpc.id);
    return remove_file(path, Durability::process_end);
  }
  return replace_file(file_of(vpc.id), nlohmann::json(vpc).dump(), Durability::process_end);
}

Result<void> SimulatedNetwork::call(std::string_view name, const WantedVpc& vpc, const std::string& object,
                                    const std::function<Result<void>(SimulatedVpc&)>& effect) {
  TRY_VOID(faults_.enter(name, object));
  {
    const std::lock_guard lock(mutex_);
    auto& existing = vpcs_[vpc.id];
    existing.id = vpc.id;
    const auto done = effect(existing);
    TRY_VOID(save(existing));
    TRY_VOID(done);
  }
  faults_.leave(name);
  return {};
}

Result<void> SimulatedNetwork::apply(const WantedVpc& vpc) {
  return call("network.apply", vpc, vpc.id.str(), [&](SimulatedVpc& existing) -> Result<void> {
    existing.generation = vpc.generation;
    existing.addresses = answering_addresses(vpc);
    return {};
  });
}

Result<void> SimulatedNetwork::remove(const WantedVpc& vpc) {
  return call("network.remove", vpc, vpc.id.str(), [&](SimulatedVpc& existing) -> Result<void> {
    if (has_plugged(existing)) return fail(Code::incorrect_state, "A guest's interface is left in the VPC.");
    existing.generation = 0;
    existing.addresses.clear();
    return {};
  });
}

Result<std::string> SimulatedNetwork::create_tap(const WantedVpc& vpc, const NetworkInterfaceId& interface) {
  const auto* wanted = find_local(vpc, interface);
  if (wanted == nullptr) return fail(Code::incorrect_state, "The interface is not one of this host's.");
  TRY_VOID(call("network.create_tap", vpc, interface.str(), [&](SimulatedVpc& existing) -> Result<void> {
    existing.taps[interface.str()] = TapPlace::root;
    return {};
  }));
  return fmt::format("vt{:012x}", wanted->number);
}

Result<void> SimulatedNetwork::plug(const WantedVpc& vpc, const NetworkInterfaceId& interface) {
  return call("network.plug", vpc, interface.str(), [&](SimulatedVpc& existing) -> Result<void> {
    if (existing.generation == 0) return fail(Code::incorrect_state, "The VPC is not on this host.");
    if (find_local(vpc, interface) == nullptr) return fail(Code::incorrect_state, "The interface is not in the VPC.");
    const auto tap = existing.taps.find(interface.str());
    if (tap == existing.taps.end()) return fail(Code::incorrect_state, "The interface has no tap.");
    tap->second = TapPlace::plugged;
    return {};
  });
}

Result<void> SimulatedNetwork::unplug(const WantedVpc& vpc, const NetworkInterfaceId& interface) {
  return call("network.unplug", vpc, interface.str(), [&](SimulatedVpc& existing) -> Result<void> {
    existing.taps.erase(interface.str());
    return {};
  });
}

bool SimulatedNetwork::is_plugged(const WantedVpc& vpc, const NetworkInterfaceId& interface) {
  const std::lock_guard lock(mutex_);
  const auto found = vpcs_.find(vpc.id);
  if (found == vpcs_.end() || found->second.generation == 0) return false;
  const auto tap = found->second.taps.find(interface.str());
  return tap != found->second.taps.end() && tap->second == TapPlace::plugged;
}

Result<std::vector<std::string>> SimulatedNetwork::remove_orphans(const std::vector<WantedVpc>& known) {
  TRY_VOID(faults_.enter("network.remove_orphans", "@network"));
  std::vector<std::string> removed;
  const std::lock_guard lock(mutex_);
  for (auto entry = vpcs_.begin(); entry != vpcs_.end();) {
    auto& vpc = (entry++)->second;
    const bool wanted =
        std::any_of(known.begin(), known.end(), [&](const WantedVpc& other) { return other.id == vpc.id; });
    if (wanted || has_plugged(vpc)) continue;
    removed.push_back(vpc.id.str());
    vpc.generation = 0;
    vpc.taps.clear();
    TRY_VOID(save(vpc));
  }
  return removed;
}

Result<UniqueFd> SimulatedNetwork::listen(const WantedVpc&, std::string_view, std::uint16_t) {
  return fail(Code::unsupported_operation, "A simulated network carries no packets.");
}

Result<UniqueFd> SimulatedNetwork::connect(const WantedVpc&, std::string_view, std::uint16_t,
                                           std::chrono::milliseconds) {
  return fail(Code::unsupported_operation, "A simulated network carries no packets.");
}

std::vector<SimulatedVpc> SimulatedNetwork::vpcs() {
  const std::lock_guard lock(mutex_);
  std::vector<SimulatedVpc> all;
  for (const auto& [id, vpc] : vpcs_) all.push_back(vpc);
  return all;
}

void SimulatedNetwork::lose_power() {
  const std::lock_guard lock(mutex_);
  for (const auto& [id, vpc] : vpcs_) static_cast<void>(remove_file(file_of(id), Durability::process_end));
  vpcs_.clear();
}

}  // namespace virga::network
