#pragma once

// What the adapter does with one domain, as plain blocking functions on an open connection. They run on a worker of
// LibvirtCalls and may outlive the call that started them, so they take what they need by value or const reference to
// what the caller's closure owns.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "compute/host/domain_xml.h"
#include "compute/host/libvirt_handles.h"

namespace virga::compute {

/// Whom QEMU runs as; nothing where libvirt does not say.
Result<std::optional<FileOwner>> guest_owner(virConnectPtr connection);
/// Lets that user read what lies below the disks (see guest_user.h).
Result<void> let_guest_read(virConnectPtr connection, std::span<const DomainDisk> disks);

/// The instance's domain; nullptr if it is not defined.
Result<DomainHandle> find_domain(virConnectPtr connection, const std::string& realm, const InstanceId& id);

/// What there is to say of a domain; nothing if it is of another realm, or gone meanwhile.
Result<std::optional<Domain>> describe_domain(virDomainPtr domain, const std::string& realm);
Result<std::vector<Domain>> list_domains(virConnectPtr connection, const std::string& realm);
/// Success if this very start of it is on already; IncorrectState if an earlier one is.
Result<void> define_and_start_paused(virConnectPtr connection, const std::string& realm, const DomainSpec& spec,
                                     const std::string& xml);
Result<void> resume_domain(virDomainPtr domain);
Result<void> shutdown_domain(virDomainPtr domain);
Result<void> destroy_domain(virDomainPtr domain);
Result<void> undefine_domain(virDomainPtr domain);
Result<void> attach_volume(virDomainPtr domain, const DomainDisk& disk, const DomainSettings& settings);
Result<void> detach_volume(virDomainPtr domain, const VolumeId& volume);
/// Never makes it smaller. IncorrectState while the domain is off or has not the volume.
Result<void> resize_volume(virDomainPtr domain, const VolumeId& volume, std::uint64_t size_gib);

}  // namespace virga::compute
