#pragma once

namespace virga::hostapi {

/// Carries bytes both ways between two sockets until both directions have ended, one of them fails, or `stop` becomes
/// readable. The end of one direction is passed on (shutdown). Closes neither.
void relay(int a, int b, int stop);

}  // namespace virga::hostapi
