#pragma once

// Where Virga keeps things, and what the operator may set.
//
// Without VIRGA_HOME: state in /var/lib/virga, sockets in /run/virga, configuration in /etc/virga/virga.toml.
// With VIRGA_HOME=DIR all of it lives under DIR (DIR/state, DIR/run, DIR/virga.toml), so that several installations
// share a machine without meeting; each has its own `realm`, part of every name it gives to a kernel object.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/result.h"

namespace virga {

struct Paths {
  std::filesystem::path state;   ///< /var/lib/virga
  std::filesystem::path run;     ///< /run/virga
  std::filesystem::path config;  ///< /etc/virga/virga.toml

  std::filesystem::path control_state() const { return state / "control"; }  ///< owned by the control role's user
  std::filesystem::path database() const { return control_state() / "virga.db"; }
  std::filesystem::path master_key() const { return control_state() / "master.key"; }
  std::filesystem::path host_state() const { return state / "host"; }  ///< root only
  std::filesystem::path host_socket() const { return run / "host" / "host.sock"; }
  std::filesystem::path admin_socket() const { return run / "control" / "admin.sock"; }
  /// From VIRGA_HOME and the defaults above.
  static Paths from_environment();
};

enum class Accelerator { automatic, kvm, tcg };

/// Every key of virga.toml; docs/configuration.md explains them, and a test compares the two lists.
struct Config {
  // [api]
  std::string listen_address = "127.0.0.1";
  std::uint16_t listen_port = 8773;
  std::string public_endpoint;  ///< what `virga env` prints; empty: http://listen_address:listen_port
  int max_connections = 4096;
  int max_connections_per_source = 4096;
  std::int64_t max_body_bytes = 1 << 20;
  int api_threads = 4;
  // [region]
  std::string region = "us-east-1";
  std::vector<std::string> zones = {"a", "b", "c"};  ///< suffixes; the zone is region + suffix
  // [network]
  std::vector<std::string> public_cidrs = {"198.18.0.0/15"};  ///< blocks of public addresses
  // [control]
  std::string control_user = "virga";  ///< who may speak to the host role, besides root
  // [host]
  std::string host_name;  ///< empty: this machine's host name
  std::string realm;      ///< four hex digits; empty: "0000", or, with VIRGA_HOME, derived from its path
  double vcpu_overcommit = 8.0;
  double memory_overcommit = 1.0;
  std::int64_t reserved_memory_mib = 512;  ///< never promised to guests
  std::int64_t reserved_storage_gib = 1;   ///< stays free on the disk of volumes and images; at least this ...
  double reserved_storage_percent = 5.0;   ///< ... and at least this part of it
  std::string dns_upstream;                ///< reserved name servers for guests; empty: only names of the VPC resolve
  // [compute]
  std::string libvirt_uri = "qemu:///system";
  Accelerator accelerator = Accelerator::automatic;
  std::string disk_cache = "none";  ///< none | directsync | writeback | unsafe (libvirt's words)
  int pci_ports = 36;               ///< hot-plug slots of a guest: volumes and network interfaces
  // [log]
  std::string log_level = "info";

  /// The file's settings over the defaults; a missing file means the defaults. Unknown keys and values of a wrong type
  /// are errors that name the key and the line.
  static Result<Config> load(const Paths& paths);
  std::vector<std::string> zone_names() const;
  std::string endpoint() const;
};

}  // namespace virga
