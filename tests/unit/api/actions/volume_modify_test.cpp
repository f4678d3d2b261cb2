#include "ec2/op/CreateVolume.h"
#include "ec2/op/DeleteVolume.h"
#include "ec2/op/DescribeVolumeAttribute.h"
#include "ec2/op/DescribeVolumeStatus.h"
#include "ec2/op/DescribeVolumesModifications.h"
#include "ec2/op/DetachVolume.h"
#include "ec2/op/ModifyVolume.h"
#include "tests/unit/api/actions/compute_fixture.h"

namespace virga::api {
namespace {

using quota::Name;

class VolumeModifications : public ComputeTest {
 protected:
  VolumeId available(int size = 2, const std::string& type = "gp2") {
    ec2::CreateVolumeRequest request;
    request.availability_zone = zone;
    request.size = size;
    request.volume_type = type;
    const auto id = VolumeId::trusted(*must(call<ec2::Volume>(alice, "CreateVolume", request)).volume_id);
    volumes_ready();
    tell_hosts();
    return id;
  }
  static ec2::ModifyVolumeRequest wish(const VolumeId& id, std::optional<int> size = {}) {
    ec2::ModifyVolumeRequest request;
    request.volume_id = id.str();
    request.size = size;
    return request;
  }
  Result<ec2::VolumeModification> modify(const ec2::ModifyVolumeRequest& request) {
    const auto response = TRY(call<ec2::ModifyVolumeResult>(alice, "ModifyVolume", request));
    return *response.volume_modification;
  }
  Code refusal(const ec2::ModifyVolumeRequest& request) {
    const auto done = modify(request);
    return done ? Code::internal : done.error().code;
  }
  Result<ec2::DescribeVolumesModificationsResult> modifications(const AccountId& account,
                                                                const std::vector<std::string>& ids) {
    ec2::DescribeVolumesModificationsRequest request;
    request.volume_ids = ids;
    return call<ec2::DescribeVolumesModificationsResult>(account, "DescribeVolumesModifications", request);
  }
  ec2::VolumeModification modification(const VolumeId& id) {
    return must(modifications(alice, {id.str()})).volumes_modifications.at(0);
  }
  ec2::Volume look(const VolumeId& id) {
    ec2::DescribeVolumesRequest request;
    request.volume_ids = {id.str()};
    return must(call<ec2::DescribeVolumesResult>(alice, "DescribeVolumes", request)).volumes.at(0);
  }
  ec2::VolumeStatusItem status(const VolumeId& id) {
    ec2::DescribeVolumeStatusRequest request;
    request.volume_ids = {id.str()};
    return must(call<ec2::DescribeVolumeStatusResult>(alice, "DescribeVolumeStatus", request)).volume_statuses.at(0);
  }
  void host_says(const VolumeId& id, std::uint64_t size_gib, const std::string& problem = {}, bool ready = true) {
    must(as(alice, [&](Scope& scope) {
      Scope reconciler{scope.tx, {}, scope.now, scope.ids, "virga", "sync", {}};
      return storage::observe_volume(reconciler, "h1", {id, 2, ready, 0, size_gib, problem});
    }));
  }
  std::uint64_t wanted_gib(const VolumeId& id) {
    return ask(alice, [&](Scope& scope) { return storage::wanted_volume(scope.tx, id)->size_gib; });
  }
};

TEST_F(VolumeModifications, EndWhenTheHostHasSeenTheNewSize) {
  const auto id = available(2);

  const auto begun = must(modify(wish(id, 5)));
  EXPECT_EQ(begun.modification_state, "modifying");
  EXPECT_EQ(begun.original_size, 2);
  EXPECT_EQ(begun.target_size, 5);
  EXPECT_EQ(begun.target_iops, 100);
  EXPECT_EQ(begun.progress, 0);
  EXPECT_FALSE(begun.end_time);
  EXPECT_EQ(wanted_gib(id), 5U);
  host_says(id, 2);
  EXPECT_EQ(modification(id).modification_state, "modifying");
  EXPECT_EQ(look(id).size, 2) << "it is shown as it is";
  host_says(id, 5);
  EXPECT_EQ(modification(id).modification_state, "optimizing");
  EXPECT_EQ(look(id).size, 5);
  host_says(id, 5);

  EXPECT_EQ(modification(id).modification_state, "completed");
  EXPECT_EQ(modification(id).progress, 100);
  EXPECT_TRUE(modification(id).end_time);
}

TEST_F(VolumeModifications, OfTheTypeTakeEffectWithoutAWordOfSize) {
  const auto id = available(10);
  auto request = wish(id);
  request.volume_type = "gp3";
  request.iops = 4000;

  EXPECT_EQ(must(modify(request)).target_throughput, 125);
  EXPECT_EQ(look(id).volume_type, "gp2");
  volumes_ready();
  volumes_ready();

  EXPECT_EQ(modification(id).modification_state, "completed");
  EXPECT_EQ(look(id).volume_type, "gp3");
  EXPECT_EQ(look(id).iops, 4000);
}

TEST_F(VolumeModifications, ShowWhyTheHostHasNotDoneIt) {
  const auto id = available();
  must(modify(wish(id, 5)));

  host_says(id, 2, "no room");
  EXPECT_EQ(modification(id).status_message, "no room");
  EXPECT_EQ(status(id).volume_status->status, "ok") << "as it is, it works";
  host_says(id, 5);

  EXPECT_FALSE(modification(id).status_message);
}

TEST_F(VolumeModifications, OneAtATime) {
  const auto id = available();
  must(modify(wish(id, 3)));

  EXPECT_EQ(refusal(wish(id, 4)), Code::incorrect_modification_state);
  host_says(id, 3);
  EXPECT_EQ(must(modify(wish(id, 4))).original_size, 3);
}

TEST_F(VolumeModifications, ChargeWhatTheVolumeGrowsBy) {
  const auto id = available(2);

  must(modify(wish(id, 5)));
  EXPECT_EQ(used(Name::volume_gib), 5);
  EXPECT_EQ(used(Name::volumes), 1);
  EXPECT_EQ(number("SELECT storage_gib_used FROM host"), 5);
  host_says(id, 5);
  EXPECT_EQ(refusal(wish(id, 1001)), Code::insufficient_volume_capacity);
  ask(alice, [](Scope& scope) {
    quota::set_limit(scope, Name::volume_gib, 7);
    return 0;
  });
  EXPECT_EQ(refusal(wish(id, 8)), Code::volume_modification_size_limit_exceeded);
  EXPECT_EQ(used(Name::volume_gib), 5);
  EXPECT_EQ(number("SELECT storage_gib_used FROM host"), 5);
  must(modify(wish(id, 7)));

  ec2::DeleteVolumeRequest request;
  request.volume_id = id.str();
  must(call<ec2::NoOutput>(alice, "DeleteVolume", request));
  must(as(alice, [&](Scope& scope) { return storage::volume_removed(scope, "h1", id); }));
  EXPECT_EQ(used(Name::volume_gib), 0) << "one under way ends with its volume";
  EXPECT_EQ(number("SELECT storage_gib_used FROM host"), 0);
  EXPECT_EQ(number("SELECT count(*) FROM volume_modification"), 0);
}

TEST_F(VolumeModifications, RefuseWhatCannotBe) {
  const auto id = available(2);
  EXPECT_EQ(refusal(wish(id, 1)), Code::invalid_parameter_value);
  EXPECT_EQ(refusal(wish(id)), Code::missing_parameter);
  auto shared = wish(id);
  shared.multi_attach_enabled = true;
  EXPECT_EQ(refusal(shared), Code::unsupported_operation);
  EXPECT_EQ(refusal(wish(VolumeId::trusted("vol-00000000000000fff"), 3)), Code::invalid_volume_not_found);
  EXPECT_EQ(call<ec2::ModifyVolumeResult>(bob, "ModifyVolume", wish(id, 3)).error().code,
            Code::invalid_volume_not_found);
  ec2::CreateVolumeRequest request;
  request.availability_zone = zone;
  request.size = 1;
  const auto creating = VolumeId::trusted(*must(call<ec2::Volume>(alice, "CreateVolume", request)).volume_id);
  EXPECT_EQ(refusal(wish(creating, 3)), Code::incorrect_state);
}

TEST_F(VolumeModifications, AreThereOnlyOfVolumesThatHadOne) {
  const auto id = available();
  EXPECT_EQ(modifications(alice, {id.str()}).error().code, Code::invalid_volume_modification_not_found);
  EXPECT_EQ(modifications(alice, {"vol-00000000000000fff"}).error().code, Code::invalid_volume_not_found);
  EXPECT_EQ(modifications(alice, {"vol"}).error().code, Code::invalid_volume_id_malformed);
  EXPECT_TRUE(must(modifications(alice, {})).volumes_modifications.empty());
  must(modify(wish(id, 3)));

  EXPECT_EQ(must(modifications(alice, {})).volumes_modifications.size(), 1U);
  EXPECT_TRUE(must(modifications(bob, {})).volumes_modifications.empty());
  EXPECT_EQ(modifications(bob, {id.str()}).error().code, Code::invalid_volume_not_found);
}

TEST_F(VolumeModifications, GrowAVolumeInUse) {
  const auto instance = running();
  volumes_ready();
  const auto root = VolumeId::trusted(*find(instance).block_device_mappings.at(0).ebs->volume_id);
  const int size = *look(root).size;

  must(modify(wish(root, size + 1)));
  host_says(root, static_cast<std::uint64_t>(size) + 1);

  EXPECT_EQ(look(root).state, "in-use");
  EXPECT_EQ(look(root).size, size + 1);
}

TEST_F(VolumeModifications, StatusIsWhatTheHostSaysOfTheFile) {
  const auto id = available();
  const auto well = status(id);
  EXPECT_EQ(well.volume_status->status, "ok");
  EXPECT_EQ(well.volume_status->details.at(0).name, "io-enabled");
  EXPECT_EQ(well.volume_status->details.at(0).status, "passed");
  EXPECT_EQ(well.availability_zone, zone);
  EXPECT_TRUE(well.availability_zone_id);
  EXPECT_EQ(well.operator_->managed, false);
  EXPECT_TRUE(well.events.empty());

  host_says(id, 0, "The volume's data is missing on its host.", false);
  EXPECT_EQ(status(id).volume_status->status, "impaired");
  EXPECT_EQ(status(id).volume_status->details.at(0).status, "failed");
  EXPECT_EQ(look(id).state, "available");
  host_says(id, 0, "", false);  // a host that has just begun knows nothing yet
  EXPECT_EQ(status(id).volume_status->status, "impaired");
  host_says(id, 2);
  EXPECT_EQ(status(id).volume_status->status, "ok");
}

TEST_F(VolumeModifications, AttributesAreThoseOfOneVolume) {
  const auto id = available();
  ec2::DescribeVolumeAttributeRequest request;
  request.volume_id = id.str();
  request.attribute = "autoEnableIO";
  const auto ask_for = [&](const AccountId& account) {
    return call<ec2::DescribeVolumeAttributeResult>(account, "DescribeVolumeAttribute", request);
  };
  EXPECT_EQ(must(ask_for(alice)).auto_enable_io->value, false);
  EXPECT_EQ(must(ask_for(alice)).volume_id, id.str());
  request.attribute = "productCodes";
  EXPECT_FALSE(must(ask_for(alice)).auto_enable_io);
  EXPECT_TRUE(must(ask_for(alice)).product_codes.empty());
  EXPECT_EQ(ask_for(bob).error().code, Code::invalid_volume_not_found);
}

}  // namespace
}  // namespace virga::api
