#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <fstream>
#include <memory>
#include <thread>

#include "cli/admin_client.h"
#include "cli/commands.h"
#include "cli/credentials.h"
#include "cli/output.h"

namespace virga::cli {

namespace {

struct StatusOptions {
  bool json = false;
  int wait_s = 0;
};

void print_status(const nlohmann::json& status) {
  fmt::print("control   {}  version {}  {}\n", status.value("state", "?"), status.value("version", "?"),
             status.value("endpoint", "?"));
  std::vector<std::vector<std::string>> rows;
  for (const auto& host : status.at("hosts"))
    rows.push_back({host.value("name", ""), host.value("state", ""), host.value("accelerator", ""),
                    fmt::format("{}/{}", host.value("vcpus_used", 0), host.value("vcpus", 0)),
                    fmt::format("{}/{} MiB", host.value("memory_mib_used", 0), host.value("memory_mib", 0)),
                    fmt::format("{}/{} GiB", host.value("storage_gib_used", 0), host.value("storage_gib", 0))});
  if (!rows.empty()) print_table({"HOST", "STATE", "ACCELERATOR", "VCPUS", "MEMORY", "STORAGE"}, rows);
  for (const auto& [state, count] : status.at("instances").items())
    fmt::print("instances {}: {}\n", plain(state), count.get<int>());
  for (const auto& problem : status.at("problems")) fmt::print("problem:  {}\n", plain(problem.get<std::string>()));
}

int run_status(const Context& context, const StatusOptions& options) {
  const AdminClient client(context.paths);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(options.wait_s);
  while (true) {
    const auto status = client.get("/admin/v1/status");
    const bool ready = status && status->value("state", "") == "ready";
    if (ready || std::chrono::steady_clock::now() >= deadline) {
      if (!status) return failed(status.error());
      if (options.json) print_json(*status);
      else print_status(*status);
      return ready ? 0 : 1;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
}

int run_env(const Context& context, const std::string& account, bool json) {
  const auto config = Config::load(context.paths);
  if (!config) return failed(config.error());
  const auto credentials = read_credentials(context.paths, account);
  if (!credentials) return failed(credentials.error());
  if (json) {
    print_json({{"endpoint", config->endpoint()}, {"region", config->region}, {"account", credentials->account},
                {"access_key_id", credentials->access_key_id}, {"secret_access_key", credentials->secret_access_key}});
    return 0;
  }
  fmt::print("export AWS_ENDPOINT_URL={}\nexport AWS_REGION={}\nexport AWS_DEFAULT_REGION={}\n", config->endpoint(),
             config->region, config->region);
  fmt::print("export AWS_ACCESS_KEY_ID={}\nexport AWS_SECRET_ACCESS_KEY={}\n", credentials->access_key_id,
             credentials->secret_access_key);
  // No client is to look for other credentials or for a metadata service of its own.
  fmt::print("export AWS_EC2_METADATA_DISABLED=true\nunset AWS_PROFILE AWS_SESSION_TOKEN\n");
  return 0;
}

}  // namespace

void add_status(CLI::App& app, const Context& context, int& code) {
  const auto options = std::make_shared<StatusOptions>();
  auto* status = app.add_subcommand("status", "Roles, hosts, guests, versions and problems");
  status->add_flag("--json", options->json, "Print JSON");
  status->add_option("--wait", options->wait_s, "Wait up to this many seconds until everything is ready");
  status->callback([&context, &code, options] { code = run_status(context, *options); });

  const auto account = std::make_shared<std::string>("default");
  auto* env = app.add_subcommand("env", "Print what makes aws-cli, boto3 and Terraform talk to this installation");
  env->add_option("--account", *account, "Account whose saved key is used (default: default)");
  env->footer("Use it as: eval \"$(virga env)\"");
  const auto json = std::make_shared<bool>(false);
  env->add_flag("--json", *json, "Print JSON");
  env->callback([&context, &code, account, json] { code = run_env(context, *account, *json); });
}

}  // namespace virga::cli
