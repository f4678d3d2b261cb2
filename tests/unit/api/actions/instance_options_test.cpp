#include "compute/instances.h"
#include "ec2/op/ModifyInstanceCreditSpecification.h"
#include "ec2/op/ModifyInstanceMaintenanceOptions.h"
#include "ec2/op/ModifyInstanceMetadataOptions.h"
#include "ec2/op/MonitorInstances.h"
#include "ec2/op/UnmonitorInstances.h"
#include "tests/unit/api/actions/compute_fixture.h"

namespace virga::api {
namespace {

using compute::GuestState;

class InstanceOptions : public ComputeTest {
 protected:
  template <class Change>
  Result<ec2::ModifyInstanceMetadataOptionsResult> metadata(const InstanceId& id, Change change) {
    ec2::ModifyInstanceMetadataOptionsRequest request;
    request.instance_id = id.str();
    change(request);
    return call<ec2::ModifyInstanceMetadataOptionsResult>(alice, "ModifyInstanceMetadataOptions", request);
  }
  Result<ec2::ModifyInstanceCreditSpecificationResult> credits(const std::vector<std::string>& ids,
                                                               const std::string& wish, const std::string& token = {}) {
    ec2::ModifyInstanceCreditSpecificationRequest request;
    if (!token.empty()) request.client_token = token;
    for (const auto& id : ids) request.instance_credit_specifications.push_back({id, wish});
    return call<ec2::ModifyInstanceCreditSpecificationResult>(alice, "ModifyInstanceCreditSpecification", request);
  }
  std::string kept_credits(const InstanceId& id) {
    return ask(alice, [&](Scope& s) { return must(compute::instances::find(s, id)).spec.cpu_credits; });
  }
  void end(const InstanceId& id) {
    terminate(id);
    removed(id);
  }
};

TEST_F(InstanceOptions, MetadataOptionsChangeOneByOneAndReachTheHost) {
  using R = ec2::ModifyInstanceMetadataOptionsRequest;
  const auto id = running();

  const auto answer = *must(metadata(id, [](R& r) { r.http_tokens = "required"; })).instance_metadata_options;
  EXPECT_EQ(*answer.state, "pending");
  EXPECT_EQ(*answer.http_tokens, "required");
  EXPECT_EQ(*answer.http_endpoint, "enabled");
  must(metadata(id, [](R& r) { r.http_put_response_hop_limit = 5; }));
  must(metadata(id, [](R& r) { r.instance_metadata_tags = "enabled"; }));
  must(metadata(id, [](R& r) {
    r.http_endpoint = "disabled";
    r.http_protocol_ipv6 = "disabled";
  }));

  const auto told = document(id)->metadata.options;
  EXPECT_EQ(told.http_tokens, "required");
  EXPECT_EQ(told.http_endpoint, "disabled");
  EXPECT_EQ(told.http_put_response_hop_limit, 5);
  EXPECT_EQ(told.instance_metadata_tags, "enabled");
  const auto shown = *find(id).metadata_options;
  EXPECT_EQ(*shown.state, "applied");
  EXPECT_EQ(*shown.http_tokens, "required");
  EXPECT_EQ(*shown.http_put_response_hop_limit, 5);
}

TEST_F(InstanceOptions, MetadataOptionsThatCannotBeAreRefused) {
  using R = ec2::ModifyInstanceMetadataOptionsRequest;
  const auto id = running();
  const auto code = [&](auto change) { return metadata(id, change).error().code; };

  EXPECT_EQ(code([](R&) {}), Code::missing_parameter);
  EXPECT_EQ(code([](R& r) { r.http_tokens = "maybe"; }), Code::invalid_parameter_value);
  EXPECT_EQ(code([](R& r) { r.http_endpoint = "maybe"; }), Code::invalid_parameter_value);
  EXPECT_EQ(code([](R& r) { r.instance_metadata_tags = "maybe"; }), Code::invalid_parameter_value);
  EXPECT_EQ(code([](R& r) { r.http_put_response_hop_limit = 0; }), Code::invalid_parameter_value);
  EXPECT_EQ(code([](R& r) { r.http_put_response_hop_limit = 65; }), Code::invalid_parameter_value);
  EXPECT_EQ(code([](R& r) { r.http_protocol_ipv6 = "enabled"; }), Code::unsupported_operation);
  end(id);
  EXPECT_EQ(code([](R& r) { r.http_tokens = "required"; }), Code::incorrect_instance_state);
}

TEST_F(InstanceOptions, MonitoringIsKeptAndShown) {
  const auto id = running();
  const auto monitor = [&] {
    return call<ec2::MonitorInstancesResult>(alice, "MonitorInstances", naming<ec2::MonitorInstancesRequest>(id));
  };
  const auto unmonitor = [&] {
    return must(call<ec2::UnmonitorInstancesResult>(alice, "UnmonitorInstances",
                                                    naming<ec2::UnmonitorInstancesRequest>(id)))
        .instance_monitorings.at(0);
  };

  EXPECT_EQ(*must(monitor()).instance_monitorings.at(0).monitoring->state, "pending");
  EXPECT_EQ(*find(id).monitoring->state, "enabled");
  EXPECT_EQ(*must(monitor()).instance_monitorings.at(0).monitoring->state, "enabled");
  EXPECT_EQ(*unmonitor().monitoring->state, "disabling");
  EXPECT_EQ(*find(id).monitoring->state, "disabled");
  EXPECT_EQ(*unmonitor().instance_id, id.str());
  end(id);
  EXPECT_EQ(monitor().error().code, Code::incorrect_instance_state);
}

TEST_F(InstanceOptions, MonitoringOfOneUnknownInstanceChangesNone) {
  const auto id = running();
  auto request = naming<ec2::MonitorInstancesRequest>(id);
  request.instance_ids.emplace_back("i-00000000000000000");

  EXPECT_EQ(call<ec2::MonitorInstancesResult>(alice, "MonitorInstances", request).error().code,
            Code::invalid_instance_id_not_found);
  EXPECT_EQ(*find(id).monitoring->state, "disabled");
}

TEST_F(InstanceOptions, CreditsChangePerInstance) {
  const auto burstable = running();
  const auto ended = running();
  end(ended);
  const auto other = InstanceId::trusted(*run(launch(1, 1, "m5.large")).instances.at(0).instance_id);

  const auto answer =
      must(credits({burstable.str(), other.str(), "i-00000000000000000", "x", ended.str()}, "standard"));

  ASSERT_EQ(answer.successful_instance_credit_specifications.size(), 1U);
  EXPECT_EQ(*answer.successful_instance_credit_specifications[0].instance_id, burstable.str());
  ASSERT_EQ(answer.unsuccessful_instance_credit_specifications.size(), 4U);
  const std::vector<std::string> codes = {"InstanceCreditSpecification.NotSupported", "InvalidInstanceID.NotFound",
                                          "InvalidInstanceID.Malformed", "IncorrectInstanceState"};
  for (std::size_t i = 0; i < codes.size(); ++i)
    EXPECT_EQ(*answer.unsuccessful_instance_credit_specifications[i].error->code, codes[i]);
  EXPECT_EQ(kept_credits(burstable), "standard");
  EXPECT_EQ(kept_credits(other), "");
  EXPECT_EQ(credits({burstable.str()}, "many").error().code, Code::invalid_parameter_value);
}

TEST_F(InstanceOptions, CreditsWithATokenChangeOnce) {
  const auto id = running();
  must(credits({id.str()}, "standard", "t"));
  must(credits({id.str()}, "unlimited"));

  const auto again = must(credits({id.str()}, "standard", "t"));

  EXPECT_EQ(*again.successful_instance_credit_specifications.at(0).instance_id, id.str());
  EXPECT_EQ(kept_credits(id), "unlimited");
  EXPECT_EQ(credits({id.str()}, "unlimited", "t").error().code, Code::idempotent_parameter_mismatch);
}

TEST_F(InstanceOptions, MaintenanceOptionsAreKeptAndShown) {
  const auto id = running();
  ec2::ModifyInstanceMaintenanceOptionsRequest request;
  request.instance_id = id.str();
  const auto modify = [&] {
    return call<ec2::ModifyInstanceMaintenanceOptionsResult>(alice, "ModifyInstanceMaintenanceOptions", request);
  };
  EXPECT_EQ(modify().error().code, Code::missing_parameter);

  request.auto_recovery = "disabled";
  EXPECT_EQ(*must(modify()).auto_recovery, "disabled");
  EXPECT_EQ(*find(id).maintenance_options->auto_recovery, "disabled");
  request.auto_recovery = "default";
  must(modify());
  EXPECT_EQ(*find(id).maintenance_options->auto_recovery, "default");
  request.reboot_migration = "default";
  EXPECT_EQ(*must(modify()).reboot_migration, "default");
  request.reboot_migration = "disabled";
  EXPECT_EQ(modify().error().code, Code::unsupported_operation);
}

TEST_F(InstanceOptions, ALaunchTakesThemAll) {
  auto request = launch();
  request.monitoring.emplace().enabled = true;
  request.ebs_optimized = true;
  request.maintenance_options.emplace().auto_recovery = "disabled";

  const auto made = run(request).instances.at(0);
  const auto shown = find(InstanceId::trusted(*made.instance_id));

  for (const auto& instance : {made, shown}) {
    EXPECT_EQ(*instance.monitoring->state, "enabled");
    EXPECT_TRUE(*instance.ebs_optimized);
    EXPECT_EQ(*instance.maintenance_options->auto_recovery, "disabled");
  }
}

}  // namespace
}  // namespace virga::api
