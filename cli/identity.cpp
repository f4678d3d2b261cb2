#include <fmt/args.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "cli/admin_client.h"
#include "cli/commands.h"
#include "cli/credentials.h"
#include "cli/output.h"

namespace virga::cli {

namespace {

struct Options {
  std::string account = "default";
  std::string name;
  std::string role = "administrator";
  std::string format;
  bool json = false;
  bool save = false;
};

/// `format` names {account}, {access}, {secret}, {user}, {name}.
int print_key(const nlohmann::json& key, const Options& options) {
  if (options.json) {
    print_json(key);
    return 0;
  }
  const std::string format = options.format.empty()
                                 ? "account id         {account}\nuser               {user}\naccess key id      {access}\n"
                                   "secret access key  {secret}\nThe secret is shown this once.\n"
                                 : options.format + "\n";
  fmt::dynamic_format_arg_store<fmt::format_context> args;
  args.push_back(fmt::arg("account", key.value("account", "")));
  args.push_back(fmt::arg("name", key.value("name", "")));
  args.push_back(fmt::arg("user", key.value("user", "")));
  args.push_back(fmt::arg("access", key.value("access_key_id", "")));
  args.push_back(fmt::arg("secret", key.value("secret_access_key", "")));
  try {
    fmt::print("{}", fmt::vformat(format, args));
  } catch (const fmt::format_error& error) {
    return failed({Code::invalid_parameter_value,
                   fmt::format("--format: {}; it may name {{account}}, {{name}}, {{user}}, {{access}} and {{secret}}",
                               error.what()),
                   {}});
  }
  return 0;
}

/// Shows the key, and keeps it for `virga env` if that was asked for. It is shown even when it cannot be kept: nobody will
/// ever see its secret again.
int save_and_print(const Context& context, const Options& options, const std::string& account, const nlohmann::json& key) {
  Result<void> saved;
  if (options.save)
    saved = save_credentials(context.paths, account,
                             {key.value("account", ""), key.value("access_key_id", ""), key.value("secret_access_key", "")});
  const int printed = print_key(key, options);
  return saved ? printed : failed(saved.error());
}

int create_account(const Context& context, const Options& options) {
  const auto made = AdminClient(context.paths).post("/admin/v1/accounts", {{"name", options.name}});
  if (!made) return failed(made.error());
  return save_and_print(context, options, options.name, *made);
}

int list(const Context& context, const std::string& path, const Options& options, const std::vector<std::string>& columns) {
  const auto answer = AdminClient(context.paths).get(path);
  if (!answer) return failed(answer.error());
  if (options.json) {
    print_json(*answer);
    return 0;
  }
  std::vector<std::vector<std::string>> rows;
  for (const auto& item : *answer) {
    std::vector<std::string> row;
    for (const auto& column : columns) {
      const auto& value = item.at(column);
      row.push_back(value.is_string() ? value.get<std::string>() : value.dump());
    }
    rows.push_back(std::move(row));
  }
  std::vector<std::string> heading = columns;
  for (auto& title : heading)
    for (auto& c : title) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  print_table(heading, rows);
  return 0;
}

void add_json(CLI::App* command, const std::shared_ptr<Options>& o) {
  command->add_flag("--json", o->json, "Print JSON");
}

void add_keys(CLI::App& app, const Context& context, int& code, const std::shared_ptr<Options>& o) {
  auto* key = app.add_subcommand("key", "Access keys")->require_subcommand(1);
  auto* add_key = key->add_subcommand("create", "Make an access key; its secret is shown once");
  add_key->add_option("user", o->name, "User")->required();
  add_key->add_option("--account", o->account, "Account, by name or id");
  add_key->add_option("--format", o->format, "What to print, for scripts: '{access} {secret} {account}'");
  add_key->add_flag("--save", o->save, "Keep the key for 'virga env' (mode 0600)");
  add_json(add_key, o);
  add_key->callback([&context, &code, o] {
    const auto made = AdminClient(context.paths).post("/admin/v1/keys", {{"account", o->account}, {"user", o->name}});
    if (!made) return void(code = failed(made.error()));
    // Under the account's name, also where the caller gave its id: that is where `virga env` looks.
    code = save_and_print(context, *o, made->value("account_name", o->account), *made);
  });
  const auto change = [&](const char* verb, const char* help, const std::string& path, const nlohmann::json& with) {
    auto* command = key->add_subcommand(verb, help);
    command->add_option("key", o->name, "Access key id")->required();
    command->add_option("--account", o->account, "Account, by name or id");
    add_json(command, o);
    command->callback([&context, &code, o, path, with] {
      nlohmann::json body = with;
      body["account"] = o->account;
      body["access_key_id"] = o->name;
      const auto done = AdminClient(context.paths).post(path, body);
      if (!done) code = failed(done.error());
      else if (o->json) print_json(*done);
    });
  };
  change("disable", "Refuse the key from now on", "/admin/v1/keys/active", {{"active", false}});
  change("enable", "Accept a disabled key again", "/admin/v1/keys/active", {{"active", true}});
  change("delete", "Remove the key for good", "/admin/v1/keys/delete", nlohmann::json::object());
  auto* keys = key->add_subcommand("list", "Access keys of a user");
  keys->add_option("user", o->name, "User")->required();
  keys->add_option("--account", o->account, "Account, by name or id");
  add_json(keys, o);
  keys->callback([&context, &code, o] {
    code = list(context, "/admin/v1/keys?account=" + o->account + "&user=" + o->name, *o, {"access_key_id", "active"});
  });
}

}  // namespace

void add_identity(CLI::App& app, const Context& context, int& code) {
  const auto o = std::make_shared<Options>();
  const auto json = [o](CLI::App* command) { add_json(command, o); };
  auto* account = app.add_subcommand("account", "Accounts")->require_subcommand(1);
  auto* create = account->add_subcommand("create", "Make an account with an administrator, a key and a default VPC");
  create->add_option("name", o->name, "Name of the account")->required();
  create->add_option("--format", o->format, "What to print, for scripts: '{access} {secret} {account}'");
  create->add_flag("--save", o->save, "Keep the key for 'virga env' (mode 0600)");
  json(create);
  create->callback([&context, &code, o] { code = create_account(context, *o); });
  auto* accounts = account->add_subcommand("list", "All accounts");
  json(accounts);
  accounts->callback([&context, &code, o] { code = list(context, "/admin/v1/accounts", *o, {"account", "name", "created"}); });

  auto* user = app.add_subcommand("user", "Users of an account")->require_subcommand(1);
  auto* add_user = user->add_subcommand("create", "Make a user");
  add_user->add_option("name", o->name, "Name of the user")->required();
  add_user->add_option("--account", o->account, "Account, by name or id");
  add_user->add_option("--role", o->role, "administrator (default), operator or read-only");
  json(add_user);
  add_user->callback([&context, &code, o] {
    const auto made = AdminClient(context.paths)
                          .post("/admin/v1/users", {{"account", o->account}, {"name", o->name}, {"role", o->role}});
    if (!made) code = failed(made.error());
    else if (o->json) print_json(*made);
    else fmt::print("{}\n", plain(made->value("arn", "")));
  });
  auto* users = user->add_subcommand("list", "Users of an account");
  users->add_option("--account", o->account, "Account, by name or id");
  json(users);
  users->callback([&context, &code, o] {
    code = list(context, "/admin/v1/users?account=" + o->account, *o, {"name", "role", "arn", "created"});
  });
  add_keys(app, context, code, o);
}

}  // namespace virga::cli
