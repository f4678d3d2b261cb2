// Preparations, DryRun and refreshed answers, with rows that tell what was called.

#include <semaphore>
#include <thread>

#include "api/errors.h"
#include "ec2/op/CreateKeyPair.h"
#include "ec2/op/CreateVolume.h"
#include "tests/unit/api/dispatcher_fixture.h"

namespace virga::api {
namespace {

/// What the rows' functions, which have no object, tell the test and are told by it.
struct Stage {
  store::Store* store = nullptr;
  int prepared = 0;
  bool handler_had_product = false;
  Code refusal = Code::internal;  ///< of the handler; internal: none
  std::string volume_state = "creating";
  std::counting_semaphore<>* entered = nullptr;
  std::counting_semaphore<>* leave = nullptr;
};
Stage stage;

using Key = std::string;

/// Writes to the store: from inside a transaction that could never end.
Result<Key> make_key(const ec2::CreateKeyPairRequest& request) {
  if (stage.entered != nullptr) {
    stage.entered->release();
    stage.leave->acquire();
  }
  TRY_VOID(stage.store->write([](store::Transaction& tx) -> Result<void> {
    tx.execute("INSERT INTO setting (name, value) VALUES (?, '')", "prepared:" + std::to_string(++stage.prepared));
    return {};
  }));
  return "key of " + request.key_name.value_or("");
}

Result<ec2::KeyPair> create_key_pair(Call& call, const ec2::CreateKeyPairRequest& request) {
  const auto* key = call.prepared<Key>();
  stage.handler_had_product = key != nullptr;
  if (stage.refusal != Code::internal) return fail(stage.refusal, "Not now.");
  call.scope().tx.execute("INSERT INTO setting (name, value) VALUES (?, '')", "key:" + *request.key_name);
  ec2::KeyPair pair;
  pair.key_material = key == nullptr ? "" : *key;
  return pair;
}

Result<ec2::Volume> create_volume(Call& call, const ec2::CreateVolumeRequest&) {
  ec2::Volume volume;
  volume.volume_id = VolumeId::generate(call.scope().ids).str();
  volume.state = stage.volume_state;
  return volume;
}

Result<ec2::Volume> current_volume(Call&, const ec2::Volume& first) {
  if (stage.volume_state == "deleted") return fail(Code::invalid_volume_not_found, "The volume does not exist.");
  auto volume = first;
  volume.state = stage.volume_state;
  return volume;
}

class PrepareTest : public DispatcherFixture {
 protected:
  void SetUp() override {
    DispatcherFixture::SetUp();
    stage = {};
    stage.store = store_.get();
  }
  std::vector<Action> rows() override {
    return {action("CreateKeyPair", Access::write, &create_key_pair,
                   {.only = {{"KeyFormat", {"pem"}}}, .prepare = prepare_with(&make_key)}),
            action("CreateVolume", Access::write, &create_volume, {.refresh = refresh_with(&current_volume)})};
  }
};

TEST_F(PrepareTest, NoTransactionIsOpenWhileARowPrepares) {
  const auto response = post("Action=CreateKeyPair&KeyName=k");

  ASSERT_EQ(response.status, 200) << response.body;
  EXPECT_EQ(between(response.body, "<keyMaterial>", "</keyMaterial>"), "key of k");
  EXPECT_EQ(count("prepared:*"), 1);
  EXPECT_EQ(count("key:*"), 1);
}

TEST_F(PrepareTest, NothingIsPreparedForRequestsThatAreRefusedBefore) {
  EXPECT_EQ(code(post("Action=CreateKeyPair&KeyName=k", "reader")), "UnauthorizedOperation");
  EXPECT_EQ(code(post("Action=CreateKeyPair")), "MissingParameter");
  EXPECT_EQ(code(post("Action=CreateKeyPair&KeyName=k&Colour=1")), "UnknownParameter");
  EXPECT_EQ(code(post("Action=CreateKeyPair&KeyName=k&KeyFormat=ppk")), "UnsupportedOperation");
  EXPECT_EQ(stage.prepared, 0);
}

TEST_F(PrepareTest, NothingIsPreparedForADryRun) {
  EXPECT_EQ(code(post("Action=CreateKeyPair&KeyName=k&DryRun=true")), "DryRunOperation");
  EXPECT_EQ(stage.prepared, 0);
  EXPECT_FALSE(stage.handler_had_product);
  EXPECT_EQ(count("key:*"), 0);
}

TEST_F(PrepareTest, AResentCallIsNotPreparedAgain) {
  auto request = form("Action=CreateKeyPair&KeyName=k");
  request.headers.add("amz-sdk-invocation-id", "0f3b");
  const auto first = dispatcher_->handle(request);

  EXPECT_EQ(dispatcher_->handle(request).body, first.body);
  EXPECT_EQ(stage.prepared, 1);
}

TEST_F(PrepareTest, OneThreadIsLeftForRequestsThatPrepareNothing) {
  config_.api_threads = 3;
  dispatcher_ = make();
  std::counting_semaphore<> entered(0);
  std::counting_semaphore<> leave(0);
  stage.entered = &entered;
  stage.leave = &leave;
  {
    std::jthread first([&] { EXPECT_EQ(post("Action=CreateKeyPair&KeyName=a").status, 200); });
    std::jthread second([&] { EXPECT_EQ(post("Action=CreateKeyPair&KeyName=b").status, 200); });
    entered.acquire();
    entered.acquire();

    const auto third = post("Action=CreateKeyPair&KeyName=c");
    EXPECT_EQ(code(third), "RequestLimitExceeded");
    EXPECT_EQ(third.status, 503);
    EXPECT_EQ(post("Action=CreateVolume&AvailabilityZone=us-east-1a&Size=1").status, 200);
    leave.release(2);
  }
  stage.entered = nullptr;
  EXPECT_EQ(post("Action=CreateKeyPair&KeyName=c").status, 200);
}

TEST_F(PrepareTest, ADryRunSaysWhatThereIsNoRoomFor) {
  for (const auto refusal : {Code::key_pair_limit_exceeded, Code::insufficient_instance_capacity,
                             Code::insufficient_free_addresses_in_subnet}) {
    stage.refusal = refusal;
    const auto response = post("Action=CreateKeyPair&KeyName=k&DryRun=true");
    EXPECT_EQ(response.status, 412);
    EXPECT_EQ(code(response), "DryRunOperation");
    EXPECT_NE(response.body.find(wire_error(refusal).code), std::string::npos) << response.body;
    EXPECT_EQ(code(post("Action=CreateKeyPair&KeyName=k")), wire_error(refusal).code);
  }
}

TEST_F(PrepareTest, ADryRunAnswersOtherRefusalsAsTheRealCallDoes) {
  for (const auto refusal : {Code::invalid_key_pair_duplicate, Code::dependency_violation, Code::tag_limit_exceeded,
                             Code::invalid_vpc_id_not_found}) {
    stage.refusal = refusal;
    EXPECT_EQ(code(post("Action=CreateKeyPair&KeyName=k&DryRun=true")), wire_error(refusal).code);
  }
}

TEST_F(PrepareTest, ARepeatedTokenShowsWhatTheFirstCallMadeAsItIsNow) {
  const std::string call = "Action=CreateVolume&AvailabilityZone=us-east-1a&Size=1&ClientToken=t1";
  const auto first = post(call);
  stage.volume_state = "available";
  const auto second = post(call);

  EXPECT_EQ(between(first.body, "<status>", "<"), "creating");
  EXPECT_EQ(between(second.body, "<status>", "<"), "available");
  EXPECT_EQ(between(second.body, "<volumeId>", "<"), between(first.body, "<volumeId>", "<"));
  stage.volume_state = "deleted";
  EXPECT_EQ(code(post(call)), "InvalidVolume.NotFound");
}

TEST_F(PrepareTest, ADryRunMindsTheTokenAndLeavesNone) {
  const std::string call = "Action=CreateVolume&AvailabilityZone=us-east-1a&ClientToken=t1";
  EXPECT_EQ(code(post(call + "&Size=1&DryRun=true")), "DryRunOperation");
  EXPECT_EQ(post(call + "&Size=2").status, 200);
  EXPECT_EQ(code(post(call + "&Size=1&DryRun=true")), "IdempotentParameterMismatch");
  EXPECT_EQ(code(post(call + "&Size=2&DryRun=true")), "DryRunOperation");
}

}  // namespace
}  // namespace virga::api
