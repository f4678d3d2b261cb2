#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>

#include "cli/admin_client.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/terminal_filter.h"
#include "hostapi/client/client.h"

namespace virga::cli {

namespace {

constexpr char leave_console = 0x1d;  // Ctrl-]

/// The terminal passes every key through while this lives.
class RawTerminal {
 public:
  RawTerminal() {
    if (tcgetattr(STDIN_FILENO, &before_) != 0) return;
    termios raw = before_;
    cfmakeraw(&raw);
    active_ = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
  }
  ~RawTerminal() {
    if (active_) tcsetattr(STDIN_FILENO, TCSANOW, &before_);
  }
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;

 private:
  termios before_{};
  bool active_ = false;
};

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

struct PumpOptions {
  bool filter_output = false;  ///< the output goes to a terminal
  bool leave_on_key = false;
};

/// Copies standard input to `fd` and `fd` to standard output until the far end closes, or the key to leave is typed.
/// The end of standard input is passed on, and what still comes is copied.
int pump(int fd, const PumpOptions& options) {
  TerminalFilter filter;
  std::array<char, 16384> buffer{};
  std::array<pollfd, 2> polled{{{STDIN_FILENO, POLLIN, 0}, {fd, POLLIN, 0}}};
  while (true) {
    if (poll(polled.data(), polled.size(), -1) < 0 && errno != EINTR) return 1;
    if (polled[0].revents != 0) {
      const auto got = read(STDIN_FILENO, buffer.data(), buffer.size());
      const std::string_view typed(buffer.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
      if (options.leave_on_key && typed.find(leave_console) != std::string_view::npos) return 0;
      if (typed.empty()) {
        shutdown(fd, SHUT_WR);
        polled[0].fd = -1;
      } else if (!write_all(fd, typed)) {
        return 1;
      }
    }
    if (polled[1].revents != 0) {
      const auto got = read(fd, buffer.data(), buffer.size());
      if (got <= 0) return 0;
      const std::string_view received(buffer.data(), static_cast<std::size_t>(got));
      if (!write_all(STDOUT_FILENO, options.filter_output ? filter.filter(received) : received)) return 1;
    }
  }
}

int run_console(const Context& context, const std::string& text) {
  const auto id = InstanceId::parse(text);
  if (!id) return failed(id.error());
  const auto host = hostapi::make_unix_client(context.paths.host_socket());
  const auto serial = host->open_serial(*id);
  if (!serial) return failed(serial.error());
  const bool terminal = isatty(STDIN_FILENO) != 0;
  if (terminal) fmt::print(stderr, "Connected to {}. Leave with Ctrl-].\r\n", id->str());
  const RawTerminal raw;
  return pump(serial->get(), {.filter_output = isatty(STDOUT_FILENO) != 0, .leave_on_key = terminal});
}

int run_proxy(const Context& context, const std::string& vpc_text, const std::string& address, std::uint16_t port) {
  const auto vpc = VpcId::parse(vpc_text);
  if (!vpc) return failed(vpc.error());
  const auto host = hostapi::make_unix_client(context.paths.host_socket());
  const auto stream = host->connect_vpc(*vpc, address, port);
  if (!stream) return failed(stream.error());
  return pump(stream->get(), {});
}

struct SshOptions {
  std::string instance;
  std::string user = "root";
  std::string identity;
  std::vector<std::string> command;
};

/// Replaces this process by ssh, whose connection goes through `virga proxy` into the VPC's namespace.
int run_ssh(const Context& context, const SshOptions& options) {
  const auto id = InstanceId::parse(options.instance);
  if (!id) return failed(id.error());
  const auto place = AdminClient(context.paths).get("/admin/v1/instances/" + id->str());
  if (!place) return failed(place.error());
  if (const auto state = place->value("state", "running"); state != "running")
    return failed({Code::incorrect_instance_state, fmt::format("The instance {} is {}, not running.", id->str(), state), {}});
  const auto known_hosts = (context.paths.state / "credentials" / "known_hosts").string();
  const auto self = std::filesystem::read_symlink("/proc/self/exe").string();
  std::vector<std::string> argv = {
      "ssh", "-o", fmt::format("ProxyCommand={} proxy {} {} 22", self, place->value("vpc", ""), place->value("private_ip", "")),
      "-o", "HostKeyAlias=" + id->str(), "-o", "UserKnownHostsFile=" + known_hosts,
      "-o", "StrictHostKeyChecking=accept-new", "-l", options.user};
  if (!options.identity.empty()) argv.insert(argv.end(), {"-i", options.identity, "-o", "IdentitiesOnly=yes"});
  argv.push_back(id->str());
  argv.insert(argv.end(), options.command.begin(), options.command.end());
  std::vector<char*> pointers;
  for (auto& argument : argv) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  execvp("ssh", pointers.data());
  return failed({Code::internal, fmt::format("ssh could not be started: {}. Install the package openssh-client.", std::strerror(errno)), {}});
}

}  // namespace

void add_guests(CLI::App& app, const Context& context, int& code) {
  const auto instance = std::make_shared<std::string>();
  auto* console = app.add_subcommand("console", "The instance's serial console, interactive; leave with Ctrl-]");
  console->add_option("instance", *instance, "Instance id")->required();
  console->callback([&context, &code, instance] { code = run_console(context, *instance); });

  const auto o = std::make_shared<SshOptions>();
  auto* ssh = app.add_subcommand("ssh", "SSH to an instance's private address, through its VPC");
  ssh->add_option("-l,--login", o->user, "User to log in as (default: root)");
  ssh->add_option("-i,--identity", o->identity, "Private key file");
  ssh->add_option("instance", o->instance, "Instance id")->required();
  ssh->footer("What follows the instance is run there instead of a shell: virga ssh i-... ls -l /");
  // No option of its own for the command: its words, options among them, are the guest's.
  ssh->prefix_command();
  ssh->callback([&context, &code, o, ssh] {
    o->command = ssh->remaining();
    if (!o->command.empty() && o->command.front() == "--") o->command.erase(o->command.begin());
    code = run_ssh(context, *o);
  });

  const auto vpc = std::make_shared<std::string>();
  const auto address = std::make_shared<std::string>();
  const auto port = std::make_shared<std::uint16_t>(22);
  auto* proxy = app.add_subcommand("proxy", "Connect standard input and output to an address in a VPC (ssh ProxyCommand)");
  proxy->add_option("vpc", *vpc, "VPC id")->required();
  proxy->add_option("address", *address, "Private address")->required();
  proxy->add_option("port", *port, "TCP port");
  proxy->callback([&context, &code, vpc, address, port] { code = run_proxy(context, *vpc, *address, *port); });
}

}  // namespace virga::cli
