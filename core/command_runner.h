#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "core/result.h"

namespace virga {

/// What to run: an argument vector, never a shell line. argv[0] is looked up in PATH.
struct Command {
  std::vector<std::string> argv;
  std::string standard_input = {};
  std::chrono::milliseconds timeout{30'000};
  /// Resource limits of the child; 0: none.
  std::uint64_t max_address_space_bytes = 0;
  std::uint64_t max_cpu_seconds = 0;
  std::uint64_t max_file_bytes = 0;
};

/// How a child ended. Outputs are cut at `max_output_bytes`.
struct CommandResult {
  int exit_code = 0;  ///< 128 + signal when it was killed
  std::string standard_output;
  std::string standard_error;
  bool timed_out = false;
  bool ok() const { return exit_code == 0 && !timed_out; }
};

/// Port: child processes. The real one passes an empty environment but PATH and LC_ALL=C, closes all other descriptors,
/// puts the child in its own session and kills the whole group at the timeout.
class CommandRunner {
 public:
  static constexpr std::size_t max_output_bytes = 64 << 10;
  virtual ~CommandRunner() = default;
  /// Errors only when the child could not be started; its failure is in the result.
  virtual Result<CommandResult> run(const Command& command) = 0;
  /// run(), and an error with argv[0] and the first 4 KiB of standard error in its context unless it exited with 0.
  Result<CommandResult> run_ok(const Command& command);
};

class SystemCommandRunner final : public CommandRunner {
 public:
  Result<CommandResult> run(const Command& command) override;
};

}  // namespace virga
