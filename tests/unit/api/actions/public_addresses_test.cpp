// Elastic addresses and instances: what may be associated, and the automatic address that gives way and comes back.

#include "ec2/op/AllocateAddress.h"
#include "ec2/op/AssociateAddress.h"
#include "ec2/op/DisassociateAddress.h"
#include "network/addresses.h"
#include "network/interfaces.h"
#include "tests/unit/api/actions/compute_fixture.h"

namespace virga::api {
namespace {

class PublicAddresses : public ComputeTest {
 protected:
  ec2::AllocateAddressResult allocate() {
    return must(call<ec2::AllocateAddressResult>(alice, "AllocateAddress", ec2::AllocateAddressRequest{}));
  }
  Result<std::string> associate(const std::string& allocation, const InstanceId& instance) {
    ec2::AssociateAddressRequest request;
    request.allocation_id = allocation;
    request.instance_id = instance.str();
    const auto answer = TRY(call<ec2::AssociateAddressResult>(alice, "AssociateAddress", request));
    return answer.association_id.value_or("");
  }
  void disassociate(const std::string& association) {
    ec2::DisassociateAddressRequest request;
    request.association_id = association;
    must(call<ec2::NoOutput>(alice, "DisassociateAddress", request));
  }
  network::Interface interface_of(const InstanceId& id) {
    return ask(alice, [&](Scope& scope) { return network::interfaces_of(scope, id).at(0); });
  }
  /// The public address of an instance, as hosts are to translate it.
  std::string public_ip(const InstanceId& id) { return interface_of(id).public_ip; }
  ec2::RunInstancesRequest launch_asking(std::optional<bool> for_public_ip, int interfaces = 1) {
    auto request = launch();
    for (int i = 0; i < interfaces; ++i) {
      auto& interface = request.network_interfaces.emplace_back();
      interface.device_index = i;
      interface.associate_public_ip_address = for_public_ip;
    }
    return request;
  }
  bool wants(const ec2::RunInstancesRequest& request) {
    return interface_of(InstanceId::trusted(*run(request).instances.at(0).instance_id)).wants_public_ip;
  }
};

TEST_F(PublicAddresses, ElasticOnesAreAssociatedWhileTheInstanceStarts) {
  const auto address = allocate();
  const auto id = run_one();
  ASSERT_EQ(state(id), "pending");

  const auto association = must(associate(*address.allocation_id, id));
  EXPECT_EQ(public_ip(id), *address.public_ip);
  EXPECT_EQ(interface_of(id).association.str(), association);
}

TEST_F(PublicAddresses, AnEndingInstanceGetsNone) {
  const auto address = allocate();
  const auto id = running();
  terminate(id);
  EXPECT_EQ(associate(*address.allocation_id, id).error().code, Code::incorrect_instance_state);
  removed(id);
  EXPECT_EQ(associate(*address.allocation_id, id).error().code, Code::incorrect_instance_state);
}

TEST_F(PublicAddresses, OneOfSeveralInterfacesMustBeNamed) {
  const auto address = allocate();
  const auto id = InstanceId::trusted(*run(launch_asking(std::nullopt, 2)).instances.at(0).instance_id);
  EXPECT_EQ(associate(*address.allocation_id, id).error().code, Code::invalid_instance_id);
}

TEST_F(PublicAddresses, AutomaticOnesComeBackWhenElasticOnesGo) {
  const auto id = running();
  const auto address = allocate();
  const auto association = must(associate(*address.allocation_id, id));
  ASSERT_EQ(public_ip(id), *address.public_ip);

  disassociate(association);
  EXPECT_NE(public_ip(id), "");
  EXPECT_NE(public_ip(id), *address.public_ip);
  EXPECT_TRUE(interface_of(id).allocation.empty());
}

TEST_F(PublicAddresses, AutomaticOnesComeBackWhenElasticOnesMoveOn) {
  const auto one = running();
  const auto two = running();
  const auto address = allocate();
  must(associate(*address.allocation_id, one));
  must(associate(*address.allocation_id, two));

  EXPECT_EQ(public_ip(two), *address.public_ip);
  EXPECT_NE(public_ip(one), "");
}

TEST_F(PublicAddresses, AnElasticOneGoesEvenWhenNoOtherIsFree) {
  const auto id = running();
  const auto association = must(associate(*allocate().allocation_id, id));
  config_.public_cidrs = {"198.51.100.9/32"};
  allocate();

  disassociate(association);
  EXPECT_EQ(public_ip(id), "");
}

TEST_F(PublicAddresses, InstancesThatWantNoneGetNoneBack) {
  const auto id = InstanceId::trusted(*run(launch_asking(false)).instances.at(0).instance_id);
  disassociate(must(associate(*allocate().allocation_id, id)));
  EXPECT_EQ(public_ip(id), "");
}

TEST_F(PublicAddresses, ALoneInterfaceWantsOneAsAskedElseAsItsSubnetSays) {
  EXPECT_TRUE(wants(launch())) << "default subnets map public addresses";
  EXPECT_TRUE(wants(launch_asking(std::nullopt)));
  EXPECT_TRUE(wants(launch_asking(true)));
  EXPECT_FALSE(wants(launch_asking(false)));
  EXPECT_FALSE(wants(launch_asking(std::nullopt, 2)));
  EXPECT_EQ(try_run(launch_asking(true, 2)).error().code, Code::invalid_parameter_combination);

  ask(alice, [&](Scope& scope) { return scope.tx.execute("UPDATE subnet SET map_public_ip = 0"); });
  EXPECT_FALSE(wants(launch()));
  EXPECT_FALSE(wants(launch_asking(std::nullopt)));
  EXPECT_TRUE(wants(launch_asking(true)));
}

}  // namespace
}  // namespace virga::api
