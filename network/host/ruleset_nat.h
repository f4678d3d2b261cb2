#pragma once

// The part of a VPC's rules that is about its public addresses, and the rules of the edge, where all VPCs' ways out
// meet.
//
// The translation is one to one and both ways. The kernel translates a connection as it did when the connection began;
// so `gateway` looks at every packet's pair of addresses, and a public address that was taken away or given to another
// is dead at once for the connections of before.

#include "network/host/ruleset_writer.h"

namespace virga::network {

/// For a VPC with a way out: the table that translates, and the chain that decides what crosses the border.
void write_translation(ruleset::Writer& out, const VpcLayout& layout);

/// The rules of the edge's namespace. Guests reach each other's public addresses through it, and the host reaches them;
/// what guests begin themselves ends there, but for the echo requests that show an address at work: the host's services
/// are none of theirs.
Ruleset edge_ruleset(const std::string& uplink, const std::string& way_out_prefix);

}  // namespace virga::network
