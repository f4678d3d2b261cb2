#pragma once

// What both roles do as processes: logging, directories, privileges, the wait for the signal to end.

#include <filesystem>
#include <string>

#include "core/config.h"
#include "core/result.h"

namespace virga::daemon {

/// Logs to standard error: the journal's under systemd, a file's under scripts/up.
void set_up_log(const Config& config);

/// Creates the directory (and its parents, 0755) with exactly this mode; when this process is root, owned by `user`.
Result<void> make_directory(const std::filesystem::path& path, unsigned mode, const std::string& user = "root");

/// The user's id; errors when there is none of that name.
Result<unsigned> uid_of(const std::string& user);
Result<unsigned> gid_of(const std::string& user);

/// As root: becomes the user for good, without supplementary groups, capabilities or a way back. Otherwise nothing.
Result<void> drop_privileges(const std::string& user);

/// Blocks SIGTERM and SIGINT for all threads started later; call first. SIGPIPE is ignored.
void block_signals();
/// Waits for one of the blocked signals.
void wait_for_end();

/// Prints why a role could not start; returns exit code 1.
int refuse(const Error& error);

}  // namespace virga::daemon
