#include "compute/host/libvirt_hypervisor.h"

#include <fmt/format.h>
#include <netdb.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

#include "compute/host/console_log.h"
#include "compute/host/domain_xml.h"
#include "compute/host/kvm_probe.h"
#include "compute/host/libvirt_backup.h"
#include "compute/host/libvirt_calls.h"
#include "compute/host/libvirt_connection.h"
#include "compute/host/libvirt_domains.h"

namespace virga::compute {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds quick{10'000};
// Detaching waits up to 5 s for the guest inside libvirt.
constexpr milliseconds device{20'000};
// A start asks for the host's own name, which can take many seconds where it does not resolve.
constexpr milliseconds start{60'000};
constexpr milliseconds first_connection{10'000};
constexpr std::chrono::seconds rotation_period{1};

// What libvirt told, and whom to tell. Shared with libvirt's callbacks, which may come after the hypervisor has gone.
class Watch {
 public:
  void set(std::function<void()> notify) {
    const std::lock_guard lock(mutex_);
    notify_ = std::move(notify);
  }
  void set_end(std::function<void(const InstanceId&)> ended) {
    const std::lock_guard lock(mutex_);
    ended_ = std::move(ended);
  }
  // The lock is held over the call, so that nobody is told after set({}) has returned.
  void tell() {
    const std::lock_guard lock(mutex_);
    if (notify_) notify_();
  }
  void tell_end(const std::string& domain) {
    const auto id = InstanceId::parse(domain);  // domains of others have other names
    const std::lock_guard lock(mutex_);
    if (ended_ && id) ended_(*id);
  }
  void count_reset(const std::string& domain) {
    const std::lock_guard lock(mutex_);
    ++resets_[domain];
  }
  std::uint64_t resets(const InstanceId& id) const {
    const std::lock_guard lock(mutex_);
    const auto found = resets_.find(id.str());
    return found == resets_.end() ? 0 : found->second;
  }
  void forget(const InstanceId& id) {
    const std::lock_guard lock(mutex_);
    resets_.erase(id.str());
  }

 private:
  mutable std::mutex mutex_;
  std::function<void()> notify_;
  std::function<void(const InstanceId&)> ended_;
  std::map<std::string, std::uint64_t> resets_;
};

enum class MemoryLimits { untried, work, refused };

class LibvirtHypervisor final : public Hypervisor {
 public:
  LibvirtHypervisor(const LibvirtOptions& options, DomainSettings settings, ConsoleLogs consoles,
                    std::vector<std::string> problems)
      : settings_(std::move(settings)),
        consoles_(std::move(consoles)),
        problems_(std::move(problems)),
        connection_(options.uri,
                    {.changed = [watch = watch_] { watch->tell(); },
                     .ended = [watch = watch_](const std::string& domain) { watch->tell_end(domain); },
                     .reset = [watch = watch_](const std::string& domain) { watch->count_reset(domain); }}),
        housekeeper_([this](const std::stop_token& stop) { keep_house(stop); }) {}
  ~LibvirtHypervisor() override {
    on_change({});
    on_end({});
  }

  bool wait_connected(milliseconds timeout) { return connection_.wait_connected(timeout); }

  Result<HypervisorInfo> info() override;
  Result<std::vector<Domain>> list() override;
  Result<std::optional<Domain>> look_at(const InstanceId& id) override;
  Result<void> start_paused(const DomainSpec& spec) override;
  Result<void> resume(const InstanceId& id) override {
    return on_domain("resume", quick, id, Absent::error, resume_domain);
  }
  Result<void> shutdown(const InstanceId& id) override {
    return on_domain("shutdown", quick, id, Absent::success, shutdown_domain);
  }
  Result<void> destroy(const InstanceId& id) override {
    return on_domain("destroy", device, id, Absent::success, destroy_domain);
  }
  Result<void> reboot(const InstanceId& id) override {
    return on_domain("reboot", quick, id, Absent::error, [](virDomainPtr domain) -> Result<void> {
      if (virDomainReboot(domain, VIR_DOMAIN_REBOOT_ACPI_POWER_BTN) < 0) return fail(last_libvirt_error("reboot"));
      return {};
    });
  }
  Result<void> reset(const InstanceId& id) override {
    return on_domain("reset", quick, id, Absent::error, [](virDomainPtr domain) -> Result<void> {
      if (virDomainReset(domain, 0) < 0) return fail(last_libvirt_error("reset"));
      return {};
    });
  }
  Result<void> undefine(const InstanceId& id) override {
    TRY_VOID(on_domain("undefine", quick, id, Absent::success, undefine_domain));
    consoles_.remove(id);
    watch_->forget(id);
    return {};
  }
  Result<void> attach_disk(const InstanceId& id, const DomainDisk& disk) override {
    return on_domain("attach", device, id, Absent::error, [disk, settings = settings_](virDomainPtr domain) {
      return attach_volume(domain, disk, settings);
    });
  }
  Result<void> detach_disk(const InstanceId& id, const VolumeId& volume) override {
    return on_domain("detach", device, id, Absent::success,
                     [volume](virDomainPtr domain) { return detach_volume(domain, volume); });
  }
  Result<void> resize_disk(const InstanceId& id, const VolumeId& volume, std::uint64_t size_gib) override {
    return on_domain("resize", device, id, Absent::error, [volume, size_gib](virDomainPtr domain) {
      return resize_volume(domain, volume, size_gib);
    });
  }
  Result<void> begin_backup(const InstanceId& id, const VolumeId& volume, const std::string& target) override {
    return on_domain("backup", device, id, Absent::error, [volume, target](virDomainPtr domain) {
      return compute::begin_backup(domain, volume, target);
    });
  }
  Result<DiskBackup> backup_state(const InstanceId& id) override;
  Result<void> cancel_backup(const InstanceId& id) override {
    return on_domain("cancel backup", quick, id, Absent::success, compute::cancel_backup);
  }
  Result<std::string> console_output(const InstanceId& id) override { return consoles_.tail(id); }
  Result<std::string> console_socket(const InstanceId& id) override;
  void on_change(std::function<void()> notify) override { watch_->set(std::move(notify)); }
  void on_end(std::function<void(const InstanceId&)> ended) override { watch_->set_end(std::move(ended)); }

 private:
  enum class Absent { success, error };  ///< what it means when the domain is not defined

  template <class T>
  Result<T> call(std::string_view what, milliseconds deadline, std::function<Result<T>(virConnectPtr)> body) {
    auto handle = TRY(connection_.handle());
    return calls_.run<T>(what, deadline, [handle, body = std::move(body)] { return body(handle.get()); });
  }
  Result<void> on_domain(std::string_view what, milliseconds deadline, const InstanceId& id, Absent absent,
                         std::function<Result<void>(virDomainPtr)> body);
  void keep_house(const std::stop_token& stop);

  const DomainSettings settings_;
  const ConsoleLogs consoles_;
  const std::vector<std::string> problems_;
  const std::shared_ptr<Watch> watch_ = std::make_shared<Watch>();
  // shared: a start that missed its deadline goes on without us
  const std::shared_ptr<std::atomic<MemoryLimits>> memory_limits_ =
      std::make_shared<std::atomic<MemoryLimits>>(MemoryLimits::untried);
  std::mutex mutex_;  ///< of facts_
  std::optional<HypervisorInfo> facts_;
  LibvirtCalls calls_{{}};
  LibvirtConnection connection_;
  std::jthread housekeeper_;
};

Result<HypervisorInfo> read_facts(virConnectPtr connection) {
  virNodeInfo node{};
  unsigned long version = 0;
  unsigned long library = 0;
  if (virNodeGetInfo(connection, &node) < 0 || virConnectGetVersion(connection, &version) < 0 ||
      virConnectGetLibVersion(connection, &library) < 0) {
    return fail(last_libvirt_error("node information"));
  }
  const auto text = [](unsigned long v) { return fmt::format("{}.{}.{}", v / 1'000'000, v / 1000 % 1000, v % 1000); };
  HypervisorInfo info;
  info.version = fmt::format("QEMU {}, libvirt {}", text(version), text(library));
  info.cpus = static_cast<int>(node.cpus);
  info.memory_mib = static_cast<std::int64_t>(node.memory / 1024);
  return info;
}

Result<HypervisorInfo> LibvirtHypervisor::info() {
  std::optional<HypervisorInfo> facts;
  {
    const std::lock_guard lock(mutex_);
    facts = facts_;
  }
  if (!facts) {
    facts = TRY(call<HypervisorInfo>("info", quick, read_facts));
    const std::lock_guard lock(mutex_);
    facts_ = facts;
  }
  auto info = *facts;
  info.accelerator = settings_.accelerator == Accelerator::kvm ? "kvm" : "tcg";
  info.problems = problems_;
  if (auto handle = connection_.handle(); !handle) info.problems.push_back("libvirt does not answer; trying again");
  if (*memory_limits_ == MemoryLimits::refused) {
    info.problems.push_back("libvirt sets no memory limits here: a QEMU process that runs away is not stopped by one");
  }
  if (calls_.abandoned() > 0) info.problems.push_back(fmt::format("{} calls to libvirt hang", calls_.abandoned()));
  return info;
}

Result<std::vector<Domain>> LibvirtHypervisor::list() {
  auto domains = TRY(call<std::vector<Domain>>(
      "list", quick, [realm = settings_.realm](virConnectPtr connection) { return list_domains(connection, realm); }));
  for (auto& domain : domains) domain.resets = watch_->resets(domain.id);
  return domains;
}

Result<std::optional<Domain>> LibvirtHypervisor::look_at(const InstanceId& id) {
  const auto look = [realm = settings_.realm, id](virConnectPtr connection) -> Result<std::optional<Domain>> {
    const auto handle = TRY(find_domain(connection, realm, id));
    if (!handle) return std::nullopt;
    return describe_domain(handle.get(), realm);
  };
  auto domain = TRY(call<std::optional<Domain>>("look", quick, look));
  if (domain) domain->resets = watch_->resets(id);
  return domain;
}

Result<DiskBackup> LibvirtHypervisor::backup_state(const InstanceId& id) {
  return call<DiskBackup>("backup state", quick,
                          [realm = settings_.realm, id](virConnectPtr connection) -> Result<DiskBackup> {
                            const auto handle = TRY(find_domain(connection, realm, id));
                            if (!handle) return DiskBackup{};
                            return compute::backup_state(handle.get());
                          });
}

// Whether libvirt can bound a guest's memory depends on its cgroups, its rights and its settings: it is tried.
Result<void> start_with_limit(virConnectPtr connection, const DomainSpec& spec, const DomainSettings& settings,
                              const DomainFiles& files, std::atomic<MemoryLimits>& limits) {
  const auto bare = TRY(domain_xml(spec, settings, files));
  if (limits == MemoryLimits::refused) return define_and_start_paused(connection, settings.realm, spec, bare);
  auto with_limit = settings;
  with_limit.limit_memory = true;
  const auto limited = TRY(domain_xml(spec, with_limit, files));
  auto started = define_and_start_paused(connection, settings.realm, spec, limited);
  if (started) limits = MemoryLimits::work;
  if (started || limits == MemoryLimits::work) return started;
  TRY_VOID(define_and_start_paused(connection, settings.realm, spec, bare));
  spdlog::warn("hypervisor: libvirt sets no memory limits here, QEMU's memory is not bounded: {}",
               describe(started.error()));
  limits = MemoryLimits::refused;
  return {};
}

Result<void> LibvirtHypervisor::start_paused(const DomainSpec& spec) {
  auto started = call<bool>("start", start,
                            [spec, settings = settings_, consoles = consoles_,
                             limits = memory_limits_](virConnectPtr connection) -> Result<bool> {
                              // Another libvirtd may answer than the last time, so this is asked at each start.
                              if (const auto owner = TRY(guest_owner(connection))) TRY_VOID(consoles.give_to(*owner));
                              TRY_VOID(let_guest_read(connection, spec.disks));
                              TRY_VOID(start_with_limit(connection, spec, settings, consoles.files(spec.id), *limits));
                              return true;
                            });
  if (!started) return fail(within(spec.id.str(), std::move(started.error())));
  return {};
}

Result<std::string> LibvirtHypervisor::console_socket(const InstanceId& id) {
  auto path = consoles_.files(id).console_socket;
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0 || !S_ISSOCK(status.st_mode)) {
    return fail(Code::incorrect_state, "The instance is not running", "console: no socket " + path);
  }
  return path;
}

Result<void> LibvirtHypervisor::on_domain(std::string_view what, milliseconds deadline, const InstanceId& id,
                                          Absent absent, std::function<Result<void>(virDomainPtr)> body) {
  auto done = call<bool>(
      what, deadline,
      [realm = settings_.realm, id, absent, body = std::move(body)](virConnectPtr connection) -> Result<bool> {
        const auto domain = TRY(find_domain(connection, realm, id));
        if (domain) {
          TRY_VOID(body(domain.get()));
        } else if (absent == Absent::error) {
          return fail(id.not_found());
        }
        return true;
      });
  if (!done) return fail(within(id.str(), std::move(done.error())));
  return {};
}

void LibvirtHypervisor::keep_house(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any wake;
  std::unique_lock lock(mutex);
  while (!stop.stop_requested()) {
    consoles_.rotate();
    wake.wait_for(lock, stop, rotation_period, [] { return false; });
  }
}

// Each guest start asks the resolver for the host's own name; where that fails it costs seconds.
bool own_name_resolves() {
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  addrinfo* found = nullptr;
  const bool ok = ::getaddrinfo(name.data(), nullptr, nullptr, &found) == 0;
  if (found != nullptr) ::freeaddrinfo(found);
  return ok;
}

std::vector<std::string> look_for_problems(bool kvm) {
  std::vector<std::string> problems;
  if (!kvm) {
    problems.emplace_back(
        "KVM is not used: guests run by emulation (TCG), slowly and without the isolation that KVM gives; do not run "
        "guests you do not trust");
  }
  LibvirtCalls resolver({.workers = 1, .max_abandoned = 1});
  const auto resolves =
      resolver.run<bool>("resolve own name", milliseconds(3'000), [] { return Result<bool>(own_name_resolves()); });
  if (!resolves || !*resolves) {
    problems.emplace_back(
        "This host's own name does not resolve, which makes every guest start wait for seconds: add it to /etc/hosts");
  }
  return problems;
}

Result<bool> decide_kvm(const LibvirtOptions& options) {
  if (options.accelerator == Accelerator::tcg) return false;
  SystemCommandRunner runner;
  const auto verdict = probe_kvm(runner, options.state_dir);
  if (verdict.works) return true;
  if (options.accelerator == Accelerator::kvm) {
    return fail(Code::invalid_parameter_value, "KVM is demanded by the configuration but does not run guests here",
                verdict.detail);
  }
  spdlog::warn("hypervisor: no KVM: {}", verdict.detail);
  return false;
}

}  // namespace

Result<std::unique_ptr<Hypervisor>> create_libvirt_hypervisor(const LibvirtOptions& options) {
  auto consoles = TRY(ConsoleLogs::create(options.state_dir / "consoles"));
  const bool kvm = TRY(decide_kvm(options));
  DomainSettings settings{.realm = options.realm,
                          .accelerator = kvm ? Accelerator::kvm : Accelerator::tcg,
                          .disk_cache = options.disk_cache,
                          .pci_ports = options.pci_ports};
  auto hypervisor =
      std::make_unique<LibvirtHypervisor>(options, std::move(settings), std::move(consoles), look_for_problems(kvm));
  if (!hypervisor->wait_connected(first_connection)) spdlog::warn("hypervisor: starting without libvirt");
  return std::unique_ptr<Hypervisor>(std::move(hypervisor));
}

}  // namespace virga::compute
