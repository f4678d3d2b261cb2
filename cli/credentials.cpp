#include "cli/credentials.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/unique_fd.h"

namespace virga::cli {

namespace {
std::filesystem::path file_of(const Paths& paths, const std::string& account_name) {
  return paths.state / "credentials" / (account_name + ".json");
}
}  // namespace

Result<Credentials> read_credentials(const Paths& paths, const std::string& account_name) {
  if (account_name.empty() || account_name.find('/') != std::string::npos)
    return fail(Code::invalid_parameter_value, "An account's name has no slash.");
  const auto file = file_of(paths, account_name);
  std::ifstream in(file);
  const auto json = nlohmann::json::parse(in, nullptr, false);
  if (json.is_discarded())
    return fail(Code::account_not_found,
                fmt::format("No key is saved for account '{}' ({}). Make one: virga key create admin --account {} --save", account_name,
                            file.string(), account_name));
  return Credentials{json.value("account", ""), json.value("access_key_id", ""), json.value("secret_access_key", "")};
}

Result<void> save_credentials(const Paths& paths, const std::string& account_name, const Credentials& credentials) {
  const auto file = file_of(paths, account_name);
  std::error_code error;
  std::filesystem::create_directories(file.parent_path(), error);
  std::filesystem::permissions(file.parent_path(), std::filesystem::perms::owner_all, error);
  const std::string text = nlohmann::json{{"account", credentials.account},
                                          {"access_key_id", credentials.access_key_id},
                                          {"secret_access_key", credentials.secret_access_key}}
                               .dump();
  const UniqueFd fd(open(file.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600));
  if (!fd || write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return fail(Code::internal, fmt::format("{}: {}", file.string(), std::strerror(errno)));
  return {};
}

}  // namespace virga::cli
