#include "api/actions/instance_view.h"
#include "api/filters.h"
#include "ec2/op/AllocateAddress.h"
#include "ec2/op/AssociateAddress.h"
#include "ec2/op/CreateSecurityGroup.h"
#include "ec2/op/DeleteNetworkInterface.h"
#include "ec2/op/DescribeNetworkInterfaceAttribute.h"
#include "ec2/op/DescribeNetworkInterfaces.h"
#include "ec2/op/ModifyNetworkInterfaceAttribute.h"
#include "ec2/op/ResetNetworkInterfaceAttribute.h"
#include "ec2/op/StartInstances.h"
#include "ec2/op/StopInstances.h"
#include "tests/unit/api/actions/compute_fixture.h"

namespace virga::api {
namespace {

using compute::GuestState;
using Request = ec2::ModifyNetworkInterfaceAttributeRequest;

class NetworkInterfaces : public ComputeTest {
 protected:
  NetworkInterfaces() { config_.public_cidrs = {"203.0.113.0/24"}; }

  std::string interface_of(const InstanceId& id) { return *find(id).network_interfaces.at(0).network_interface_id; }
  template <class Change>
  Result<ec2::NoOutput> modify(const AccountId& account, const std::string& interface, Change change) {
    Request request;
    request.network_interface_id = interface;
    change(request);
    return call<ec2::NoOutput>(account, "ModifyNetworkInterfaceAttribute", request);
  }
  template <class Change>
  void change(const std::string& interface, Change change) {
    must(modify(alice, interface, change));
  }
  template <class Change>
  Code refused(const std::string& interface, Change change) {
    const auto result = modify(alice, interface, change);
    if (result) throw std::runtime_error("succeeded, but must fail");
    return result.error().code;
  }
  Result<ec2::DescribeNetworkInterfaceAttributeResult> try_attribute(const std::string& interface,
                                                                     const std::string& name) {
    ec2::DescribeNetworkInterfaceAttributeRequest request;
    request.network_interface_id = interface;
    if (!name.empty()) request.attribute = name;
    return call<ec2::DescribeNetworkInterfaceAttributeResult>(alice, "DescribeNetworkInterfaceAttribute", request);
  }
  ec2::DescribeNetworkInterfaceAttributeResult attribute(const std::string& interface, const std::string& name) {
    return must(try_attribute(interface, name));
  }
  Result<ec2::NetworkInterface> describe(const std::string& interface) {
    ec2::DescribeNetworkInterfacesRequest request;
    request.network_interface_ids = {interface};
    return TRY(call<ec2::DescribeNetworkInterfacesResult>(alice, "DescribeNetworkInterfaces", request))
        .network_interfaces.at(0);
  }
  Result<ec2::NoOutput> remove(const std::string& interface) {
    ec2::DeleteNetworkInterfaceRequest request;
    request.network_interface_id = interface;
    return call<ec2::NoOutput>(alice, "DeleteNetworkInterface", request);
  }
  std::string make_group(const std::string& name) {
    ec2::CreateSecurityGroupRequest request;
    request.group_name = name;
    request.description = "of the test";
    return *must(call<ec2::CreateSecurityGroupResult>(alice, "CreateSecurityGroup", request)).group_id;
  }
  ec2::RunInstancesRequest launch_with_interface(bool wants_public_ip) {
    auto request = launch();
    auto& interface = request.network_interfaces.emplace_back();
    interface.device_index = 0;
    interface.associate_public_ip_address = wants_public_ip;
    return request;
  }
  InstanceId running_with_public_ip(bool wanted = true) {
    const auto id = InstanceId::trusted(*run(launch_with_interface(wanted)).instances.at(0).instance_id);
    observe(id, GuestState::running);
    return id;
  }
  void stop(const InstanceId& id) {
    must(call<ec2::StopInstancesResult>(alice, "StopInstances", naming<ec2::StopInstancesRequest>(id)));
    observe(id, GuestState::stopped);
  }
  void start(const InstanceId& id) {
    must(call<ec2::StartInstancesResult>(alice, "StartInstances", naming<ec2::StartInstancesRequest>(id)));
  }
  void end(const InstanceId& id) {
    terminate(id);
    removed(id);
  }
  /// The allocation that now stands for the instance.
  std::string associate_elastic(const InstanceId& id) {
    const auto address =
        must(call<ec2::AllocateAddressResult>(alice, "AllocateAddress", ec2::AllocateAddressRequest{}));
    ec2::AssociateAddressRequest request;
    request.allocation_id = address.allocation_id;
    request.instance_id = id.str();
    must(call<ec2::AssociateAddressResult>(alice, "AssociateAddress", request));
    return *address.allocation_id;
  }
  bool passes(const InstanceId& id, const std::string& filter, const std::string& value) {
    return ask(alice, [&](Scope& scope) {
      const auto instance = must(compute::instances::find(scope, id));
      const InstanceSurroundings around(scope, {instance});
      ec2::DescribeInstancesRequest request;
      request.filters.push_back({filter, {value}});
      const auto filters = must(Filters::compile(*find_action("DescribeInstances")->operation, &request));
      const auto item = reservation_of(instance, around, config_);
      return filters.match(ec2::describe<ec2::Reservation>(), &item, hidden_of(instance, around));
    });
  }
};

TEST_F(NetworkInterfaces, GroupsChangeWhileTheGuestRuns) {
  const auto id = running();
  const auto interface = interface_of(id);
  const auto group = make_group("one");
  tell_hosts();

  change(interface, [&](Request& r) { r.groups = {group}; });

  EXPECT_EQ(*find(id).security_groups.at(0).group_id, group);
  EXPECT_EQ(*attribute(interface, "groupSet").groups.at(0).group_id, group);
  EXPECT_EQ(document(id)->metadata.nics.at(0).security_groups, std::vector<std::string>{"one"});
  EXPECT_EQ(number("SELECT count(*) FROM outbox WHERE kind = 'vpc'"), 1);
  EXPECT_EQ(refused(interface, [](Request& r) { r.groups = {"sg-00000000000000000"}; }), Code::invalid_group_not_found);
}

TEST_F(NetworkInterfaces, DescriptionAndSourceCheckChange) {
  const auto interface = interface_of(running());

  change(interface, [](Request& r) { r.description = ec2::AttributeValue{"front"}; });
  change(interface, [](Request& r) { r.source_dest_check = ec2::AttributeBooleanValue{false}; });

  EXPECT_EQ(attribute(interface, "description").description->value, "front");
  EXPECT_EQ(attribute(interface, "sourceDestCheck").source_dest_check->value, false);
  EXPECT_EQ(refused(interface, [](Request& r) { r.description = ec2::AttributeValue{std::string(256, 'x')}; }),
            Code::invalid_parameter_value);
  EXPECT_EQ(refused(interface, [](Request& r) { r.source_dest_check.emplace(); }), Code::missing_parameter);

  ec2::ResetNetworkInterfaceAttributeRequest reset;
  reset.network_interface_id = interface;
  EXPECT_EQ(call<ec2::NoOutput>(alice, "ResetNetworkInterfaceAttribute", reset).error().code, Code::missing_parameter);
  reset.source_dest_check = "sourceDestCheck";
  must(call<ec2::NoOutput>(alice, "ResetNetworkInterfaceAttribute", reset));
  EXPECT_EQ(attribute(interface, "sourceDestCheck").source_dest_check->value, true);
}

TEST_F(NetworkInterfaces, AnInterfaceMayOutliveItsInstance) {
  const auto id = running();
  const auto interface = interface_of(id);
  const auto attachment = *attribute(interface, "attachment").attachment->attachment_id;
  const auto keep = [&](const std::string& text) {
    return [text](Request& r) {
      r.attachment.emplace().attachment_id = text;
      r.attachment->delete_on_termination = false;
    };
  };
  EXPECT_EQ(refused(interface, keep("eni-attach-00000000000000000")), Code::invalid_attachment_id_not_found);
  EXPECT_EQ(refused(interface, [&](Request& r) { r.attachment.emplace().attachment_id = attachment; }),
            Code::missing_parameter);
  change(interface, keep(attachment));
  EXPECT_FALSE(*find(id).network_interfaces.at(0).attachment->delete_on_termination);
  EXPECT_EQ(remove(interface).error().code, Code::invalid_network_interface_in_use);

  end(id);

  const auto left = must(describe(interface));
  EXPECT_EQ(*left.status, "available");
  EXPECT_FALSE(left.attachment.has_value());
  EXPECT_FALSE(attribute(interface, "attachment").attachment.has_value());
  EXPECT_EQ(used(quota::Name::network_interfaces), 1);
  EXPECT_EQ(number("SELECT count(*) FROM network_interface WHERE host IS NOT NULL OR instance IS NOT NULL"), 0);
  must(remove(interface));
  EXPECT_EQ(describe(interface).error().code, Code::invalid_network_interface_id_not_found);
  EXPECT_EQ(remove(interface).error().code, Code::invalid_network_interface_id_not_found);
  EXPECT_EQ(used(quota::Name::network_interfaces), 0);
}

TEST_F(NetworkInterfaces, ALaunchMayAskThatTheInterfaceStays) {
  auto request = launch_with_interface(false);
  request.network_interfaces[0].delete_on_termination = false;
  const auto id = InstanceId::trusted(*run(request).instances.at(0).instance_id);
  const auto interface = interface_of(id);

  end(id);

  EXPECT_EQ(*must(describe(interface)).status, "available");
}

TEST_F(NetworkInterfaces, OneAttributeAtATime) {
  const auto interface = interface_of(running());
  EXPECT_EQ(refused(interface, [](Request&) {}), Code::invalid_parameter_combination);
  EXPECT_EQ(refused(interface,
                    [](Request& r) {
                      r.description = ec2::AttributeValue{"x"};
                      r.source_dest_check = ec2::AttributeBooleanValue{false};
                    }),
            Code::invalid_parameter_combination);
  EXPECT_EQ(try_attribute(interface, "").error().code, Code::missing_parameter);
}

TEST_F(NetworkInterfaces, WhatNoInterfaceHereHasIsRefused) {
  const auto interface = interface_of(running());
  const auto unsupported = [&](auto set) { EXPECT_EQ(refused(interface, set), Code::unsupported_operation); };

  unsupported([](Request& r) { r.associated_subnet_ids = {"subnet-1"}; });
  unsupported([](Request& r) { r.enable_primary_ipv6 = true; });
  unsupported([](Request& r) { r.ena_srd_specification.emplace().ena_srd_enabled = true; });
  unsupported([](Request& r) { r.connection_tracking_specification.emplace().udp_timeout = 30; });
  unsupported([](Request& r) { r.attachment.emplace().ena_queue_count = 2; });
  unsupported([](Request& r) { r.attachment.emplace().default_ena_queue_count = false; });
}

TEST_F(NetworkInterfaces, Threat_B01_AnothersInterfaceIsUnknown) {
  const auto interface = interface_of(running());
  const auto describing = [](Request& r) { r.description = ec2::AttributeValue{"x"}; };

  EXPECT_EQ(modify(bob, interface, describing).error().code, Code::invalid_network_interface_id_not_found);
  EXPECT_EQ(refused("eni-x", describing), Code::invalid_network_interface_id_malformed);
}

TEST_F(NetworkInterfaces, AssignedAddressesLiveFromStartToStop) {
  const auto id = running_with_public_ip();
  const auto first = find(id);
  ASSERT_TRUE(first.public_ip_address.has_value());
  EXPECT_TRUE(first.public_ip_address->starts_with("203.0.113."));
  EXPECT_TRUE(first.public_dns_name->starts_with("ec2-203-0-113-"));
  const auto& association = *first.network_interfaces.at(0).association;
  EXPECT_EQ(*association.public_ip, *first.public_ip_address);
  EXPECT_EQ(*association.ip_owner_id, "amazon");
  EXPECT_EQ(document(id)->metadata.nics.at(0).public_ip, *first.public_ip_address);
  EXPECT_EQ(document(id)->metadata.nics.at(0).public_hostname, *first.public_dns_name);

  stop(id);
  EXPECT_FALSE(find(id).public_ip_address.has_value());
  EXPECT_EQ(*find(id).public_dns_name, "");
  EXPECT_FALSE(find(id).network_interfaces.at(0).association.has_value());
  EXPECT_EQ(document(id)->metadata.nics.at(0).public_ip, "");

  start(id);
  EXPECT_TRUE(find(id).public_ip_address.has_value());
  end(id);
  EXPECT_EQ(number("SELECT count(*) FROM public_address"), 0);
}

TEST_F(NetworkInterfaces, AGuestThatEndsByItselfLosesItsAssignedAddressToo) {
  const auto id = running_with_public_ip();

  observe(id, GuestState::exited, compute::ExitReason::guest_shutdown);

  EXPECT_EQ(state(id), "stopped");
  EXPECT_EQ(number("SELECT count(*) FROM public_address"), 0);
}

TEST_F(NetworkInterfaces, AssignedAddressComesAndGoesByTheAttribute) {
  const auto id = running_with_public_ip(false);
  const auto interface = interface_of(id);
  EXPECT_FALSE(find(id).public_ip_address.has_value());
  EXPECT_EQ(attribute(interface, "associatePublicIpAddress").associate_public_ip_address, false);

  change(interface, [](Request& r) { r.associate_public_ip_address = true; });
  EXPECT_TRUE(find(id).public_ip_address.has_value());
  EXPECT_EQ(attribute(interface, "associatePublicIpAddress").associate_public_ip_address, true);

  change(interface, [](Request& r) { r.associate_public_ip_address = false; });
  EXPECT_FALSE(find(id).public_ip_address.has_value());

  stop(id);
  change(interface, [](Request& r) { r.associate_public_ip_address = true; });
  EXPECT_FALSE(find(id).public_ip_address.has_value());
  start(id);
  EXPECT_TRUE(find(id).public_ip_address.has_value());
}

TEST_F(NetworkInterfaces, NoFreeAddressMeansNoLaunch) {
  config_.public_cidrs = {"203.0.113.8/32"};
  running_with_public_ip();

  EXPECT_EQ(try_run(launch_with_interface(true)).error().code, Code::insufficient_address_capacity);

  EXPECT_EQ(number("SELECT count(*) FROM instance"), 1);
  EXPECT_EQ(used(quota::Name::network_interfaces), 1);
}

TEST_F(NetworkInterfaces, ElasticAddressStaysWithAStoppedInstanceAndIsFreeAfterItsEnd) {
  const auto id = running_with_public_ip();
  const auto allocation = associate_elastic(id);
  const auto elastic = *find(id).public_ip_address;
  EXPECT_EQ(*find(id).network_interfaces.at(0).association->ip_owner_id, alice.str());
  const auto shown = *must(describe(interface_of(id))).association;
  EXPECT_EQ(*shown.allocation_id, allocation);
  EXPECT_TRUE(shown.association_id->starts_with("eipassoc-"));

  stop(id);
  EXPECT_EQ(*find(id).public_ip_address, elastic);

  end(id);
  EXPECT_EQ(number("SELECT count(*) FROM public_address WHERE interface IS NULL AND allocation IS NOT NULL"), 1);
}

TEST_F(NetworkInterfaces, FiltersSeeAddressesAndWhatTheAnswerDoesNotShow) {
  const auto id = running_with_public_ip();
  const auto bare = running_with_public_ip(false);
  const auto allocation = associate_elastic(id);
  const auto shown = find(id);
  const auto association = *must(describe(interface_of(id))).association->association_id;

  const std::vector<std::pair<std::string, std::string>> only_with_address = {
      {"ip-address", *shown.public_ip_address},
      {"dns-name", *shown.public_dns_name},
      {"network-interface.association.public-ip", *shown.public_ip_address},
      {"network-interface.addresses.association.public-ip", *shown.public_ip_address},
      {"network-interface.association.ip-owner-id", alice.str()},
      {"network-interface.addresses.association.ip-owner-id", alice.str()},
      {"network-interface.association.allocation-id", allocation},
      {"network-interface.addresses.association.allocation-id", allocation},
      {"network-interface.association.association-id", association},
      {"network-interface.addresses.association.association-id", association}};
  for (const auto& [filter, value] : only_with_address) {
    EXPECT_TRUE(passes(id, filter, value)) << filter;
    EXPECT_FALSE(passes(bare, filter, value)) << filter;
    EXPECT_FALSE(passes(id, filter, "other")) << filter;
  }
  const std::vector<std::pair<std::string, std::string>> constant = {
      {"operator.managed", "false"},
      {"network-interface.operator.managed", "false"},
      {"network-interface.requester-managed", "false"},
      {"network-interface.ipv6-native", "false"},
      {"network-interface.deny-all-igw-traffic", "false"},
      {"metadata-options.http-protocol-ipv4", "enabled"},
      {"monitoring-state", "disabled"}};
  for (const auto& [filter, value] : constant) {
    EXPECT_TRUE(passes(bare, filter, value)) << filter;
    EXPECT_FALSE(passes(bare, filter, "other")) << filter;
  }
  const auto interface = interface_of(id);
  must(as(alice, [&](Scope& scope) { return tags::put(scope, interface, {{"role", "front"}}); }));
  EXPECT_TRUE(passes(id, "network-interface.tag-key", "role"));
  EXPECT_TRUE(passes(id, "network-interface.tag-value", "fr*"));
  EXPECT_FALSE(passes(bare, "network-interface.tag-key", "role"));
}

}  // namespace
}  // namespace virga::api
