#include "ec2/op/CreateKeyPair.h"
#include "ec2/op/CreateTags.h"
#include "ec2/op/DeleteKeyPair.h"
#include "ec2/op/DeleteTags.h"
#include "ec2/op/DescribeAccountAttributes.h"
#include "ec2/op/DescribeAvailabilityZones.h"
#include "ec2/op/DescribeImages.h"
#include "ec2/op/DescribeInstanceTypes.h"
#include "ec2/op/DescribeKeyPairs.h"
#include "ec2/op/DescribeRegions.h"
#include "ec2/op/DescribeTags.h"
#include "ec2/op/ImportKeyPair.h"
#include "ec2/op/RegisterImage.h"
#include "tests/unit/api/actions/compute_fixture.h"

namespace virga::api {
namespace {

class Catalogue : public ComputeTest {
 protected:
  std::vector<ec2::Image> images(const AccountId& account, std::vector<std::string> owners = {}) {
    ec2::DescribeImagesRequest request;
    request.owners = std::move(owners);
    return must(call<ec2::DescribeImagesResult>(account, "DescribeImages", request)).images;
  }
  Result<ec2::RegisterImageResult> register_image(const AccountId& account, const std::string& name,
                                                  const std::string& location) {
    ec2::RegisterImageRequest request;
    request.name = name;
    request.image_location = location;
    return call<ec2::RegisterImageResult>(account, "RegisterImage", request);
  }
  Result<ec2::NoOutput> tag(const AccountId& account, const std::vector<std::string>& ids, const std::string& key) {
    return call<ec2::NoOutput>(account, "CreateTags", ec2::CreateTagsRequest{std::nullopt, ids, {{key, "v"}}});
  }
  std::vector<ec2::TagDescription> tags_of(const AccountId& account) {
    return must(call<ec2::DescribeTagsResult>(account, "DescribeTags", ec2::DescribeTagsRequest{})).tags;
  }
};

TEST_F(Catalogue, PublicImagesAreSeenByAllAndTaggedByTheirOwner) {
  must(tag(alice, {image_.str()}, "k"));

  const auto own = images(alice, {"self"});
  const auto foreign = images(bob, {"amazon"});

  ASSERT_EQ(own.size(), 1U);
  EXPECT_EQ(*own[0].state, "available");
  EXPECT_EQ(*own[0].block_device_mappings.at(0).ebs->volume_size, 1);
  EXPECT_EQ(own[0].tags.size(), 1U);
  ASSERT_EQ(foreign.size(), 1U);
  EXPECT_TRUE(foreign[0].tags.empty());
  EXPECT_TRUE(images(bob, {"self"}).empty());
  EXPECT_EQ(tag(bob, {image_.str()}, "k").error().code, Code::invalid_ami_id_not_found);
}

TEST_F(Catalogue, RegisteredImageSharesTheBytesAndBelongsToItsMaker) {
  const auto id = ImageId::trusted(*must(register_image(bob, "mine", alice.str() + "/tiny")).image_id);

  EXPECT_EQ(images(alice).size(), 1U);
  EXPECT_EQ(images(bob).size(), 2U);
  auto request = launch();
  request.image_id = id.str();
  const auto launched = must(call<ec2::Reservation>(bob, "RunInstances", request));
  EXPECT_EQ(*launched.instances.at(0).image_id, id.str());
  EXPECT_EQ(ask(bob,
                [&](Scope& scope) {
                  const auto volume =
                      VolumeId::trusted(*launched.instances[0].block_device_mappings.at(0).ebs->volume_id);
                  return storage::wanted_volume(scope.tx, volume)->image;
                }),
            image_);
}

TEST_F(Catalogue, ImageNamesAreCheckedAndUniqueInAnAccount) {
  EXPECT_EQ(register_image(alice, "tiny", image_.str()).error().code, Code::invalid_ami_name_duplicate);
  EXPECT_EQ(register_image(alice, "a*b", image_.str()).error().code, Code::invalid_ami_name_malformed);
  EXPECT_EQ(register_image(alice, "new", bob.str() + "/none").error().code, Code::invalid_ami_id_not_found);
  EXPECT_TRUE(register_image(bob, "tiny", image_.str()));
}

TEST_F(Catalogue, PendingAndFailedImagesAreNotLaunched) {
  const auto id = ask(alice, [&](Scope& scope) {
    return must(storage::images::create_import(scope, {.name = "broken", .description = ""}));
  });
  auto request = launch();
  request.image_id = id.str();
  EXPECT_EQ(try_run(request).error().code, Code::invalid_ami_id_unavailable);

  must(as(alice, [&](Scope& scope) {
    return storage::observe_image(scope, "h1", {id, false, 0, 0, "", "/var/lib/secret: has a backing file"});
  }));

  EXPECT_EQ(try_run(request).error().code, Code::invalid_ami_id_unavailable);
  for (const auto& image : images(alice, {"self"})) {
    if (*image.image_id != id.str()) continue;
    EXPECT_EQ(*image.state, "failed");
    EXPECT_EQ(image.state_reason->message->find("/var"), std::string::npos);
  }
}

TEST_F(Catalogue, TypesAreDescribedAndUnknownOnesRefused) {
  ec2::DescribeInstanceTypesRequest request;
  request.instance_types = {"t3.micro"};

  const auto type =
      must(call<ec2::DescribeInstanceTypesResult>(alice, "DescribeInstanceTypes", request)).instance_types.at(0);
  request.instance_types.push_back("z9.huge");

  EXPECT_EQ(*type.v_cpu_info->default_v_cpus, 2);
  EXPECT_EQ(*type.memory_info->size_in_mi_b, 1024);
  EXPECT_TRUE(*type.burstable_performance_supported);
  EXPECT_EQ((call<ec2::DescribeInstanceTypesResult>(alice, "DescribeInstanceTypes", request)).error().code,
            Code::invalid_instance_type);
}

TEST_F(Catalogue, KeyPairsAreMadeListedAndDeletedOnce) {
  const auto made = must(call<ec2::KeyPair>(alice, "CreateKeyPair",
                                            ec2::CreateKeyPairRequest{"k", "ed25519", {}, std::nullopt, std::nullopt}));
  EXPECT_TRUE(made.key_material->starts_with("-----BEGIN OPENSSH PRIVATE KEY-----\n"));
  ec2::DescribeKeyPairsRequest describe;
  describe.key_names = {"k"};
  describe.include_public_key = true;
  const auto seen = must(call<ec2::DescribeKeyPairsResult>(alice, "DescribeKeyPairs", describe)).key_pairs.at(0);
  EXPECT_EQ(seen.key_fingerprint, made.key_fingerprint);
  EXPECT_TRUE(seen.public_key->starts_with("ssh-ed25519 "));

  auto request = launch();
  request.key_name = "k";
  const auto id = InstanceId::trusted(*run(request).instances.at(0).instance_id);
  EXPECT_EQ(document(id)->metadata.public_key, *seen.public_key);

  EXPECT_EQ((call<ec2::DescribeKeyPairsResult>(bob, "DescribeKeyPairs", describe)).error().code,
            Code::invalid_key_pair_not_found);
  ec2::DeleteKeyPairRequest remove;
  remove.key_name = "k";
  EXPECT_TRUE(must(call<ec2::DeleteKeyPairResult>(alice, "DeleteKeyPair", remove)).key_pair_id);
  EXPECT_FALSE(must(call<ec2::DeleteKeyPairResult>(alice, "DeleteKeyPair", remove)).key_pair_id);
  EXPECT_EQ(*find(id).key_name, "k");
}

TEST_F(Catalogue, ImportedKeyPairNamesAreUnique) {
  ec2::ImportKeyPairRequest request;
  request.key_name = "k";
  request.public_key_material =
      ec2::Blob{"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f me@here\n"};

  must(call<ec2::ImportKeyPairResult>(alice, "ImportKeyPair", request));

  EXPECT_EQ((call<ec2::ImportKeyPairResult>(alice, "ImportKeyPair", request)).error().code,
            Code::invalid_key_pair_duplicate);
  EXPECT_TRUE((call<ec2::ImportKeyPairResult>(bob, "ImportKeyPair", request)));
}

TEST_F(Catalogue, TagsAreSetOnSeveralResourcesOrOnNone) {
  const auto id = run_one();

  EXPECT_EQ(tag(alice, {id.str(), "vol-00000000000000000"}, "k").error().code, Code::invalid_volume_not_found);
  EXPECT_TRUE(tags_of(alice).empty());
  EXPECT_EQ(tag(alice, {"nonsense"}, "k").error().code, Code::invalid_id);
  EXPECT_EQ(tag(bob, {id.str()}, "k").error().code, Code::invalid_instance_id_not_found);
  EXPECT_EQ(tag(alice, {id.str()}, "aws:k").error().code, Code::invalid_parameter_value);
  must(tag(alice, {id.str(), image_.str()}, "k"));

  EXPECT_EQ(tags_of(alice).size(), 2U);
  EXPECT_TRUE(tags_of(bob).empty());
}

TEST_F(Catalogue, TagsAreDeletedByKeyByValueOrAltogether) {
  const auto id = run_one();
  must(tag(alice, {id.str()}, "a"));
  must(tag(alice, {id.str()}, "b"));
  const auto remove = [&](std::vector<ec2::Tag> which) {
    must(call<ec2::NoOutput>(alice, "DeleteTags", ec2::DeleteTagsRequest{std::nullopt, {id.str()}, std::move(which)}));
    return tags_of(alice).size();
  };

  EXPECT_EQ(remove({{"a", "other"}}), 2U);
  EXPECT_EQ(remove({{"a", "v"}}), 1U);
  EXPECT_EQ(remove({}), 0U);
}

TEST_F(Catalogue, MetadataHoldsTagsOnlyWhereEnabled) {
  auto request = launch();
  request.metadata_options.emplace().instance_metadata_tags = "enabled";
  const auto open = InstanceId::trusted(*run(request).instances.at(0).instance_id);
  const auto closed = run_one();
  tell_hosts();

  must(tag(alice, {open.str(), closed.str()}, "k"));

  EXPECT_EQ(document(open)->metadata.tags.size(), 1U);
  EXPECT_TRUE(document(closed)->metadata.tags.empty());
  EXPECT_EQ(number("SELECT count(*) FROM outbox WHERE kind = 'instance'"), 2);
}

TEST_F(Catalogue, RegionZonesAndAttributesAreDescribed) {
  ec2::DescribeRegionsRequest region;
  region.region_names = {"eu-north-1"};
  EXPECT_EQ((call<ec2::DescribeRegionsResult>(alice, "DescribeRegions", region)).error().code,
            Code::invalid_parameter_value);
  const auto zones = must(call<ec2::DescribeAvailabilityZonesResult>(alice, "DescribeAvailabilityZones",
                                                                     ec2::DescribeAvailabilityZonesRequest{}));
  ASSERT_EQ(zones.availability_zones.size(), 2U);
  EXPECT_EQ(*zones.availability_zones[0].zone_id, "use1-az1");
  ec2::DescribeAccountAttributesRequest attributes;
  attributes.attribute_names = {"default-vpc"};
  const auto answer = must(call<ec2::DescribeAccountAttributesResult>(alice, "DescribeAccountAttributes", attributes));
  ASSERT_EQ(answer.account_attributes.size(), 1U);
  EXPECT_TRUE(answer.account_attributes[0].attribute_values.at(0).attribute_value->starts_with("vpc-"));
  // EC2 takes each name it answers with, also those that its model does not list.
  attributes.attribute_names = {"supported-platforms", "max-instances", "vpc-max-security-groups-per-interface",
                                "max-elastic-ips", "vpc-max-elastic-ips"};
  const auto named = must(call<ec2::DescribeAccountAttributesResult>(alice, "DescribeAccountAttributes", attributes));
  EXPECT_EQ(named.account_attributes.size(), 5U);
}

}  // namespace
}  // namespace virga::api
