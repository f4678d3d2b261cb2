#pragma once

namespace virga::daemon {

/// Runs the control role until SIGTERM or SIGINT; the exit code.
int run_control();
enum class HostKind { real, simulated };
/// Runs the host role until SIGTERM or SIGINT; the exit code. Guests go on without it.
int run_host(HostKind kind);

}  // namespace virga::daemon
