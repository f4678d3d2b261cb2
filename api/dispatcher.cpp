#include "api/dispatcher.h"

#include <spdlog/spdlog.h>

#include "api/dry_run.h"
#include "api/idempotency.h"
#include "api/members.h"
#include "api/row_checks.h"
#include "api/sts.h"
#include "core/assert.h"

namespace virga::api {

namespace {

Caller caller_of(const Identification& who, const HttpPeer& peer) {
  return {.account = who.key.account,
          .user_name = who.key.user_name,
          .user_id = who.key.user_id,
          .arn = who.key.arn,
          .access_key_id = who.key.id,
          .role = who.key.role,
          .source_ip = peer.address};
}

bool may_call(Role role, Access access) {
  switch (role) {
    case Role::administrator:
    case Role::operator_:
      return true;
    case Role::read_only:
      return access == Access::read;
  }
  return false;
}

bool is_dry_run(const Action& action, const void* request) {
  if (!action.operation->dry_run) return false;
  const auto* flag = scalar<bool>(*action.operation->input, request, "DryRun");
  return flag != nullptr && *flag;
}

Style style_of(Dialect dialect, std::string_view service) {
  if (dialect == Dialect::json) return Style::json;
  return service == "sts" ? Style::sts : service == "iam" ? Style::iam : Style::ec2;
}

/// Gives a place among the preparations back.
class Place {
 public:
  explicit Place(std::counting_semaphore<>& places) : places_(places) {}
  ~Place() { places_.release(); }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

 private:
  std::counting_semaphore<>& places_;
};

/// Closes what ReplayCache::begin opened, on every way out.
class Replayed {
 public:
  Replayed(ReplayCache& cache, std::string key) : cache_(cache), key_(std::move(key)) { response_.status = 500; }
  ~Replayed() { cache_.finish(key_, response_); }
  Replayed(const Replayed&) = delete;
  Replayed& operator=(const Replayed&) = delete;
  void keep(const HttpResponse& response) { response_ = response; }

 private:
  ReplayCache& cache_;
  std::string key_;
  HttpResponse response_;
};

}  // namespace

Result<std::unique_ptr<Dispatcher>> Dispatcher::create(store::Store& store, const Clock& clock, IdSource& ids,
                                                       const Config& config, Hosts& hosts,
                                                       Authentication& authentication, std::vector<Action> rows) {
  auto tokens = TRY(PageTokens::open(store, ids));
  return std::unique_ptr<Dispatcher>(
      new Dispatcher(store, clock, ids, config, hosts, authentication, std::move(rows), std::move(tokens)));
}

Dispatcher::Dispatcher(store::Store& store, const Clock& clock, IdSource& ids, const Config& config, Hosts& hosts,
                       Authentication& authentication, std::vector<Action> rows, PageTokens tokens)
    : store_(store),
      clock_(clock),
      ids_(ids),
      config_(config),
      hosts_(hosts),
      authentication_(authentication),
      rows_(std::move(rows)),
      tokens_(std::move(tokens)),
      replays_(clock),
      preparations_(std::max(config.api_threads - 1, 1)) {
  for (const Action& row : rows_) VIRGA_ASSERT(by_name_.emplace(row.name, &row).second);
}

HttpResponse Dispatcher::handle(const HttpRequest& request) {
  const Envelope envelope{claimed_style(request), ids_.uuid()};
  const auto dialect = dialect_of(request);
  if (!dialect) return answer_unknown_path(envelope);
  Job job{.request = request, .dialect = *dialect, .envelope = envelope};
  return answer_job(job);
}

HttpResponse Dispatcher::answer_job(Job& job) {
  Error error;
  try {
    auto response = serve(job);
    if (response) return std::move(*response);
    error = std::move(response.error());
  } catch (const std::exception& exception) {
    error = internal_error(exception.what());
  }
  if (!error.context.empty())
    spdlog::error("request {} {} of {}: {}", job.envelope.request_id, job.action, job.caller.arn, describe(error));
  return answer_error(job.envelope, error);
}

Result<HttpResponse> Dispatcher::serve(Job& job) {
  const auto who = TRY(authentication_.authenticate(job.request));
  job.caller = caller_of(who, job.request.peer);
  job.envelope.style = style_of(job.dialect, who.service);
  const auto incoming = TRY(Incoming::read(job.request, job.dialect));
  if (who.service == "ec2") return serve_ec2(job, incoming);
  if (job.dialect == Dialect::query && who.service == "sts" && incoming.action() == "GetCallerIdentity")
    return wrap(job.envelope, 200, caller_identity_xml(job.caller, job.envelope.request_id));
  return fail(invalid_action(incoming.action()));
}

Result<HttpResponse> Dispatcher::serve_ec2(Job& job, const Incoming& incoming) {
  const auto found = by_name_.find(incoming.action());
  if (found == by_name_.end()) return fail(invalid_action(incoming.action()));
  const Action& action = *found->second;
  job.action = action.name;
  if (!may_call(job.caller.role, action.access))
    return fail(Code::unauthorized_operation, "You are not authorized to perform this operation.");
  return action.access == Access::write ? perform_once(job, action, incoming) : perform(job, action, incoming);
}

Result<HttpResponse> Dispatcher::perform_once(Job& job, const Action& action, const Incoming& incoming) {
  const auto key = ReplayCache::key_of(job.caller.access_key_id, job.request);
  if (!key) return perform(job, action, incoming);
  if (auto earlier = replays_.begin(*key)) return std::move(*earlier);
  Replayed replayed(replays_, *key);
  auto response = TRY(perform(job, action, incoming));
  replayed.keep(response);
  return response;
}

Result<HttpResponse> Dispatcher::perform(Job& job, const Action& action, const Incoming& incoming) {
  const auto invocation = action.invoke();
  void* const request = invocation->request();
  TRY_VOID(incoming.decode(*action.operation->input, request));
  TRY_VOID(check_honoured(action, request));
  auto selection = TRY(RequestSelection::create(*action.operation, request, tokens_, job.caller.account));
  if (is_dry_run(action, request))
    return fail(dry_run_answer(transact(job, action, *invocation, selection, Mode::dry_run, {})));
  auto prepared = TRY(prepare(action, request));
  TRY_VOID(transact(job, action, *invocation, selection, Mode::real, std::move(prepared)));
  if (action.operation->output != nullptr) selection.finish(*action.operation->output, invocation->response());
  return answer(job.envelope, action.name, action.operation->output, invocation->response());
}

Result<Prepared> Dispatcher::prepare(const Action& action, const void* request) {
  if (!action.options.prepare) return Prepared{};
  if (!preparations_.try_acquire())
    return fail(Code::request_limit_exceeded, "Too many requests of this kind are under way. Try again later.");
  const Place place(preparations_);
  return action.options.prepare(request);
}

Result<void> Dispatcher::transact(Job& job, const Action& action, Action::Invocation& invocation,
                                  RequestSelection& selection, Mode mode, Prepared prepared) {
  // Both outlive the transaction for the row's finishing function, which may use neither scope nor store.
  std::optional<Scope> scope;
  std::optional<Call> call;
  const auto enter = [&](store::Transaction& tx) -> Call& {
    scope.emplace(Scope{tx, job.caller.account, clock_.now(), ids_, job.caller.arn, std::string(action.name),
                        job.envelope.request_id});
    return call.emplace(*scope, job.caller, config_, selection, hosts_, std::move(prepared.product));
  };
  const auto read = [&](store::Transaction& tx) { return invocation.run(enter(tx)); };
  const auto write = [&](store::Transaction& tx) -> Result<store::Outcome> {
    Call& entered = enter(tx);
    TRY_VOID(run_once(action, invocation, entered));
    return mode == Mode::dry_run ? store::Outcome::roll_back : store::Outcome::commit;
  };
  TRY_VOID(action.access == Access::read ? store_.read(read) : store_.write_or_roll_back(write));
  if (action.options.finish && mode == Mode::real)
    return action.options.finish(*call, invocation.request(), invocation.response());
  return {};
}

}  // namespace virga::api
