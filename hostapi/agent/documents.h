#pragma once

// The wanted documents on the host's own disk: what the control role last said, over restarts and without it.
//
// One file per object, <directory>/<kind>/<id>.json, replaced as a whole. Invariants:
// - a document is on the disk before its put is answered; an older or equal generation changes nothing;
// - a removal is a mark in the file (a tombstone) and the document stays with it, because it says what there is to take
//   down. The file goes with forget(), once the object is gone. A put newer than a tombstone takes it back;
// - a file that cannot be read is `damaged`: the object is neither wanted nor unwanted, and nothing of it is touched. A
//   put of any generation replaces it, and so does a removal. What is put in its place counts as made.
// Thread-safe.

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "compute/wanted.h"
#include "core/result.h"
#include "core/scope.h"
#include "network/wanted.h"
#include "storage/wanted.h"

namespace virga::hostapi {

template <class T>
struct Entry {
  T wanted;
  bool removed = false;  ///< tombstone
  bool made = false;     ///< it existed once: what is missing now was lost, and is not made anew (volumes, snapshots)
  bool remnant = false;  ///< a tombstone of a damaged document: nothing but the id is known
};

template <class IdType, class T>
using Entries = std::map<IdType, std::shared_ptr<const Entry<T>>>;  // shared between successive states

/// One state of all documents.
struct WantedState {
  Entries<VpcId, network::WantedVpc> vpcs;
  Entries<VolumeId, storage::WantedVolume> volumes;
  Entries<SnapshotId, storage::WantedSnapshot> snapshots;
  Entries<InstanceId, compute::WantedInstance> instances;
  std::map<std::string, std::string> damaged;  ///< id -> why
  /// In this run the control role has confirmed that there is a document of everything it wants here. Until then, that
  /// an object has none says nothing about it: the documents may have been lost.
  bool confirmed = false;

  bool is_damaged(const std::string& id) const { return damaged.contains(id); }
};

enum class PutEffect { taken, unchanged };

class Documents {
 public:
  static Result<std::unique_ptr<Documents>> open(std::filesystem::path directory);

  Result<PutEffect> put(const network::WantedVpc& vpc);
  Result<PutEffect> put(const storage::WantedVolume& volume);
  Result<PutEffect> put(const storage::WantedSnapshot& snapshot);
  Result<PutEffect> put(const compute::WantedInstance& instance);
  /// Marks the object as unwanted; nothing happens to one that has no document.
  Result<PutEffect> remove(DocumentKind kind, const std::string& id);
  /// See WantedState::confirmed. Errors: IncorrectState when a named object has no document, or one that is removed.
  Result<void> confirm(const std::vector<InstanceId>& instances, const std::vector<VpcId>& vpcs);
  /// It exists now.
  Result<void> mark_made(const VolumeId& id);
  Result<void> mark_made(const SnapshotId& id);
  /// The object is gone: so is its tombstone. A document that has been put again meanwhile stays.
  Result<void> forget(DocumentKind kind, const std::string& id);

  /// What is wanted now; unchanged by later calls.
  std::shared_ptr<const WantedState> current() const;

 private:
  explicit Documents(std::filesystem::path directory);
  Result<void> load();
  template <class IdType, class T>
  Result<void> load_kind(DocumentKind kind, Entries<IdType, T>& entries, std::map<std::string, std::string>& damaged);
  template <class IdType, class T>
  Result<PutEffect> put_entry(DocumentKind kind, Entries<IdType, T> WantedState::*member, const T& wanted);
  template <class IdType, class T>
  Result<PutEffect> remove_entry(DocumentKind kind, Entries<IdType, T> WantedState::*member, const IdType& id);
  template <class IdType, class T>
  Result<void> forget_entry(DocumentKind kind, Entries<IdType, T> WantedState::*member, const IdType& id);
  template <class IdType, class T>
  Result<void> mark_entry_made(DocumentKind kind, Entries<IdType, T> WantedState::*member, const IdType& id);
  /// Writes the entry (nullptr: removes it), then makes it part of the current state.
  template <class IdType, class T>
  Result<void> write(DocumentKind kind, Entries<IdType, T> WantedState::*member, const IdType& id,
                     std::shared_ptr<const Entry<T>> entry);
  std::filesystem::path file_of(DocumentKind kind, const std::string& id) const;

  const std::filesystem::path directory_;
  std::mutex write_mutex_;  ///< held while a file is written
  mutable std::mutex state_mutex_;
  std::shared_ptr<const WantedState> state_;  // shared: readers keep the state they began with
};

}  // namespace virga::hostapi
