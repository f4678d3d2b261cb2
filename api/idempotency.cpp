#include "api/idempotency.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/codec/json.h"
#include "api/codec/value.h"
#include "api/digest.h"
#include "api/members.h"
#include "core/assert.h"

namespace virga::api {

namespace {

constexpr std::int64_t default_max_token_length = 64;

struct Remembered {
  std::string parameters;
  std::string response;
};

/// The request's token; empty: none.
Result<std::string> token_of(const ec2::Operation& operation, const void* request) {
  if (operation.idempotency_token.empty()) return std::string();
  const auto* token = scalar<std::string>(*operation.input, request, operation.idempotency_token);
  if (token == nullptr || token->empty()) return std::string();
  const auto max =
      find_member(*operation.input, operation.idempotency_token)->shape->max.value_or(default_max_token_length);
  const bool printable = std::ranges::all_of(*token, [](char c) { return c > ' ' && c < 0x7F; });
  if (!printable || static_cast<std::int64_t>(token->size()) > max)
    return fail(codec::invalid_value(*token, operation.idempotency_token,
                                     fmt::format("It must be at most {} printable ASCII characters.", max)));
  return *token;
}

std::string digest_of(const ec2::Operation& operation, const void* request) {
  const std::string_view apart[] = {operation.idempotency_token, "DryRun"};
  return sha256_hex(codec::encode_json(*operation.input, request, apart));
}

std::optional<Remembered> recall(Scope& scope, std::string_view action, const std::string& token) {
  return scope.tx.one(
      "SELECT parameters, response FROM client_token t WHERE account = ? AND action = ? AND token = ?"
      " AND (created_ms > ? OR action = 'RunInstances' AND EXISTS"
      " (SELECT 1 FROM instance i WHERE i.account = t.account AND i.client_token = t.token))",
      [](store::Row& row) {
        return Remembered{row.text(0), row.text(1)};
      },
      scope.account, action, token, scope.now + -client_token_lifetime);
}

void remember(Scope& scope, std::string_view action, const std::string& token, const Remembered& made) {
  scope.tx.execute(
      "INSERT OR REPLACE INTO client_token (account, action, token, parameters, response, created_ms)"
      " VALUES (?, ?, ?, ?, ?, ?)",
      scope.account, action, token, made.parameters, made.response, scope.now);
}

/// The first call's answer, as it would be given now.
Result<void> replay(const Action& action, const Remembered& made, Action::Invocation& invocation, Call& call) {
  const auto* output = action.operation->output;
  if (output == nullptr) return {};
  auto status = codec::decode_json(made.response, *output, invocation.response(), codec::Origin::stored);
  if (!status) return fail(internal_error("stored answer of a client token: " + describe(status.error())));
  return action.options.refresh ? action.options.refresh(call, invocation.response()) : Result<void>();
}

}  // namespace

Result<void> run_once(const Action& action, Action::Invocation& invocation, Call& call) {
  const auto& operation = *action.operation;
  const auto token = TRY(token_of(operation, invocation.request()));
  if (token.empty()) return invocation.run(call);

  const auto digest = digest_of(operation, invocation.request());
  if (const auto made = recall(call.scope(), action.name, token)) {
    if (made->parameters != digest)
      return fail(Code::idempotent_parameter_mismatch,
                  "The request uses the same client token as a previous, but non-identical request.");
    return replay(action, *made, invocation, call);
  }
  TRY_VOID(invocation.run(call));
  const auto response =
      operation.output == nullptr ? std::string("{}") : codec::encode_json(*operation.output, invocation.response());
  remember(call.scope(), action.name, token, {digest, response});
  return {};
}

std::int64_t expire_client_tokens(store::Transaction& tx, Time now) {
  // An ended instance is still shown for an hour, so a token that is renewed hourly is kept for a day after the end.
  tx.execute(
      "UPDATE client_token SET created_ms = ? WHERE action = 'RunInstances' AND created_ms <= ?"
      " AND (account, token) IN (SELECT account, client_token FROM instance)",
      now, now + -std::chrono::hours(1));
  return tx.execute("DELETE FROM client_token WHERE created_ms <= ?", now + -client_token_lifetime);
}

}  // namespace virga::api
