#pragma once

// Names of kernel objects: two letters, the installation's realm (four hex digits) and the object's number. An orphan
// is recognised by its name, and installations that share a machine do not meet.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace virga::network {

class Names {
 public:
  /// `realm`: four lower-case hex digits.
  explicit Names(std::string realm) : realm_(std::move(realm)) {}

  std::string name_space(std::uint32_t vpc) const;  ///< vg-<realm>-<number>, under /run/netns
  std::string bridge(std::uint32_t subnet) const;   ///< vb<realm><number>
  std::string tap(std::uint32_t interface) const;   ///< vt<realm><number>
  std::string edge() const;                         ///< vg-<realm>-edge: the namespace all ways out meet in
  std::string way_out(std::uint32_t vpc) const;     ///< ve<realm><number>: the edge's end of a VPC's way out
  std::string uplink() const;                       ///< vr<realm>00000000: the host's end of the edge's way out
  /// Prefix of all namespaces, bridges, taps of this installation.
  std::string name_space_prefix() const { return "vg-" + realm_ + "-"; }
  std::string bridge_prefix() const { return "vb" + realm_; }
  std::string tap_prefix() const { return "vt" + realm_; }
  std::string way_out_prefix() const { return "ve" + realm_; }
  /// The number in the name of a VPC's way out, if it is one of ours.
  std::optional<std::uint32_t> vpc_of_way_out(std::string_view link) const;
  /// The number in a namespace's name, if it is one of ours.
  std::optional<std::uint32_t> vpc_of(std::string_view name_space) const;
  const std::string& realm() const { return realm_; }

 private:
  std::string realm_;
};

}  // namespace virga::network
