#include "hostapi/agent/agent.h"

#include <algorithm>

#include "core/durable_file.h"

namespace virga::hostapi {
namespace {

constexpr std::chrono::milliseconds connect_timeout{5'000};

template <class Entries, class List, class Make>
void add_unseen(const Entries& entries, List& list, Make make) {
  for (const auto& [id, entry] : entries) {
    const bool seen = std::any_of(list.begin(), list.end(), [&](const auto& observed) { return observed.id == id; });
    if (!seen) list.push_back(make(entry->wanted));
  }
}

storage::ObservedVolume unseen_volume(const storage::WantedVolume& wanted) {
  storage::ObservedVolume volume;
  volume.id = wanted.id;
  return volume;
}

storage::ObservedSnapshot unseen_snapshot(const storage::WantedSnapshot& wanted) {
  storage::ObservedSnapshot snapshot;
  snapshot.id = wanted.id;
  return snapshot;
}

compute::ObservedInstance unseen_instance(const compute::WantedInstance& wanted) {
  compute::ObservedInstance instance;
  instance.id = wanted.id;
  instance.start_number = wanted.start_number;
  return instance;
}

}  // namespace

Result<std::string> kernel_boot_id() {
  auto text = TRY(read_file("/proc/sys/kernel/random/boot_id", 4096));
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

Result<std::unique_ptr<Agent>> Agent::create(AgentOptions options, const Config& config, const Ports& ports,
                                             VpcHooks hooks) {
  auto documents = TRY(Documents::open(options.directory / "documents"));
  auto records = TRY(GuestRecords::open(options.directory / "guests"));
  return std::unique_ptr<Agent>(
      new Agent(ports, options, config, std::move(documents), std::move(records), std::move(hooks)));
}

Agent::Agent(const Ports& ports, const AgentOptions& options, const Config& config,
             std::unique_ptr<Documents> documents, std::unique_ptr<GuestRecords> records, VpcHooks hooks)
    : identity_(options.host_identity),
      ports_(ports),
      documents_(std::move(documents)),
      records_(std::move(records)),
      observed_(options.host_name, options.version, options.boot_id),
      shared_{ports_, *documents_, observed_, readiness_, vpc_locks_},
      imports_(ports.volumes, ports.clock),
      copies_(ports.volumes, ports.clock),
      storage_(shared_, imports_),
      snapshots_(shared_, copies_),
      network_(shared_, std::move(hooks)),
      compute_(shared_, *records_, config, options.kernel_boot_id),
      ends_(shared_),
      storage_loop_("storage", ports.clock, [this] { return storage_.pass(); }),
      snapshots_loop_("snapshots", ports.clock, [this] { return snapshots_.pass(); }),
      network_loop_("network", ports.clock, [this] { return network_.pass(); }),
      compute_loop_("compute", ports.clock, [this] { return compute_.pass(); }),
      ends_loop_("guests' ends", ports.clock, [this] { return ends_.pass(); }),
      import_loop_("import", ports.clock, [this] { return imports_.pass(); }),
      copy_loops_{Loop("copies", ports.clock, [this] { return copies_.pass(); }),
                  Loop("copies", ports.clock, [this] { return copies_.pass(); })} {
  imports_.on_done([this] { storage_loop_.wake(); });
  copies_.on_done([this] { snapshots_loop_.wake(); });
  snapshots_.on_queued([this] {
    for (auto& loop : copy_loops_) loop.wake();
  });
  snapshots_.on_released([this] {
    storage_loop_.wake();
    compute_loop_.wake();
  });
  storage_.on_ready([this] {
    compute_loop_.wake();
    snapshots_loop_.wake();  // a volume to be copied may have been made
  });
  network_.on_ready([this] { compute_loop_.wake(); });
  compute_.on_forgotten([this] {
    storage_loop_.wake();
    network_loop_.wake();
  });
  bell_->agent = this;
  ports_.hypervisor.on_change([bell = bell_] {
    const std::lock_guard lock(bell->mutex);
    if (bell->agent == nullptr) return;
    bell->agent->compute_loop_.wake();
    bell->agent->storage_loop_.wake();  // a disk may have been let go
    bell->agent->snapshots_loop_.wake();
  });
  ports_.hypervisor.on_end([bell = bell_](const InstanceId& id) {
    const std::lock_guard lock(bell->mutex);
    if (bell->agent == nullptr) return;
    bell->agent->ends_.add(id);
    bell->agent->ends_loop_.wake();
  });
}

Agent::~Agent() {
  {
    const std::lock_guard lock(bell_->mutex);
    bell_->agent = nullptr;
  }
  stop();
}

void Agent::start() {
  storage_loop_.start();
  snapshots_loop_.start();
  network_loop_.start();
  compute_loop_.start();
  ends_loop_.start();
  import_loop_.start();
  for (auto& loop : copy_loops_) loop.start();
}

void Agent::stop() {
  observed_.close();
  for (auto& loop : copy_loops_) loop.stop();
  import_loop_.stop();
  ends_loop_.stop();
  compute_loop_.stop();
  network_loop_.stop();
  snapshots_loop_.stop();
  storage_loop_.stop();
}

bool Agent::reconcile_once() {
  bool progressed = imports_.pass().progressed;
  progressed = copies_.pass().progressed || progressed;
  progressed = storage_.pass().progressed || progressed;
  progressed = snapshots_.pass().progressed || progressed;
  progressed = network_.pass().progressed || progressed;
  return compute_.pass().progressed || progressed;
}

Result<void> Agent::put(const network::WantedVpc& vpc) {
  if (TRY(documents_->put(vpc)) == PutEffect::taken) network_loop_.wake();
  return {};
}

Result<void> Agent::put(const storage::WantedVolume& volume) {
  if (TRY(documents_->put(volume)) == PutEffect::taken) storage_loop_.wake();
  return {};
}

Result<void> Agent::put(const storage::WantedSnapshot& snapshot) {
  if (TRY(documents_->put(snapshot)) == PutEffect::taken) snapshots_loop_.wake();
  return {};
}

Result<void> Agent::put(const compute::WantedInstance& instance) {
  if (TRY(documents_->put(instance)) == PutEffect::taken) compute_loop_.wake();
  return {};
}

Result<void> Agent::remove(DocumentKind kind, const std::string& id) {
  if (kind == DocumentKind::image) {
    const auto image = TRY(ImageId::parse(id));
    TRY_VOID(ports_.volumes.remove_image(image));
    imports_.forget(image);
    storage_loop_.wake();
    return {};
  }
  TRY(documents_->remove(kind, id));
  compute_loop_.wake();
  network_loop_.wake();
  storage_loop_.wake();
  snapshots_loop_.wake();
  return {};
}

Result<void> Agent::confirm(const Inventory& inventory) {
  if (inventory.boot_id != boot_id())
    return fail(Code::incorrect_state, "The host has begun anew since its state was asked for.");
  TRY_VOID(documents_->confirm(inventory.instances, inventory.vpcs));
  compute_loop_.wake();
  network_loop_.wake();
  return {};
}

HostState Agent::state() const {
  // The documents second: an object forgotten in between is missing from them and from the next observation, one put in
  // between is added.
  auto state = observed_.current();
  state.identity = identity_;
  const auto wanted = documents_->current();
  const auto is_gone = [&](const auto& entries, const auto& id) {
    return !entries.contains(id) && !wanted->is_damaged(id.str());
  };
  std::erase_if(state.instances, [&](const auto& seen) { return is_gone(wanted->instances, seen.id); });
  std::erase_if(state.volumes, [&](const auto& seen) { return is_gone(wanted->volumes, seen.id); });
  std::erase_if(state.snapshots, [&](const auto& seen) { return is_gone(wanted->snapshots, seen.id); });
  std::erase_if(state.vpcs, [&](const auto& seen) { return is_gone(wanted->vpcs, seen.id); });
  add_unseen(wanted->instances, state.instances, unseen_instance);
  add_unseen(wanted->volumes, state.volumes, unseen_volume);
  add_unseen(wanted->snapshots, state.snapshots, unseen_snapshot);
  add_unseen(wanted->vpcs, state.vpcs, [](const network::WantedVpc& vpc) {
    return network::ObservedVpc{.id = vpc.id, .generation = 0, .problem = {}};
  });
  for (const auto& [id, why] : wanted->damaged) {
    state.damaged.push_back(id);
    state.problems.push_back("the wanted document of " + id + " is damaged: " + why);
  }
  return state;
}

Result<std::uint64_t> Agent::wait_for_change(std::uint64_t sequence, const std::string& boot_id,
                                             std::chrono::milliseconds wait) {
  return observed_.wait(sequence, boot_id, wait);
}

Result<void> Agent::import_image(const ImageId& id, const std::string& path) {
  TRY_VOID(imports_.enqueue(id, path));
  import_loop_.wake();
  storage_loop_.wake();
  return {};
}

Result<void> Agent::check_instance(const InstanceId& id) const {
  const auto wanted = documents_->current();
  if (wanted->instances.contains(id) || wanted->is_damaged(id.str())) return {};
  return fail(id.not_found());
}

Result<std::string> Agent::console_output(const InstanceId& id) {
  TRY_VOID(check_instance(id));
  return ports_.hypervisor.console_output(id);
}

Result<std::string> Agent::console_socket(const InstanceId& id) {
  TRY_VOID(check_instance(id));
  return ports_.hypervisor.console_socket(id);
}

Result<UniqueFd> Agent::connect_vpc(const VpcId& id, std::string_view address, std::uint16_t port) {
  const auto wanted = documents_->current();
  const auto found = wanted->vpcs.find(id);
  if (found == wanted->vpcs.end() || found->second->remnant) return fail(id.not_found());
  return ports_.network.connect(found->second->wanted, address, port, connect_timeout);
}

std::optional<compute::WantedInstance> Agent::instance_by_address(const VpcId& vpc, std::string_view address) const {
  const auto wanted = documents_->current();
  const auto network = wanted->vpcs.find(vpc);
  if (network == wanted->vpcs.end()) return std::nullopt;
  for (const auto& interface : network->second->wanted.interfaces) {
    if (!interface.local ||
        std::find(interface.private_ips.begin(), interface.private_ips.end(), address) == interface.private_ips.end())
      continue;
    const auto instance = wanted->instances.find(interface.instance);
    if (instance == wanted->instances.end() || instance->second->remnant) return std::nullopt;
    const auto& nics = instance->second->wanted.nics;
    const bool has_it = std::any_of(nics.begin(), nics.end(),
                                    [&](const auto& nic) { return nic.interface == interface.id && nic.vpc == vpc; });
    return has_it ? std::optional(instance->second->wanted) : std::nullopt;
  }
  return std::nullopt;
}

}  // namespace virga::hostapi
