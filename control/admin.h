#pragma once

// The operator's interface: accounts, users, keys, images, status. JSON over the admin socket, for root and the control
// role's own user only; the command line is its client. Not part of the public API.

#include <functional>
#include <string>

#include "control/host_sync.h"
#include "core/config.h"
#include "core/http.h"
#include "core/identity/identity.h"
#include "core/scope.h"

namespace virga::control {

class Admin {
 public:
  Admin(store::Store& store, const Clock& clock, IdSource& ids, const Config& config, identity::Sealer& sealer,
        const HostSync& host);
  /// Never throws for bad input; refuses peers that are neither root nor this process's user.
  HttpResponse handle(const HttpRequest& request);

 private:
  using Body = nlohmann::json;
  Result<Body> dispatch(const HttpRequest& request, const Body& body);
  Result<Body> status();
  Result<Body> create_account(const Body& body);
  Result<Body> list_accounts();
  Result<Body> create_user(const Body& body);
  Result<Body> list_users(const std::string& account);
  Result<Body> create_key(const Body& body);
  Result<Body> set_key_active(const Body& body);
  Result<Body> delete_key(const Body& body);
  Result<Body> list_keys(const std::string& account, const std::string& user);
  Result<Body> create_image(const Body& body);
  Result<Body> delete_image(const Body& body);
  Result<Body> list_images();
  Result<Body> find_image(const std::string& id);
  Result<Body> find_instance(const std::string& id);
  Result<Body> set_quota(const Body& body);
  /// Runs `function(Scope&)` for the named account, in a write transaction.
  template <class Function>
  Result<Body> write_as(const std::string& account, const std::string& action, Function&& function);
  Scope scope(store::Transaction& tx, const AccountId& account, const std::string& action) const;

  store::Store& store_;
  const Clock& clock_;
  IdSource& ids_;
  const Config& config_;
  identity::Sealer& sealer_;
  const HostSync& host_;
};

}  // namespace virga::control
