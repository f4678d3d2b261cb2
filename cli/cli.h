#pragma once

// The command line: `virga <noun> <verb>`. Everything an operator does goes over the control role's admin socket or the
// host role's socket; nothing here opens the database. Exit codes: 0 done, 1 refused or failed, 2 wrong usage.

#include <functional>
#include <string>

namespace virga::cli {

/// What only the program itself can provide: its two roles, and the pages about its action table and its error codes.
struct Roles {
  std::function<int()> control;
  std::function<int(bool simulate)> host;
  std::function<std::string()> coverage;
  std::function<std::string()> error_codes;
};

int run(int argc, char** argv, const Roles& roles);

}  // namespace virga::cli
