#pragma once

#include <string>

#include "core/config.h"
#include "core/result.h"

namespace virga::cli {

/// A key as `virga account create --save` leaves it for `virga env`: one file per account, mode 0600, in the state
/// directory's `credentials` folder.
struct Credentials {
  std::string account;
  std::string access_key_id;
  std::string secret_access_key;
};
Result<Credentials> read_credentials(const Paths& paths, const std::string& account_name);
Result<void> save_credentials(const Paths& paths, const std::string& account_name, const Credentials& credentials);

}  // namespace virga::cli
