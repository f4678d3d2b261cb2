#pragma once

// The edge: one namespace per installation and host in which the ways out of all VPCs meet, between them and the host.
//
//   host ── vr<realm>00000000 ═ up ── edge ── ve<realm><vpc> ═ ext ── the VPC's namespace
//
// Outside a VPC only its public addresses exist: the edge has a route for each of them to its VPC, and the host has one
// to the edge; what comes from a VPC under another address is dropped. Nothing is remembered here: the host's routes
// follow from the edge's, and the edge exists as long as a VPC has a way out. Links are made in pairs, both ends at
// once, and a pair that lost an end is made again.
//
// An address may move between VPCs, and the one that loses it may be told later, or be unable to follow. So what a VPC
// loses goes before anything else of it is done, and an address that several have leads where it was opened last.
//
// Thread-safe. Called from threads in the host's own namespace.

#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "core/unique_fd.h"
#include "network/host/netlink.h"

namespace virga::network {

class Edge {
 public:
  /// The calling thread's namespace is the host's.
  static Result<std::unique_ptr<Edge>> create(Names names);

  /// Makes the VPC's way out, for a VPC that has addresses; its namespace exists. No packet passes before open(), and
  /// none any more for addresses that the VPC has no longer.
  Result<void> attach(const VpcLayout& layout);
  /// Lets packets for the VPC's addresses, and no others, through; after its rules are loaded.
  Result<void> open(const VpcLayout& layout);
  /// Removes the VPC's way out, and with the last one the edge. Success if there is none.
  Result<void> release(std::uint32_t vpc);
  /// Removes the ways out of all other VPCs; returns the names of what it removed.
  Result<std::vector<std::string>> remove_others(const std::set<std::uint32_t>& vpcs);

 private:
  Edge(Names names, UniqueFd host) : names_(std::move(names)), host_(std::move(host)) {}
  /// The namespace and its way to the host.
  Result<void> make();
  /// Switches and rules, in the edge's namespace: before it has links.
  Result<void> load_rules();
  /// Removes the edge's routes to the VPC for all but its addresses.
  Result<void> withdraw_others(Netlink& edge, const VpcLayout& layout);
  /// The edge's routes to the VPC, preferred to those of other VPCs that have the same addresses.
  Result<std::set<RouteLayout>> routes_to(Netlink& edge, const VpcLayout& layout);
  /// Removes ways out; then the edge if it has none left.
  Result<void> remove(const std::vector<std::string>& ways_out);
  /// The host's routes: one for each address that the edge leads to a VPC.
  Result<void> converge_host(Netlink& edge);

  const Names names_;
  const UniqueFd host_;  ///< the host's namespace
  std::mutex mutex_;
  std::string listing_;  ///< of the rules, right after they were loaded
};

}  // namespace virga::network
