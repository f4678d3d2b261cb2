#pragma once

// CreateImage: an image of an instance, of one snapshot of each of its volumes.
//
// A running guest is shut down for it, unless NoReboot is given. Its state goes on being `running`; what is kept is
// only that it is held (instance.image_hold): its document says `stopped`, its snapshots wait. When the host says that
// the guest is off, under that document, they begin; when none is pending any more the hold ends and the guest is
// started again, by a new start number. All of it is rows: whoever stops or terminates the instance meanwhile changes
// its state as ever, and after a crash of this role the next round goes on.

#include <string>
#include <vector>

#include "core/scope.h"
#include "ec2/shape/BlockDeviceMapping.h"

namespace virga::api {

enum class Reboot { if_running, no };

struct CreateImageWish {
  InstanceId instance;
  std::string name;
  std::string description;
  Reboot reboot = Reboot::if_running;
  std::vector<ec2::BlockDeviceMapping> mappings;
  tags::Tags image_tags;
  tags::Tags snapshot_tags;
};

/// Errors: InvalidInstanceID.NotFound, IncorrectInstanceState, InvalidAMIName.*, those of merge_mappings and of
/// storage::snapshots::create.
Result<ImageId> create_image(Scope& scope, const CreateImageWish& wish);

/// After a look at a host: ends the holds that have no reason any more. `scope.account` is not used.
void end_holds(Scope& scope);

}  // namespace virga::api
