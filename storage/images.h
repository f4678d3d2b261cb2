#pragma once

// Images: what instances are launched from. The bytes are on hosts; a row says whose they are and what is known of
// them. Visible to an account: its own images and the public ones. To all others an image does not exist.
//
//   create_import -> pending --(the host has the bytes)--> available        register_copy -> available
//                       +-----(the host refuses them)----> failed
//
// deregister ends any of them. The file goes when no image and no volume lies on it: until then the row of the imported
// image stays, unseen, so that the host is told at the right time.

#include <optional>
#include <string>
#include <vector>

#include "core/scope.h"

namespace virga::storage {

enum class ImageState { pending, available, failed };
enum class Visibility { own, everyone };

struct Image {
  ImageId id;
  AccountId owner;
  std::string owner_name;
  std::string name;
  std::string description;
  bool is_public = false;
  ImageState state = ImageState::pending;
  std::string problem;
  std::string root_device;
  int root_gib = 0;
  std::string root_type;
  bool root_delete_on_termination = true;
  int min_memory_mib = 0;
  ImageId bytes;  ///< the imported image whose file it uses
  std::int64_t virtual_bytes = 0;
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

struct RegisterRequest {
  std::string name;
  std::string description;
  std::string source;  ///< an image's id, or "<owner account>/<name>"
  std::optional<std::string> root_device;
  std::optional<int> root_gib;
  std::optional<std::string> root_type;
  std::optional<bool> root_delete_on_termination;
};

namespace images {

/// The operator's way: a row in state pending; the host is then given the bytes (its observation ends `pending`).
/// Errors: InvalidAMIName.Malformed, InvalidAMIName.Duplicate, ResourceLimitExceeded.
Result<ImageId> create_import(Scope& scope, const ImportRequest& request);
/// A new image on the bytes of one that the caller sees.
/// Errors: as above, InvalidAMIID.NotFound, InvalidAMIID.Unavailable, InvalidBlockDeviceMapping (smaller than the
/// bytes).
Result<ImageId> register_copy(Scope& scope, const RegisterRequest& request);

/// Nothing is launched from it any more; instances that were go on. Its name is free at once, its file later (above).
/// Errors: InvalidAMIID.NotFound, AuthFailure (the public image of another account).
Result<void> deregister(Scope& scope, const ImageId& id);

/// Errors: InvalidAMIID.NotFound: unknown, or of another account and not public.
Result<Image> find(Scope& scope, const ImageId& id);
/// The same, and available. Errors: InvalidAMIID.Unavailable.
Result<Image> find_available(Scope& scope, const ImageId& id);
/// Everything visible, ascending by id, behind `after`.
std::vector<Image> list(Scope& scope, const std::string& after = {});

}  // namespace images
}  // namespace virga::storage
