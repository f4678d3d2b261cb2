#pragma once

// Images: what instances are launched from. A row says whose it is and which volumes a launch makes: the root volume on
// the bytes of an imported file, or on a snapshot; the others on snapshots, or empty. Visible to an account: its own
// images, the public ones, and those shared with it. To all others an image does not exist.
//
//   create_import -> pending --(the host has the bytes)-----> available        create -> available
//   create --------> pending --(its snapshots are completed)-+  |
//                       +-----(the host refuses, or a snapshot fails)----> failed
//
// deregister ends any of them. An imported file goes when no image and no volume lies on it: until then the row of the
// imported image stays, unseen, so that the host is told at the right time. Snapshots stay; they are the account's own.

#include <optional>
#include <string>
#include <vector>

#include "core/scope.h"
#include "storage/volumes.h"

namespace virga::storage {

enum class ImageState { pending, available, failed };
enum class Visibility { own, everyone };

/// A volume as launches make it, unless they say otherwise.
struct ImageMapping {
  std::string device;
  SnapshotId snapshot = {};  ///< what is in it; empty: the image's file (root device), or nothing
  int least_gib = 1;         ///< what is in it needs so much
  VolumeShape shape = {};    ///< iops and throughput as they were given, which not every type takes
  bool delete_on_termination = true;
};

/// What is said of an image without changing what guests get: virtio devices and a BIOS.
struct ImageClaims {
  bool ena_support = true;
  std::string sriov_net_support = {};     ///< "simple", or empty
  std::string boot_mode = "legacy-bios";  ///< or empty: nothing was said
};

struct Image {
  ImageId id;
  AccountId owner;
  std::string owner_name;
  std::string name;
  std::string description;
  bool is_public = false;
  bool provided = false;  ///< by the operator, for everybody
  ImageState state = ImageState::pending;
  std::string problem;
  std::string root_device;
  int min_memory_mib = 0;
  ImageId bytes;                       ///< the imported image whose file it uses; empty: its root is on a snapshot
  std::vector<ImageMapping> mappings;  ///< that of the root device first
  InstanceId source_instance;          ///< it was made of (CreateImage)
  std::string imds_support;            ///< "v2.0", or empty
  ImageClaims claims;
  std::optional<Time> deprecated;  ///< from then on lists leave it out
  std::optional<Time> launched;    ///< when an instance was last launched from it
  Time created;

  /// "<owner account>/<name>": EC2's imageLocation.
  std::string location() const { return owner.str() + "/" + name; }
};

struct ImportRequest {
  std::string name;
  std::string description;
  Visibility visibility = Visibility::own;
  int min_memory_mib = 96;
  std::string root_device = "/dev/sda1";
};

/// An image on what there is already. The mappings are checked (api/workflows/block_devices.h), the root device's
/// first.
struct NewImage {
  ImageId id = {};  ///< registered by the caller (scope.create_resource); empty: that is done here
  std::string name;
  std::string description;
  std::string root_device;
  ImageId bytes_of = {};  ///< its file is that of this image; empty: the root mapping names a snapshot
  std::vector<ImageMapping> mappings;
  int min_memory_mib = ImportRequest{}.min_memory_mib;
  InstanceId source_instance = {};
  std::string imds_support = {};
  ImageClaims claims = {};
};

namespace images {

/// The operator's way: a row in state pending; the host is then given the bytes (its observation ends `pending`).
/// Errors: InvalidAMIName.Malformed, InvalidAMIName.Duplicate, ResourceLimitExceeded.
Result<ImageId> create_import(Scope& scope, const ImportRequest& request);
/// Pending while any of its snapshots is. Errors: as above, InvalidParameterValue (the root device's name).
Result<ImageId> create(Scope& scope, const NewImage& image);

/// Nothing is launched from it any more; instances that were go on. Its name is free at once, its file later (above).
/// Errors: InvalidAMIID.NotFound, AuthFailure (of another account).
Result<void> deregister(Scope& scope, const ImageId& id);

/// Errors: InvalidAMIID.NotFound: unknown, or of another account that does not let this one see it.
Result<Image> find(Scope& scope, const ImageId& id);
/// The same, and available. Errors: InvalidAMIID.Unavailable.
Result<Image> find_available(Scope& scope, const ImageId& id);
/// The same, and the account's own. Errors: InvalidAMIID.NotFound, AuthFailure.
Result<Image> find_own(Scope& scope, const ImageId& id);
/// By id, or as "<owner account>/<name>"; available. Errors: InvalidAMIID.NotFound, InvalidAMIID.Unavailable.
Result<Image> find_source(Scope& scope, const std::string& source);
/// Everything visible, ascending by id, behind `after`.
std::vector<Image> list(Scope& scope, const std::string& after = {});
/// How much memory a guest with this image needs; what images need by default if the image is gone.
int min_memory_mib(Scope& scope, const ImageId& id);

/// The size an image of that many bytes takes.
int gib_of(std::int64_t bytes);

}  // namespace images
}  // namespace virga::storage
