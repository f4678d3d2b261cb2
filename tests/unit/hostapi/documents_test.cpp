#include "hostapi/agent/documents.h"

#include <fstream>

#include "tests/unit/hostapi/fixture.h"

namespace virga::hostapi {
namespace {

class DocumentsTest : public ::testing::Test {
 protected:
  std::unique_ptr<Documents> open() {
    auto documents = Documents::open(directory_.path());
    EXPECT_TRUE(documents);
    return std::move(*documents);
  }
  std::filesystem::path file(const char* name) const { return directory_.path() / name; }
  TemporaryDirectory directory_;
};

TEST_F(DocumentsTest, KeepsWhatWasPutOverARestart) {
  ASSERT_EQ(open()->put(wanted_vpc(1, {1, 2}, 3)).value(), PutEffect::taken);
  const auto state = open()->current();
  ASSERT_TRUE(state->vpcs.contains(id<VpcId>(1)));
  EXPECT_EQ(nlohmann::json(state->vpcs.at(id<VpcId>(1))->wanted), nlohmann::json(wanted_vpc(1, {1, 2}, 3)));
}

TEST_F(DocumentsTest, AreConfirmedOnlyInOneRunAndOnlyWhenNoneIsMissing) {
  auto documents = open();
  ASSERT_TRUE(documents->put(wanted_vpc(1, {1})));
  ASSERT_TRUE(documents->put(wanted_instance(1)));
  EXPECT_FALSE(documents->current()->confirmed);
  EXPECT_EQ(documents->confirm({id<InstanceId>(2)}, {}).error().code, Code::incorrect_state);
  EXPECT_EQ(documents->confirm({}, {id<VpcId>(2)}).error().code, Code::incorrect_state);
  EXPECT_FALSE(documents->current()->confirmed);
  ASSERT_TRUE(documents->confirm({id<InstanceId>(1)}, {id<VpcId>(1)}));
  EXPECT_TRUE(documents->current()->confirmed);
  ASSERT_TRUE(documents->put(wanted_volume(1)));
  EXPECT_TRUE(documents->current()->confirmed);
  EXPECT_FALSE(open()->current()->confirmed) << "what was on the disk may have been lost between two runs";
}

TEST_F(DocumentsTest, OneThatIsBeingRemovedDoesNotCountAsThere) {
  auto documents = open();
  ASSERT_TRUE(documents->put(wanted_instance(1)));
  ASSERT_TRUE(documents->remove(DocumentKind::instance, id<InstanceId>(1).str()));
  EXPECT_FALSE(documents->confirm({id<InstanceId>(1)}, {}));
}

TEST_F(DocumentsTest, TakesOnlyNewerGenerations) {
  auto documents = open();
  EXPECT_EQ(documents->put(wanted_volume(1, 2)).value(), PutEffect::taken);
  EXPECT_EQ(documents->put(wanted_volume(1, 2)).value(), PutEffect::unchanged);
  EXPECT_EQ(documents->put(wanted_volume(1, 1)).value(), PutEffect::unchanged);
  EXPECT_EQ(open()->put(wanted_volume(1, 2)).value(), PutEffect::unchanged);
  EXPECT_EQ(documents->put(wanted_volume(1, 3)).value(), PutEffect::taken);
}

TEST_F(DocumentsTest, TombstonesStayUntilForgotten) {
  ASSERT_TRUE(open()->put(wanted_volume(1)));
  EXPECT_EQ(open()->remove(DocumentKind::volume, id<VolumeId>(1).str()).value(), PutEffect::taken);
  auto documents = open();
  EXPECT_TRUE(documents->current()->volumes.at(id<VolumeId>(1))->removed);
  EXPECT_EQ(documents->put(wanted_volume(1, 1)).value(), PutEffect::unchanged) << "a late put must not undo a removal";
  ASSERT_TRUE(documents->forget(DocumentKind::volume, id<VolumeId>(1).str()));
  EXPECT_TRUE(open()->current()->volumes.empty());
}

TEST_F(DocumentsTest, NewerPutTakesARemovalBack) {
  auto documents = open();
  ASSERT_TRUE(documents->put(wanted_vpc(1, {})));
  ASSERT_TRUE(documents->remove(DocumentKind::vpc, id<VpcId>(1).str()));
  EXPECT_EQ(documents->put(wanted_vpc(1, {}, 2)).value(), PutEffect::taken);
  ASSERT_TRUE(documents->forget(DocumentKind::vpc, id<VpcId>(1).str()));
  EXPECT_FALSE(open()->current()->vpcs.at(id<VpcId>(1))->removed);
}

TEST_F(DocumentsTest, VolumePutAgainWhileItIsRemovedIsMadeAnew) {
  auto documents = open();
  ASSERT_TRUE(documents->put(wanted_volume(1)));
  ASSERT_TRUE(documents->mark_made(id<VolumeId>(1)));
  ASSERT_TRUE(documents->remove(DocumentKind::volume, id<VolumeId>(1).str()));
  ASSERT_TRUE(documents->put(wanted_volume(1, 2)));
  EXPECT_TRUE(documents->current()->volumes.at(id<VolumeId>(1))->made);
  ASSERT_TRUE(documents->forget(DocumentKind::volume, id<VolumeId>(1).str()));
  EXPECT_FALSE(documents->current()->volumes.at(id<VolumeId>(1))->made);
}

TEST_F(DocumentsTest, RemovalOfTheUnknownChangesNothing) {
  EXPECT_EQ(open()->remove(DocumentKind::instance, id<InstanceId>(1).str()).value(), PutEffect::unchanged);
  EXPECT_TRUE(open()->current()->instances.empty());
  EXPECT_FALSE(open()->remove(DocumentKind::instance, "../../etc/passwd"));
}

TEST_F(DocumentsTest, ToleratesATornTemporaryFile) {
  ASSERT_TRUE(open()->put(wanted_volume(1)));
  std::ofstream(file("volumes/vol-00000000000000001.json.tmp")) << "{\"form";
  const auto documents = open();
  EXPECT_EQ(documents->current()->volumes.size(), 1U);
  EXPECT_TRUE(documents->current()->damaged.empty());
  EXPECT_FALSE(std::filesystem::exists(file("volumes/vol-00000000000000001.json.tmp")));
}

TEST_F(DocumentsTest, DamagedFilesAreNeitherWantedNorAbsent) {
  auto documents = open();
  for (unsigned number = 1; number <= 3; ++number) ASSERT_TRUE(documents->put(wanted_instance(number)));
  std::ofstream(file("instances/i-00000000000000001.json")) << "";
  std::filesystem::copy_file(file("instances/i-00000000000000003.json"), file("instances/i-00000000000000002.json"),
                             std::filesystem::copy_options::overwrite_existing);
  documents = open();
  EXPECT_EQ(documents->current()->instances.size(), 1U);
  EXPECT_TRUE(documents->current()->is_damaged(id<InstanceId>(1).str()));
  EXPECT_TRUE(documents->current()->is_damaged(id<InstanceId>(2).str())) << "another object's document";
  ASSERT_TRUE(documents->put(wanted_instance(1)));
  EXPECT_FALSE(documents->current()->is_damaged(id<InstanceId>(1).str()));
  ASSERT_TRUE(documents->remove(DocumentKind::instance, id<InstanceId>(2).str()));
  EXPECT_TRUE(open()->current()->instances.at(id<InstanceId>(2))->remnant);
}

// Whether the volume was ever made is not known any more. If its bytes are gone too, an empty disk would hide that.
TEST_F(DocumentsTest, AVolumeWhoseDocumentWasDamagedIsNotMadeAnew) {
  auto documents = open();
  ASSERT_TRUE(documents->put(wanted_volume(1)));
  ASSERT_TRUE(documents->mark_made(id<VolumeId>(1)));
  std::ofstream(file("volumes/vol-00000000000000001.json")) << "{";
  documents = open();
  ASSERT_TRUE(documents->current()->is_damaged(id<VolumeId>(1).str()));
  ASSERT_TRUE(documents->put(wanted_volume(1)));
  EXPECT_TRUE(documents->current()->volumes.at(id<VolumeId>(1))->made);
  EXPECT_TRUE(open()->current()->volumes.at(id<VolumeId>(1))->made);
}

TEST_F(DocumentsTest, ReadsDocumentsOfAnEarlierVersion) {
  ASSERT_TRUE(open()->put(wanted_instance(1)));
  const auto path = file("instances/i-00000000000000001.json");
  auto json = nlohmann::json::parse(std::ifstream(path));
  json["document"].erase("shutdown_timeout_s");
  json["document"]["metadata"].erase("tags");
  std::ofstream(path) << json.dump();
  const auto state = open()->current();
  ASSERT_TRUE(state->instances.contains(id<InstanceId>(1)));
  EXPECT_EQ(state->instances.at(id<InstanceId>(1))->wanted.shutdown_timeout_s, 60);
}

TEST_F(DocumentsTest, ReadsVpcsAndInterfacesOfTheTimeBeforePublicAddresses) {
  auto instance = wanted_instance(1);
  instance.metadata.nics.emplace_back().private_ip = "172.31.0.1";
  ASSERT_TRUE(open()->put(instance));
  ASSERT_TRUE(open()->put(wanted_vpc(1, {1})));
  const auto change = [](const std::filesystem::path& path, const auto& edit) {
    auto json = nlohmann::json::parse(std::ifstream(path));
    edit(json["document"]);
    std::ofstream(path) << json.dump();
  };
  change(file("vpcs/vpc-00000000000000001.json"), [](nlohmann::json& document) {
    document.erase("internet_gateway");
    document.erase("addresses");
  });
  change(file("instances/i-00000000000000001.json"), [](nlohmann::json& document) {
    document["metadata"]["nics"][0].erase("public_ip");
    document["metadata"]["nics"][0].erase("public_hostname");
  });

  auto documents = open();
  EXPECT_TRUE(documents->current()->damaged.empty());
  EXPECT_FALSE(documents->current()->vpcs.at(id<VpcId>(1))->wanted.internet_gateway);
  EXPECT_TRUE(documents->current()->vpcs.at(id<VpcId>(1))->wanted.addresses.empty());
  EXPECT_EQ(documents->current()->instances.at(id<InstanceId>(1))->wanted.metadata.nics.at(0).private_ip, "172.31.0.1");

  change(file("vpcs/vpc-00000000000000001.json"), [](nlohmann::json& document) { document["internet_gateway"] = 7; });
  documents = open();
  EXPECT_TRUE(documents->current()->is_damaged(id<VpcId>(1).str())) << "missing is not the same as wrong";
}

}  // namespace
}  // namespace virga::hostapi
