#include "core/command_runner.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "core/unique_fd.h"

namespace virga {
namespace {

using std::chrono::milliseconds;

CommandResult run(Command command) {
  SystemCommandRunner runner;
  auto result = runner.run(command);
  EXPECT_TRUE(result.has_value()) << (result ? "" : describe(result.error()));
  return result ? *result : CommandResult{};
}

TEST(SystemCommandRunner, CollectsOutputsAndExitCode) {
  const auto result = run({.argv = {"sh", "-c", "echo out; echo err >&2; exit 3"}});

  EXPECT_EQ(result.standard_output, "out\n");
  EXPECT_EQ(result.standard_error, "err\n");
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_FALSE(result.ok());
}

TEST(SystemCommandRunner, PassesArgumentsUnchanged) {
  const auto result = run({.argv = {"printf", "%s|", "a b", "$HOME", "`id`", "-x", "", "*"}});

  EXPECT_EQ(result.standard_output, "a b|$HOME|`id`|-x||*|");
}

TEST(SystemCommandRunner, FeedsStandardInput) {
  const std::string input(300'000, 'x');

  EXPECT_EQ(run({.argv = {"wc", "-c"}, .standard_input = input}).standard_output, "300000\n");
}

TEST(SystemCommandRunner, EndsWellWhenTheChildDoesNotReadItsInput) {
  EXPECT_TRUE(run({.argv = {"true"}, .standard_input = std::string(1 << 20, 'x')}).ok());
}

TEST(SystemCommandRunner, CutsLongOutputAndDoesNotBlockTheChild) {
  const auto result = run({.argv = {"head", "-c", "5000000", "/dev/zero"}});

  EXPECT_TRUE(result.ok());
  EXPECT_EQ(result.standard_output.size(), CommandRunner::max_output_bytes);
}

TEST(SystemCommandRunner, GivesTheChildItsOwnEnvironmentOnly) {
  ::setenv("VIRGA_TEST_SECRET", "leak", 1);

  const auto result = run({.argv = {"env"}});

  EXPECT_NE(result.standard_output.find("LC_ALL=C\n"), std::string::npos);
  EXPECT_NE(result.standard_output.find("PATH=/usr/local/sbin:"), std::string::npos);
  EXPECT_EQ(std::count(result.standard_output.begin(), result.standard_output.end(), '\n'), 2);
}

TEST(SystemCommandRunner, ClosesAllOtherDescriptors) {
  constexpr int inherited = 100;
  ASSERT_EQ(::dup2(0, inherited), inherited);  // without O_CLOEXEC, on purpose

  const auto result =
      run({.argv = {"sh", "-c", "cd /proc/self/fd && for fd in 0 1 2 100; do [ -e $fd ] && echo $fd; done"}});

  ::close(inherited);
  EXPECT_EQ(result.standard_output, "0\n1\n2\n");
}

TEST(SystemCommandRunner, WorksInAProcessWithoutStandardDescriptors) {
  std::array<UniqueFd, 3> kept;
  for (int fd = 0; fd < 3; ++fd) kept[static_cast<std::size_t>(fd)] = UniqueFd(::fcntl(fd, F_DUPFD_CLOEXEC, 10));
  for (int fd = 0; fd < 3; ++fd) ::close(fd);

  SystemCommandRunner runner;
  const auto result = runner.run({.argv = {"sh", "-c", "cat; echo err >&2"}, .standard_input = "in"});

  for (int fd = 0; fd < 3; ++fd) ::dup2(kept[static_cast<std::size_t>(fd)].get(), fd);
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->standard_output, "in");
  EXPECT_EQ(result->standard_error, "err\n");
}

TEST(SystemCommandRunner, StartsItsOwnSessionWithAStrictUmask) {
  const auto result =
      run({.argv = {"sh", "-c", "umask; read -r _ _ _ _ _ session _ < /proc/self/stat; echo $$ $session"}});

  EXPECT_EQ(result.standard_output.substr(0, 5), "0077\n");
  const auto ids = result.standard_output.substr(5);
  EXPECT_EQ(ids.substr(0, ids.find(' ')) + "\n", ids.substr(ids.find(' ') + 1));
}

TEST(SystemCommandRunner, KillsAGroupThatIgnoresTermAtTheTimeout) {
  const auto result =
      run({.argv = {"sh", "-c", "trap '' TERM INT HUP; cat /dev/zero >/dev/null & echo $!; wait; while :; do :; done"},
           .timeout = milliseconds(300)});

  EXPECT_TRUE(result.timed_out);
  EXPECT_FALSE(result.ok());
  EXPECT_EQ(result.exit_code, 128 + 9);
}

TEST(SystemCommandRunner, DoesNotWaitForADaemonThatKeepsTheOutputOpen) {
  // The background process keeps standard output and error of the first one open for two seconds.
  const auto result =
      run({.argv = {"sh", "-c", "setsid timeout 2 yes >/dev/null & echo started"}, .timeout = milliseconds(20'000)});

  EXPECT_TRUE(result.ok());
  EXPECT_EQ(result.standard_output, "started\n");
}

TEST(SystemCommandRunner, ReportsTheSignalThatKilledTheChild) {
  EXPECT_EQ(run({.argv = {"sh", "-c", "kill -SEGV $$"}}).exit_code, 128 + 11);
}

TEST(SystemCommandRunner, RefusesWhatItCannotStart) {
  SystemCommandRunner runner;

  for (const auto* program : {"no-such-program", "/no/such/program", "", "./relative", "/etc/passwd", "/usr"}) {
    const auto result = runner.run({.argv = {program}});
    ASSERT_FALSE(result.has_value()) << program;
    EXPECT_EQ(result.error().code, Code::internal);
  }
  EXPECT_FALSE(runner.run({}).has_value());
  EXPECT_FALSE(runner.run({.argv = {"echo", std::string("a\0b", 3)}}).has_value());
}

TEST(SystemCommandRunner, ReportsAFailingExec) {
  char path[] = "/tmp/virga-exec-XXXXXX";
  UniqueFd script(::mkstemp(path));
  ASSERT_EQ(::write(script.get(), "#!/no/such/interpreter\n", 23), 23);
  ::fchmod(script.get(), 0700);
  script.reset();
  SystemCommandRunner runner;

  const auto result = runner.run({.argv = {path}});

  ::unlink(path);
  ASSERT_FALSE(result.has_value());
  EXPECT_NE(result.error().context.find("No such file"), std::string::npos) << result.error().context;
}

TEST(Threat_E03, CommandLimitsHold) {
  const auto limits = run({.argv = {"sh", "-c", "ulimit -v; ulimit -t; ulimit -c"},
                           .max_address_space_bytes = 256 << 20,
                           .max_cpu_seconds = 7});
  EXPECT_EQ(limits.standard_output, "262144\n7\n0\n");

  char path[] = "/tmp/virga-size-XXXXXX";
  const UniqueFd file(::mkstemp(path));
  const auto too_big =
      run({.argv = {"dd", "if=/dev/zero", std::string("of=") + path, "bs=64k", "count=64"}, .max_file_bytes = 100'000});
  EXPECT_EQ(too_big.exit_code, 128 + 25);
  EXPECT_LE(::lseek(file.get(), 0, SEEK_END), 100'000);
  ::unlink(path);
}

TEST(CommandRunner, RunOkShowsProgramAndStandardError) {
  SystemCommandRunner runner;

  const auto failed = runner.run_ok({.argv = {"sh", "-c", "head -c 9000 /dev/zero | tr '\\0' e >&2; exit 2"}});

  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().context.substr(0, 18), "sh: exit code 2: e");
  EXPECT_LT(failed.error().context.size(), 4200U);
  EXPECT_TRUE(runner.run_ok({.argv = {"true"}}).has_value());
}

TEST(Threat_H02, CommandsAreNeverShellLines) {
  SystemCommandRunner runner;

  EXPECT_FALSE(runner.run({.argv = {"echo hello; id"}}).has_value());
}

}  // namespace
}  // namespace virga
