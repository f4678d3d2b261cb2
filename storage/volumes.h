#pragma once

// Volumes and their attachments.
//
//   volume:      creating -> available <-> in-use -> available -> deleting -> (gone)        error: it cannot be made
//   attachment:  attaching -> attached -> detaching -> (gone)          in-use: the volume has an attachment
//
// A volume is placed on a host of its zone when it is created and stays there. Its size is counted against that host's
// storage and the account's quota until the host has freed it.

#include <optional>
#include <string>
#include <vector>

#include "core/scope.h"

namespace virga::storage {

enum class VolumeState { creating, available, deleting, error };

enum class AttachmentState { attaching, attached, detaching };
std::string_view to_string(AttachmentState state);
AttachmentState parse_attachment_state(std::string_view text);

struct Attachment {
  VolumeId volume;
  InstanceId instance;
  std::string device;
  int slot = 0;
  bool root = false;
  bool delete_on_termination = false;
  AttachmentState state = AttachmentState::attaching;
  Time attached;
};

/// Size, type and performance are those from before a modification that is under way (see modifications.h).
struct Volume {
  VolumeId id;
  std::uint32_t number = 0;
  AccountId account;
  std::string zone;
  std::string host;
  int size_gib = 0;
  std::string type;
  std::optional<int> iops;
  std::optional<int> throughput;
  ImageId image;
  SnapshotId snapshot;  ///< what it was made from; that may be gone
  VolumeState state = VolumeState::creating;
  std::string problem;  ///< why its host cannot make it, or no longer has it; empty: nothing is known to be wrong
  Time created;
  std::optional<Attachment> attachment;

  /// EC2's word for its state: "in-use" while attached.
  std::string_view wire_state() const;
};

/// Type, size and performance of a volume, checked and completed.
struct VolumeShape {
  int size_gib = 0;
  std::string type;
  std::optional<int> iops;
  std::optional<int> throughput;
};
/// EC2's rules: sizes per type, which types take Iops and Throughput, their bounds and defaults. Type empty: gp2.
/// Errors: InvalidParameterValue, InvalidParameterCombination, MissingParameter.
Result<VolumeShape> check_shape(VolumeShape wish);

namespace volumes {

struct CreateRequest {
  VolumeShape shape;
  std::string zone;
  std::optional<std::string> host;  ///< else the host of the zone with the most free storage
  ImageId image_bytes = {};         ///< what it lies on: at most one of the two; none: an empty volume
  SnapshotId snapshot = {};         ///< completed, and on the host that is named
};
/// Charges quota and the host's storage. Errors: VolumeLimitExceeded, MaxStorageExceeded, InsufficientVolumeCapacity.
Result<Volume> create(Scope& scope, const CreateRequest& request);
/// Errors: InvalidVolume.NotFound.
Result<Volume> find(Scope& scope, const VolumeId& id);
std::vector<Volume> list(Scope& scope, const std::string& after = {});
/// Errors: InvalidVolume.NotFound, VolumeInUse. A volume already being deleted: success.
Result<void> remove(Scope& scope, const VolumeId& id);

}  // namespace volumes

namespace attachments {

struct AttachRequest {
  VolumeId volume;
  InstanceId instance;
  std::string device;
  bool root = false;
  bool delete_on_termination = false;
  AttachmentState state = AttachmentState::attaching;
};
/// Writes the row and finds the slot (root: 0; else the lowest free of 1-25). The caller has checked volume and
/// instance. Errors: InvalidParameterValue (device in use), AttachmentLimitExceeded.
Result<Attachment> attach(Scope& scope, const AttachRequest& request);
/// To detaching; the host's word ends it.
void begin_detach(Scope& scope, const Attachment& attachment);
/// The guest no longer has it (or there is no guest): the row goes, the volume is available again.
void end(Scope& scope, const Attachment& attachment);
/// attaching -> attached.
void completed(Scope& scope, const Attachment& attachment);
/// Whether the volume is deleted with its instance.
void set_delete_on_termination(Scope& scope, const Attachment& attachment, bool delete_on_termination);
/// Why guest or host refuses it, for the operator; empty: no problem.
void note_problem(Scope& scope, const Attachment& attachment, const std::string& problem);

/// Those of one instance, by slot.
std::vector<Attachment> of_instance(Scope& scope, const InstanceId& instance);
/// All of the account, by instance and slot.
std::vector<Attachment> list(Scope& scope);

}  // namespace attachments

/// Whether EC2 knows the name for a data volume: /dev/sd[b-z], /dev/sd[b-z][1-15], /dev/xvd[b-z], /dev/xvd[a-d][a-z].
Result<void> check_data_device(std::string_view device);

}  // namespace virga::storage
