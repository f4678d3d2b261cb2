#pragma once

// What the metadata service has to tell, as a tree of names: the part of a path below the version
// ("/latest/meta-data/instance-id" is meta-data -> instance-id). Pure.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compute/wanted.h"

namespace virga::compute {

/// A leaf with a value, or a directory.
struct MetadataNode {
  std::string name;                    ///< its path segment
  std::string label;                   ///< what the listing of its parent shows; empty: name, with "/" for a directory
  std::optional<std::string> value;    ///< leaves only
  std::vector<MetadataNode> children;  ///< directories only, ordered by name

  /// What a GET of a directory answers: one name a line, no newline at the end.
  std::string listing() const;
};

/// Dates of the metadata versions, oldest first, and "latest": all of them serve the same tree.
const std::vector<std::string_view>& metadata_versions();

/// The tree of one instance. Its user data is a leaf only if it has any.
MetadataNode metadata_tree(const WantedInstance& instance);

/// The answer to a path below the version, without its leading slash ("meta-data/" is the same as "meta-data"; a leaf's
/// path has no slash at its end). Nothing if there is nothing of that name.
std::optional<std::string> look_up(const MetadataNode& root, std::string_view path);

}  // namespace virga::compute
