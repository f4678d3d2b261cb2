#include "cli/cli.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <CLI/CLI.hpp>

#include "cli/commands.h"
#include "cli/output.h"

namespace virga::cli {

namespace {

/// Adds the verbs that act as one of the roles; not for people in a hurry, but for units and scripts.
void add_roles(CLI::App& app, const Roles& roles, int& code) {
  auto* control = app.add_subcommand("control", "Run the control role: API and database");
  control->callback([&] { code = roles.control(); });
  static bool simulate = false;
  auto* host = app.add_subcommand("host", "Run the host role on a hypervisor (as root)");
  host->add_flag("--simulate", simulate, "Serve the host API from models: no guests, no root needed");
  host->callback([&] { code = roles.host(simulate); });
  auto* coverage = app.add_subcommand("api-coverage", "Print which parts of the EC2 API are served, as Markdown");
  coverage->callback([&] { std::fputs(roles.coverage().c_str(), stdout); });
  auto* codes =
      app.add_subcommand("error-codes", "Print every error code of the EC2 API and when it is given, as Markdown");
  codes->callback([&] { std::fputs(roles.error_codes().c_str(), stdout); });
}

/// What a wrong command line is answered with. A word that is no command is named, with those there are in its place.
std::string explain(const CLI::App* app, const CLI::Error& error) {
  const CLI::App* at = app;
  while (!at->get_subcommands().empty()) at = at->get_subcommands().front();
  std::vector<std::string> commands;
  for (const auto* command : at->get_subcommands({})) commands.push_back(command->get_name());
  if (commands.empty()) return CLI::FailureMessage::simple(app, error);
  const std::string program = at == app ? "virga" : "virga " + at->get_name();
  const auto words = at->remaining();
  std::string wrong = "A command is required.";
  if (!words.empty())
    wrong = fmt::format("There is no {} '{}'.", words[0].starts_with('-') ? "option" : "command", plain(words[0]));
  return fmt::format("{}\nThe commands of {} are: {}.\nRun with --help for more information.\n", wrong, program,
                     fmt::join(commands, ", "));
}

}  // namespace

int run(int argc, char** argv, const Roles& roles) {
  CLI::App app("Virga: a private EC2 on your own machine");
  app.require_subcommand(1);
  app.set_version_flag("--version", VIRGA_VERSION);
  app.footer("Settings: /etc/virga/virga.toml, or VIRGA_HOME=DIR for an installation of its own under DIR.");
  app.failure_message(explain);
  int code = 0;
  add_roles(app, roles, code);
  Context context;
  add_status(app, context, code);
  add_identity(app, context, code);
  add_images(app, context, code);
  add_guests(app, context, code);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int shown = app.exit(error);
    return shown == 0 ? 0 : 2;
  }
  return code;
}

}  // namespace virga::cli
