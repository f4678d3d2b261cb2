#include "ec2/op/DeregisterImage.h"
#include "ec2/op/DescribeImages.h"
#include "ec2/op/RegisterImage.h"
#include "storage/volumes.h"
#include "tests/unit/api/actions/compute_fixture.h"

namespace virga::api {
namespace {

class Images : public ComputeTest {
 protected:
  Result<ec2::DeregisterImageResult> deregister(const AccountId& account, const ImageId& id) {
    ec2::DeregisterImageRequest request;
    request.image_id = id.str();
    return call<ec2::DeregisterImageResult>(account, "DeregisterImage", request);
  }
  Result<std::vector<ec2::Image>> look(const AccountId& account, const ImageId& id) {
    ec2::DescribeImagesRequest request;
    request.image_ids = {id.str()};
    auto found = TRY(call<ec2::DescribeImagesResult>(account, "DescribeImages", request));
    return std::move(found.images);
  }
  ImageId copy() {
    ec2::RegisterImageRequest request;
    request.name = "copy";
    request.image_location = image_.str();
    return ImageId::trusted(*must(call<ec2::RegisterImageResult>(alice, "RegisterImage", request)).image_id);
  }
  ImageId import(const std::string& name) {
    return ask(alice, [&](Scope& scope) {
      return must(storage::images::create_import(
          scope, {.name = name, .description = "", .visibility = storage::Visibility::own}));
    });
  }
  void host_says(const storage::ObservedImage& observed) {
    must(as(alice, [&](Scope& scope) { return storage::observe_image(scope, "h1", observed); }));
  }
  std::vector<ImageId> unneeded() {
    return ask(alice, [](Scope& scope) { return storage::unneeded_images(scope.tx, "h1"); });
  }
  void host_freed(const ImageId& id) {
    must(as(alice, [&](Scope& scope) { return storage::image_removed(scope, "h1", id); }));
  }
  static storage::ObservedImage failed(const ImageId& id, const std::string& problem) {
    storage::ObservedImage observed;
    observed.id = id;
    observed.problem = problem;
    return observed;
  }
};

TEST_F(Images, ADeregisteredImageIsGoneAndItsNameFree) {
  EXPECT_TRUE(*must(deregister(alice, image_)).return_);

  EXPECT_EQ(look(alice, image_).error().code, Code::invalid_ami_id_not_found);
  EXPECT_EQ(look(bob, image_).error().code, Code::invalid_ami_id_not_found);
  EXPECT_EQ(try_run(launch()).error().code, Code::invalid_ami_id_not_found);
  EXPECT_EQ(deregister(alice, image_).error().code, Code::invalid_ami_id_not_found);
  EXPECT_EQ(used(quota::Name::images), 0);
  EXPECT_NE(import("tiny"), image_);
}

TEST_F(Images, TheFileGoesWithTheRowWhenNothingLiesOnIt) {
  must(deregister(alice, image_));
  ASSERT_EQ(unneeded(), std::vector{image_});

  host_freed(image_);

  EXPECT_EQ(number("SELECT count(*) FROM image"), 0);
  EXPECT_EQ(number("SELECT count(*) FROM resource WHERE type = 'image'"), 0);
}

TEST_F(Images, TheFileStaysWhileAVolumeLiesOnIt) {
  const auto guest = running();
  must(deregister(alice, image_));
  observe_image("h1");

  EXPECT_EQ(state(guest), "running");
  EXPECT_EQ(*find(guest).image_id, image_.str());
  EXPECT_TRUE(unneeded().empty());

  ask(alice, [](Scope& scope) { return scope.tx.execute("DELETE FROM volume_attachment"); });
  for (const auto& volume : ask(alice, [](Scope& scope) { return storage::placed_volumes(scope.tx); })) {
    must(as(alice, [&](Scope& scope) { return storage::volumes::remove(scope, volume); }));
    must(as(alice, [&](Scope& scope) { return storage::volume_removed(scope, "h1", volume); }));
  }
  EXPECT_EQ(unneeded(), std::vector{image_});
}

TEST_F(Images, TheFileStaysWhileAnotherImageIsMadeOfIt) {
  const auto second = copy();
  must(deregister(alice, image_));
  EXPECT_TRUE(unneeded().empty());

  auto request = launch();
  request.image_id = second.str();
  EXPECT_TRUE(try_run(request)) << "the copy is launched from";

  must(deregister(alice, second));
  EXPECT_TRUE(unneeded().empty()) << "its volume is there";
  EXPECT_EQ(look(alice, second).error().code, Code::invalid_ami_id_not_found);
}

TEST_F(Images, OnlyItsOwnerDeregistersAPublicImage) {
  EXPECT_EQ(deregister(bob, image_).error().code, Code::auth_failure);

  const auto own = import("own");
  EXPECT_EQ(deregister(bob, own).error().code, Code::invalid_ami_id_not_found);
  EXPECT_TRUE(look(bob, image_));
}

TEST_F(Images, AFailedImageCanBeRemoved) {
  const auto id = import("bad");
  host_says(failed(id, "The image file is encrypted."));
  EXPECT_EQ(*must(look(alice, id)).at(0).state, "failed");

  must(deregister(alice, id));

  EXPECT_EQ(look(alice, id).error().code, Code::invalid_ami_id_not_found);
  EXPECT_EQ(number("SELECT count(*) FROM image"), 1);
}

TEST_F(Images, AnImportThatEndsAfterItsDeregistrationIsRemoved) {
  for (const auto* problem : {"", "The image file is encrypted."}) {
    const auto id = import("late");
    must(deregister(alice, id));
    host_says(failed(id, ""));
    EXPECT_TRUE(unneeded().empty()) << "it is still being imported";

    auto end = failed(id, problem);
    end.ready = end.problem.empty();
    host_says(end);

    EXPECT_EQ(unneeded(), std::vector{id});
    EXPECT_EQ(look(alice, id).error().code, Code::invalid_ami_id_not_found);
    host_freed(id);
  }
}

class Threat_H05_Api : public Images {};
TEST_F(Threat_H05_Api, AHostWithoutRoomTakesNothingNewAndLetsGoOfWhatThereIs) {
  const auto guest = running();
  // What a host reports whose disk others have filled: less than it has promised.
  ask(alice, [](Scope& scope) { return scope.tx.execute("UPDATE host SET storage_gib = 0"); });

  EXPECT_EQ(try_run(launch()).error().code, Code::insufficient_instance_capacity);
  const auto refused = as(alice, [](Scope& scope) {
    return storage::volumes::create(
        scope, {.shape = {1, "gp2", {}, {}}, .zone = std::string(zone), .host = {}, .image_bytes = {}});
  });
  EXPECT_EQ(refused.error().code, Code::insufficient_volume_capacity);
  const auto full = import("more");
  host_says(failed(full, std::string(storage::no_room_problem)));
  EXPECT_EQ(*must(look(alice, full)).at(0).state_reason->code, "Server.InsufficientVolumeCapacity");

  terminate(guest);
  EXPECT_EQ(state(guest), "shutting-down");
  EXPECT_TRUE(deregister(alice, full));
  EXPECT_TRUE(deregister(alice, image_));
}

}  // namespace
}  // namespace virga::api
