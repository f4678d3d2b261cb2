#pragma once

// The thread that libvirt's events and keepalive messages run on. libvirt knows one event loop per process, which must
// run before the first connection is opened; it then stays until the process ends.

namespace virga::compute {

/// Registers libvirt's own loop implementation and starts its thread, once. Thread-safe.
/// Callbacks run on that thread; they must not call libvirt and must be quick.
void ensure_event_loop();

}  // namespace virga::compute
