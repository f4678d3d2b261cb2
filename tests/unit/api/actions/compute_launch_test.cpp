#include "tests/unit/api/actions/compute_fixture.h"

namespace virga::api {
namespace {

using quota::Name;

TEST_F(ComputeTest, LaunchAnswersPendingWithInterfaceAndRootVolume) {
  const auto reservation = run(launch());

  ASSERT_EQ(reservation.instances.size(), 1U);
  const auto& instance = reservation.instances[0];
  EXPECT_EQ(*instance.state->name, "pending");
  EXPECT_EQ(*instance.state->code, 0);
  ASSERT_EQ(instance.network_interfaces.size(), 1U);
  EXPECT_EQ(*instance.network_interfaces[0].attachment->device_index, 0);
  EXPECT_EQ(instance.network_interfaces[0].private_ip_address, instance.private_ip_address);
  ASSERT_EQ(instance.block_device_mappings.size(), 1U);
  EXPECT_EQ(*instance.block_device_mappings[0].device_name, "/dev/sda1");
  EXPECT_EQ(*instance.block_device_mappings[0].ebs->status, "attaching");
  EXPECT_EQ(*instance.placement->availability_zone, zone);
}

TEST_F(ComputeTest, LaunchWithoutTypeIsM1Small) {
  auto request = launch();
  request.instance_type.reset();

  EXPECT_EQ(*run(request).instances[0].instance_type, "m1.small");
}

TEST_F(ComputeTest, DocumentHoldsAllThatTheHostNeeds) {
  auto request = launch();
  request.user_data = "aGVsbG8=";
  const auto id = InstanceId::trusted(*run(request).instances[0].instance_id);

  const auto wanted = document(id);

  ASSERT_TRUE(wanted);
  EXPECT_EQ(wanted->power, compute::Power::running);
  EXPECT_EQ(wanted->start_number, 1U);
  EXPECT_EQ(wanted->memory_mib, 1024);
  ASSERT_EQ(wanted->disks.size(), 1U);
  EXPECT_TRUE(wanted->disks[0].root);
  EXPECT_EQ(wanted->disks[0].slot, 0);
  ASSERT_EQ(wanted->nics.size(), 1U);
  EXPECT_FALSE(wanted->nics[0].mac.empty());
  ASSERT_EQ(wanted->metadata.nics.size(), 1U);
  EXPECT_EQ(wanted->metadata.nics[0].security_groups, std::vector<std::string>{"default"});
  EXPECT_EQ(wanted->metadata.user_data, "aGVsbG8=");
  EXPECT_TRUE(wanted->metadata.has_user_data);
  EXPECT_EQ(wanted->metadata.block_devices.at("root"), "/dev/sda1");
  EXPECT_EQ(wanted->metadata.local_hostname, *find(id).private_dns_name);
}

TEST_F(ComputeTest, LaunchCountsQuotaAndCapacity) {
  run(launch(2, 2));

  EXPECT_EQ(used(Name::instances), 2);
  EXPECT_EQ(used(Name::vcpus), 4);
  EXPECT_EQ(used(Name::volumes), 2);
  EXPECT_EQ(used(Name::volume_gib), 2);
  EXPECT_EQ(number("SELECT vcpus_used FROM host"), 4);
  EXPECT_EQ(number("SELECT memory_mib_used FROM host"), 2048);
  EXPECT_EQ(number("SELECT storage_gib_used FROM host"), 2);
}

TEST_F(ComputeTest, LaunchTakesAsManyAsFitDownToMinCount) {
  ask(alice, [](Scope& scope) { return scope.tx.execute("UPDATE host SET memory_mib = 3500"); });

  EXPECT_EQ(run(launch(2, 10)).instances.size(), 3U);
}

TEST_F(ComputeTest, LaunchBelowMinCountChangesNothing) {
  ask(alice, [](Scope& scope) { return scope.tx.execute("UPDATE host SET memory_mib = 3500"); });

  const auto refused = try_run(launch(4, 10));

  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::insufficient_instance_capacity);
  EXPECT_NE(refused.error().message.find("memory (MiB) needed 1024, free 428"), std::string::npos)
      << refused.error().message;
  EXPECT_EQ(number("SELECT count(*) FROM instance"), 0);
  EXPECT_EQ(number("SELECT count(*) FROM volume"), 0);
  EXPECT_EQ(number("SELECT memory_mib_used FROM host"), 0);
  EXPECT_EQ(used(Name::instances), 0);
}

TEST_F(ComputeTest, LaunchHeedsEachQuota) {
  const auto limited = [&](Name name, std::int64_t limit) {
    ask(alice, [&](Scope& scope) {
      quota::set_limit(scope, name, limit);
      return true;
    });
    const auto refused = try_run(launch(2, 2));
    ask(alice, [&](Scope& scope) {
      quota::set_limit(scope, name, 1000);
      return true;
    });
    return refused ? Code::internal : refused.error().code;
  };

  EXPECT_EQ(limited(Name::instances, 1), Code::instance_limit_exceeded);
  EXPECT_EQ(limited(Name::vcpus, 3), Code::vcpu_limit_exceeded);
  EXPECT_EQ(limited(Name::volumes, 1), Code::volume_limit_exceeded);
  EXPECT_EQ(limited(Name::volume_gib, 1), Code::max_storage_exceeded);
  EXPECT_EQ(number("SELECT count(*) FROM instance"), 0);
}

TEST_F(ComputeTest, LaunchSpreadsToTheHostWithMostFreeMemory) {
  add_host("h2", R"(["us-east-1a"])", 64, 131072, 1000);
  observe_image("h2");

  run(launch());

  EXPECT_EQ(number("SELECT count(*) FROM instance WHERE host = 'h2'"), 1);
}

TEST_F(ComputeTest, LaunchUsesOnlyHostsThatHaveTheImage) {
  add_host("h2", R"(["us-east-1a"])", 64, 131072, 1000);

  run(launch());

  EXPECT_EQ(number("SELECT count(*) FROM instance WHERE host = 'h1'"), 1);
}

TEST_F(ComputeTest, LaunchInAZoneWithoutHostIsRefused) {
  auto request = launch();
  request.placement->availability_zone = "us-east-1b";

  EXPECT_EQ(try_run(request).error().code, Code::insufficient_instance_capacity);
}

TEST_F(ComputeTest, LaunchRefusesTypesWithLessMemoryThanTheImageNeeds) {
  ask(alice, [](Scope& scope) { return scope.tx.execute("UPDATE image SET min_memory_mib = 128"); });

  EXPECT_EQ(try_run(launch(1, 1, "lab.nano")).error().code, Code::invalid_parameter_combination);
  EXPECT_TRUE(try_run(launch(1, 1, "lab.tiny")));
}

TEST_F(ComputeTest, LaunchRefusesBadInput) {
  const auto code = [&](auto change) {
    auto request = launch();
    change(request);
    const auto result = try_run(request);
    return result ? Code::internal : result.error().code;
  };
  using R = ec2::RunInstancesRequest;

  EXPECT_EQ(code([](R& r) { r.image_id = "ami-00000000000000000"; }), Code::invalid_ami_id_not_found);
  EXPECT_EQ(code([](R& r) { r.image_id = "ami-xyz"; }), Code::invalid_ami_id_malformed);
  EXPECT_EQ(code([](R& r) { r.instance_type = "z9.huge"; }), Code::invalid_instance_type);
  EXPECT_EQ(code([](R& r) { r.min_count = 2; }), Code::invalid_parameter_combination);
  EXPECT_EQ(code([](R& r) { r.max_count = 0; }), Code::invalid_parameter_value);
  EXPECT_EQ(code([](R& r) { r.key_name = "none"; }), Code::invalid_key_pair_not_found);
  EXPECT_EQ(code([](R& r) { r.user_data = "***"; }), Code::invalid_user_data_malformed);
  EXPECT_EQ(code([](R& r) { r.user_data = std::string(30000, 'A'); }), Code::invalid_parameter_value);
  EXPECT_EQ(code([](R& r) { r.subnet_id = "subnet-00000000000000000"; }), Code::invalid_subnet_id_not_found);
  EXPECT_EQ(code([](R& r) { r.security_group_ids = {"sg-00000000000000000"}; }), Code::invalid_group_not_found);
  EXPECT_EQ(code([](R& r) { r.placement->availability_zone = "mars-1a"; }), Code::invalid_parameter_value);
  EXPECT_EQ(code([](R& r) { r.kernel_id = "aki-1"; }), Code::unsupported_operation);
  EXPECT_EQ(code([](R& r) { r.credit_specification.emplace().cpu_credits = "many"; }), Code::invalid_parameter_value);
  EXPECT_EQ(code([](R& r) {
              r.max_count = 2;
              r.private_ip_address = "172.31.0.99";
            }),
            Code::invalid_parameter_combination);
}

TEST_F(ComputeTest, BlockDeviceMappingsShapeTheVolumes) {
  auto request = launch();
  request.block_device_mappings.resize(2);
  request.block_device_mappings[0].device_name = "/dev/sda1";
  request.block_device_mappings[0].ebs.emplace().volume_size = 10;
  request.block_device_mappings[0].ebs->delete_on_termination = false;
  request.block_device_mappings[1].device_name = "/dev/sdf";
  request.block_device_mappings[1].ebs.emplace().volume_size = 3;
  request.block_device_mappings[1].ebs->volume_type = "gp3";

  const auto instance = run(request).instances.at(0);

  ASSERT_EQ(instance.block_device_mappings.size(), 2U);
  EXPECT_FALSE(*instance.block_device_mappings[0].ebs->delete_on_termination);
  EXPECT_EQ(*instance.block_device_mappings[1].device_name, "/dev/sdf");
  EXPECT_EQ(number("SELECT size_gib FROM volume WHERE image IS NOT NULL"), 10);
  EXPECT_EQ(number("SELECT iops FROM volume WHERE image IS NULL"), 3000);
}

TEST_F(ComputeTest, BlockDeviceMappingsThatCannotBeAreRefused) {
  const auto code = [&](const std::string& device, std::optional<int> size, std::optional<std::string> snapshot) {
    auto request = launch();
    auto& mapping = request.block_device_mappings.emplace_back();
    mapping.device_name = device;
    mapping.ebs.emplace().volume_size = size;
    mapping.ebs->snapshot_id = std::move(snapshot);
    const auto result = try_run(request);
    return result ? Code::internal : result.error().code;
  };
  ask(alice,
      [](Scope& scope) { return scope.tx.execute("UPDATE image SET virtual_bytes = 3221225472, root_gib = 3"); });

  EXPECT_EQ(code("/dev/sda1", 2, {}), Code::invalid_block_device_mapping);
  EXPECT_EQ(code("/dev/sdf", {}, {}), Code::missing_parameter);
  EXPECT_EQ(code("/dev/sdf", 20000, {}), Code::invalid_parameter_value);
  EXPECT_EQ(code("/dev/../etc", 2, {}), Code::invalid_parameter_value);
  EXPECT_EQ(code("/dev/sdf", 2, "snap-00000000000000000"), Code::invalid_snapshot_not_found);
}

TEST_F(ComputeTest, TagsGoToInstanceVolumeAndInterface) {
  auto request = launch();
  for (const std::string type : {"instance", "volume", "network-interface"})
    request.tag_specifications.push_back({type, {{"kind", type}}});

  const auto instance = run(request).instances.at(0);

  ASSERT_EQ(instance.tags.size(), 1U);
  EXPECT_EQ(*instance.tags[0].value, "instance");
  EXPECT_EQ(number("SELECT count(*) FROM tag WHERE value = 'volume' AND resource_id LIKE 'vol-%'"), 1);
  EXPECT_EQ(number("SELECT count(*) FROM tag WHERE value = 'network-interface' AND resource_id LIKE 'eni-%'"), 1);
}

TEST_F(ComputeTest, NetworkInterfaceSpecificationMakesEachInterface) {
  auto request = launch();
  request.network_interfaces.resize(2);
  request.network_interfaces[0].device_index = 1;
  request.network_interfaces[1].device_index = 0;
  request.network_interfaces[1].private_ip_address = "172.31.0.77";

  const auto instance = run(request).instances.at(0);

  ASSERT_EQ(instance.network_interfaces.size(), 2U);
  EXPECT_EQ(*instance.private_ip_address, "172.31.0.77");
}

TEST_F(ComputeTest, LaunchIsJournalledAndTouchesTheDocuments) {
  tell_hosts();

  run_one();

  EXPECT_EQ(number("SELECT count(*) FROM journal WHERE resource_id LIKE 'i-%' AND before IS NULL"), 1);
  EXPECT_EQ(number("SELECT count(*) FROM journal WHERE resource_id LIKE 'vol-%' AND before IS NULL"), 1);
  EXPECT_EQ(number("SELECT count(*) FROM outbox WHERE kind = 'instance'"), 1);
  EXPECT_EQ(number("SELECT count(*) FROM outbox WHERE kind = 'volume'"), 1);
  EXPECT_EQ(number("SELECT count(*) FROM outbox WHERE kind = 'vpc'"), 1);
}

TEST_F(ComputeTest, OtherAccountsSeeNothing) {
  const auto id = running();

  EXPECT_EQ(find(bob, id).error().code, Code::invalid_instance_id_not_found);
  // The same words as for an id that never was.
  EXPECT_EQ(find(bob, id).error().message, "The instance ID '" + id.str() + "' does not exist");
  EXPECT_TRUE(must(call<ec2::DescribeInstancesResult>(bob, "DescribeInstances", ec2::DescribeInstancesRequest{}))
                  .reservations.empty());
  EXPECT_TRUE(
      must(call<ec2::DescribeVolumesResult>(bob, "DescribeVolumes", ec2::DescribeVolumesRequest{})).volumes.empty());
  EXPECT_EQ((call<ec2::TerminateInstancesResult>(bob, "TerminateInstances", naming<ec2::TerminateInstancesRequest>(id)))
                .error()
                .code,
            Code::invalid_instance_id_not_found);
  EXPECT_EQ(state(id), "running");
}

}  // namespace
}  // namespace virga::api
