#include "api/codec/value.h"
#include "compute/instances.h"
#include "ec2/op/CreateSecurityGroup.h"
#include "ec2/op/DescribeInstanceAttribute.h"
#include "ec2/op/ModifyInstanceAttribute.h"
#include "ec2/op/ResetInstanceAttribute.h"
#include "ec2/op/StartInstances.h"
#include "ec2/op/StopInstances.h"
#include "tests/unit/api/actions/compute_fixture.h"

namespace virga::api {
namespace {

using compute::GuestState;
using quota::Name;
using Request = ec2::ModifyInstanceAttributeRequest;

class ModifyInstance : public ComputeTest {
 protected:
  template <class Change>
  Result<ec2::NoOutput> modify(const AccountId& account, const InstanceId& id, Change change) {
    Request request;
    request.instance_id = id.str();
    change(request);
    return call<ec2::NoOutput>(account, "ModifyInstanceAttribute", request);
  }
  template <class Change>
  void change(const InstanceId& id, Change change) {
    must(modify(alice, id, change));
  }
  template <class Change>
  Code refused(const InstanceId& id, Change change) {
    const auto result = modify(alice, id, change);
    if (result) throw std::runtime_error("succeeded, but must fail");
    return result.error().code;
  }
  ec2::InstanceAttribute attribute(const InstanceId& id, const std::string& name) {
    ec2::DescribeInstanceAttributeRequest request;
    request.instance_id = id.str();
    request.attribute = name;
    return must(call<ec2::InstanceAttribute>(alice, "DescribeInstanceAttribute", request));
  }
  void stop(const InstanceId& id) {
    must(call<ec2::StopInstancesResult>(alice, "StopInstances", naming<ec2::StopInstancesRequest>(id)));
    observe(id, GuestState::stopped);
  }
  void start(const InstanceId& id) {
    must(call<ec2::StartInstancesResult>(alice, "StartInstances", naming<ec2::StartInstancesRequest>(id)));
  }
  InstanceId stopped() {
    const auto id = running();
    stop(id);
    return id;
  }
  InstanceId with_two_interfaces() {
    auto request = launch(1, 1, "t3.medium");
    request.network_interfaces.resize(2);
    request.network_interfaces[0].device_index = 0;
    request.network_interfaces[1].device_index = 1;
    const auto id = InstanceId::trusted(*run(request).instances.at(0).instance_id);
    observe(id, GuestState::running);
    return id;
  }
  std::string make_group(const std::string& name) {
    ec2::CreateSecurityGroupRequest request;
    request.group_name = name;
    request.description = "of the test";
    return *must(call<ec2::CreateSecurityGroupResult>(alice, "CreateSecurityGroup", request)).group_id;
  }
  static auto type(const std::string& name) {
    return [name](Request& r) { r.instance_type = ec2::AttributeValue{name}; };
  }
  static auto data(const std::string& bytes) {
    return [bytes](Request& r) { r.user_data.emplace().value = ec2::Blob{bytes}; };
  }
  static auto legacy(const std::string& name, const std::string& value) {
    return [name, value](Request& r) {
      r.attribute = name;
      r.value = value;
    };
  }
};

TEST_F(ModifyInstance, TypeChangesWhileStoppedAndCountsFromTheNextStart) {
  const auto id = stopped();

  change(id, type("t3.xlarge"));

  EXPECT_EQ(*find(id).instance_type, "t3.xlarge");
  EXPECT_EQ(attribute(id, "instanceType").instance_type->value, "t3.xlarge");
  EXPECT_EQ(used(Name::vcpus), 0);
  EXPECT_EQ(number("SELECT memory_mib_used FROM host"), 0);
  start(id);
  EXPECT_EQ(used(Name::vcpus), 4);
  EXPECT_EQ(number("SELECT memory_mib_used FROM host"), 16384);
  const auto wanted = *document(id);
  EXPECT_EQ(wanted.memory_mib, 16384);
  EXPECT_EQ(wanted.vcpus, 4);
  EXPECT_EQ(wanted.metadata.instance_type, "t3.xlarge");
  terminate(id);
  removed(id);
  EXPECT_EQ(used(Name::vcpus), 0);
  EXPECT_EQ(number("SELECT memory_mib_used + vcpus_used FROM host"), 0);
}

TEST_F(ModifyInstance, TypeIsRefusedWhileItRunsAndWhereItCannotBe) {
  EXPECT_EQ(refused(running(), type("t3.small")), Code::incorrect_instance_state);
  const auto id = stopped();
  EXPECT_EQ(refused(id, type("t9.mega")), Code::invalid_instance_attribute_value);
  EXPECT_EQ(refused(id, [](Request& r) { r.instance_type.emplace(); }), Code::missing_parameter);

  ask(alice, [](Scope& scope) { return scope.tx.execute("UPDATE image SET min_memory_mib = 600"); });
  EXPECT_EQ(refused(id, type("t3.nano")), Code::invalid_parameter_combination);

  EXPECT_EQ(*find(id).instance_type, "t3.micro");
}

TEST_F(ModifyInstance, TypeMustHaveRoomForTheInterfaces) {
  auto request = launch(1, 1, "t3.medium");
  request.network_interfaces.resize(3);
  for (int i = 0; i < 3; ++i) request.network_interfaces[static_cast<std::size_t>(i)].device_index = i;
  const auto id = InstanceId::trusted(*run(request).instances.at(0).instance_id);
  observe(id, GuestState::running);
  stop(id);

  EXPECT_EQ(refused(id, type("t3.micro")), Code::attachment_limit_exceeded);
  change(id, type("t3.large"));
}

TEST_F(ModifyInstance, CreditsFollowTheType) {
  const auto id = stopped();
  const auto credits = [&] {
    return ask(alice, [&](Scope& s) { return must(compute::instances::find(s, id)).spec.cpu_credits; });
  };

  change(id, type("m5.large"));
  EXPECT_EQ(credits(), "");
  change(id, type("t2.micro"));
  EXPECT_EQ(credits(), "standard");
  change(id, type("t3.micro"));
  EXPECT_EQ(credits(), "standard");
}

TEST_F(ModifyInstance, UserDataChangesWhileStopped) {
  const auto id = stopped();

  change(id, data("#!/bin/sh\necho \xff"));
  EXPECT_EQ(document(id)->metadata.user_data, codec::encode_base64("#!/bin/sh\necho \xff"));
  EXPECT_EQ(*attribute(id, "userData").user_data->value, codec::encode_base64("#!/bin/sh\necho \xff"));
  EXPECT_EQ(refused(id, data(std::string(16 * 1024 + 1, 'a'))), Code::invalid_parameter_value);

  change(id, data(""));
  EXPECT_FALSE(document(id)->metadata.has_user_data);

  EXPECT_EQ(refused(running(), data("x")), Code::incorrect_instance_state);
}

TEST_F(ModifyInstance, ProtectionsHoldUntilTheyAreTakenAway) {
  const auto id = running();
  const auto terminating = [&] {
    return call<ec2::TerminateInstancesResult>(alice, "TerminateInstances", naming<ec2::TerminateInstancesRequest>(id));
  };
  const auto stopping = [&] {
    return call<ec2::StopInstancesResult>(alice, "StopInstances", naming<ec2::StopInstancesRequest>(id));
  };
  const auto protect = [&](bool on) {
    change(id, [on](Request& r) { r.disable_api_termination = ec2::AttributeBooleanValue{on}; });
    change(id, [on](Request& r) { r.disable_api_stop = ec2::AttributeBooleanValue{on}; });
  };

  protect(true);
  EXPECT_EQ(*attribute(id, "disableApiTermination").disable_api_termination->value, true);
  EXPECT_EQ(*attribute(id, "disableApiStop").disable_api_stop->value, true);
  EXPECT_EQ(terminating().error().code, Code::operation_not_permitted);
  EXPECT_EQ(stopping().error().code, Code::operation_not_permitted);

  protect(false);
  must(stopping());
  must(terminating());
}

TEST_F(ModifyInstance, ShutdownBehaviourDecidesWhatPoweroffDoes) {
  const auto id = running();

  change(id, [](Request& r) { r.instance_initiated_shutdown_behavior = ec2::AttributeValue{"terminate"}; });
  EXPECT_EQ(attribute(id, "instanceInitiatedShutdownBehavior").instance_initiated_shutdown_behavior->value,
            "terminate");
  EXPECT_EQ(refused(id, [](Request& r) { r.instance_initiated_shutdown_behavior = ec2::AttributeValue{"hibernate"}; }),
            Code::invalid_instance_attribute_value);

  observe(id, GuestState::exited, compute::ExitReason::guest_shutdown);
  EXPECT_EQ(state(id), "shutting-down");
}

TEST_F(ModifyInstance, EbsOptimizationChangesWhileStoppedAndEnaOnlyStays) {
  const auto id = stopped();
  const auto optimized = [](Request& r) { r.ebs_optimized = ec2::AttributeBooleanValue{true}; };

  change(id, optimized);
  EXPECT_TRUE(*find(id).ebs_optimized);
  EXPECT_TRUE(*attribute(id, "ebsOptimized").ebs_optimized->value);
  EXPECT_EQ(refused(running(), optimized), Code::incorrect_instance_state);

  change(id, [](Request& r) { r.ena_support = ec2::AttributeBooleanValue{true}; });
  EXPECT_EQ(refused(id, [](Request& r) { r.ena_support = ec2::AttributeBooleanValue{false}; }),
            Code::unsupported_operation);
}

TEST_F(ModifyInstance, GroupsAndSourceCheckChangeWhileItRuns) {
  const auto id = running();
  const auto vpc = *find(id).vpc_id;
  const auto one = make_group("one");
  const auto two = make_group("two");
  tell_hosts();

  change(id, [&](Request& r) { r.groups = {two, one}; });
  change(id, [](Request& r) { r.source_dest_check = ec2::AttributeBooleanValue{false}; });

  const auto shown = find(id);
  ASSERT_EQ(shown.security_groups.size(), 2U);
  EXPECT_EQ(*shown.security_groups[0].group_id, two);
  EXPECT_FALSE(*shown.source_dest_check);
  EXPECT_FALSE(*shown.network_interfaces.at(0).source_dest_check);
  EXPECT_EQ(document(id)->metadata.nics.at(0).security_groups, (std::vector<std::string>{"two", "one"}));
  EXPECT_EQ(number("SELECT count(*) FROM outbox WHERE kind = 'vpc'"), 1);
  EXPECT_EQ(number("SELECT count(*) FROM outbox WHERE kind = 'instance'"), 1);
  EXPECT_EQ(refused(id, [](Request& r) { r.groups = {"sg-00000000000000000"}; }), Code::invalid_group_not_found);
  EXPECT_EQ(refused(id, [](Request& r) { r.groups = {"x"}; }), Code::invalid_group_id_malformed);

  ec2::ResetInstanceAttributeRequest reset;
  reset.instance_id = id.str();
  reset.attribute = "sourceDestCheck";
  must(call<ec2::NoOutput>(alice, "ResetInstanceAttribute", reset));
  EXPECT_TRUE(*find(id).source_dest_check);
  reset.attribute = "kernel";
  EXPECT_EQ(call<ec2::NoOutput>(alice, "ResetInstanceAttribute", reset).error().code, Code::unsupported_operation);
  reset.attribute = "userData";
  EXPECT_EQ(call<ec2::NoOutput>(alice, "ResetInstanceAttribute", reset).error().code, Code::invalid_parameter_value);
}

TEST_F(ModifyInstance, WithSeveralInterfacesOneMustBeNamedElsewhere) {
  const auto id = with_two_interfaces();
  const auto group = make_group("one");

  EXPECT_EQ(refused(id, [&](Request& r) { r.groups = {group}; }), Code::invalid_instance_id);
  EXPECT_EQ(refused(id, [](Request& r) { r.source_dest_check = ec2::AttributeBooleanValue{false}; }),
            Code::invalid_instance_id);
}

TEST_F(ModifyInstance, DevicesAreKeptOrDeletedAsTold) {
  const auto id = running();
  const auto keep = [](const std::string& device, bool deleted) {
    return [=](Request& r) {
      auto& mapping = r.block_device_mappings.emplace_back();
      mapping.device_name = device;
      mapping.ebs.emplace().delete_on_termination = deleted;
    };
  };
  const auto root = *find(id).root_device_name;

  change(id, keep(root, false));
  EXPECT_FALSE(*find(id).block_device_mappings.at(0).ebs->delete_on_termination);
  EXPECT_EQ(refused(id, keep("/dev/sdz", true)), Code::invalid_instance_attribute_value);
  EXPECT_EQ(refused(id, [&](Request& r) { r.block_device_mappings.emplace_back().device_name = root; }),
            Code::missing_parameter);
  EXPECT_EQ(refused(id,
                    [&](Request& r) {
                      keep(root, true)(r);
                      r.block_device_mappings[0].ebs->volume_id = "vol-00000000000000000";
                    }),
            Code::invalid_instance_attribute_value);
  for (const auto& member : {&ec2::InstanceBlockDeviceMappingSpecification::no_device,
                             &ec2::InstanceBlockDeviceMappingSpecification::virtual_name})
    EXPECT_EQ(refused(id,
                      [&](Request& r) {
                        keep(root, true)(r);
                        r.block_device_mappings[0].*member = "ephemeral0";
                      }),
              Code::unsupported_operation);

  terminate(id);
  removed(id);
  EXPECT_EQ(number("SELECT count(*) FROM volume WHERE state <> 'deleting'"), 1);
}

TEST_F(ModifyInstance, ExactlyOneAttributeIsTaken) {
  const auto id = stopped();

  EXPECT_EQ(refused(id, [](Request&) {}), Code::invalid_parameter_combination);
  EXPECT_EQ(refused(id, [](Request& r) { r.attribute = "userData"; }), Code::invalid_parameter_combination);
  EXPECT_EQ(refused(id, [](Request& r) { r.value = "x"; }), Code::missing_parameter);
  EXPECT_EQ(refused(id,
                    [](Request& r) {
                      type("t3.small")(r);
                      data("x")(r);
                    }),
            Code::invalid_parameter_combination);
  EXPECT_EQ(refused(id,
                    [](Request& r) {
                      type("t3.small")(r);
                      legacy("userData", "eA==")(r);
                    }),
            Code::invalid_parameter_combination);
  EXPECT_EQ(refused(id,
                    [](Request& r) {
                      type("t3.small")(r);
                      r.attribute = "userData";
                    }),
            Code::invalid_parameter_combination);
  EXPECT_EQ(*find(id).instance_type, "t3.micro");

  change(id, [](Request& r) {
    type("t3.small")(r);
    r.attribute = "instanceType";
  });
  EXPECT_EQ(*find(id).instance_type, "t3.small");
}

TEST_F(ModifyInstance, OldFormOfAttributeAndValueDoesTheSame) {
  const auto id = stopped();

  change(id, legacy("instanceType", "t3.small"));
  change(id, legacy("userData", codec::encode_base64("hello")));
  change(id, legacy("disableApiTermination", "true"));
  change(id, legacy("disableApiStop", "true"));
  change(id, legacy("sourceDestCheck", "false"));
  change(id, legacy("ebsOptimized", "true"));
  change(id, legacy("enaSupport", "true"));
  change(id, legacy("instanceInitiatedShutdownBehavior", "terminate"));

  const auto instance = ask(alice, [&](Scope& s) { return must(compute::instances::find(s, id)); });
  EXPECT_EQ(instance.type_name, "t3.small");
  EXPECT_EQ(instance.spec.user_data, codec::encode_base64("hello"));
  EXPECT_TRUE(instance.spec.protect_termination && instance.spec.protect_stop && instance.spec.ebs_optimized);
  EXPECT_EQ(instance.spec.shutdown_behavior, compute::ShutdownBehavior::terminate);
  EXPECT_FALSE(*find(id).source_dest_check);
  EXPECT_EQ(refused(id, legacy("disableApiStop", "perhaps")), Code::invalid_parameter_value);
  EXPECT_EQ(refused(id, legacy("userData", "***")), Code::invalid_user_data_malformed);
  for (const std::string name : {"kernel", "ramdisk", "rootDeviceName", "productCodes", "groupSet", "enclaveOptions",
                                 "sriovNetSupport", "blockDeviceMapping"})
    EXPECT_EQ(refused(id, legacy(name, "x")), Code::invalid_parameter_value) << name;
}

TEST_F(ModifyInstance, WhatNoInstanceHereHasIsRefused) {
  const auto id = stopped();
  for (const auto& member : {&Request::kernel, &Request::ramdisk, &Request::sriov_net_support})
    EXPECT_EQ(refused(id, [&](Request& r) { r.*member = ec2::AttributeValue{"x"}; }), Code::unsupported_operation);
}

TEST_F(ModifyInstance, Threat_B01_AnothersInstanceIsUnknownAndAnEndedOneIsLeftAlone) {
  const auto id = stopped();
  EXPECT_EQ(modify(bob, id, type("t3.small")).error().code, Code::invalid_instance_id_not_found);
  EXPECT_EQ(refused(id,
                    [](Request& r) {
                      type("t3.small")(r);
                      r.instance_id = "i-x";
                    }),
            Code::invalid_instance_id_malformed);

  terminate(id);
  EXPECT_EQ(refused(id, type("t3.small")), Code::incorrect_instance_state);
  EXPECT_EQ(refused(id, [](Request& r) { r.disable_api_termination = ec2::AttributeBooleanValue{false}; }),
            Code::incorrect_instance_state);
}

TEST_F(ModifyInstance, TheJournalHasTheChangeButNotTheUserData) {
  const auto id = stopped();

  change(id, data("password=hunter2"));

  EXPECT_EQ(number("SELECT count(*) FROM journal WHERE after LIKE '%user_data_size%'"), 1);
  EXPECT_EQ(number("SELECT count(*) FROM journal WHERE after LIKE '%hunter2%' OR after LIKE '%cGFzc3dvcmQ%'"), 0);
}

}  // namespace
}  // namespace virga::api
