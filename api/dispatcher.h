#pragma once

// What every request goes through, in this order: authentication, the service the credentials are for, the action's
// row, permission, decoding, members the row does not honour, what the row prepares, the transaction with the handler
// in it, the answer.
//
// One Dispatcher serves all connections; handle() may be called from many threads.

#include <map>
#include <memory>
#include <semaphore>
#include <string_view>
#include <vector>

#include "api/action.h"
#include "api/authentication.h"
#include "api/envelope.h"
#include "api/incoming.h"
#include "api/page_tokens.h"
#include "api/replay_cache.h"
#include "api/selection.h"
#include "core/config.h"
#include "core/http.h"
#include "core/store/store.h"
#include "core/time.h"

namespace virga::api {

class Dispatcher {
 public:
  /// Everything passed must outlive the dispatcher, but the rows. Errors: internal (the store).
  static Result<std::unique_ptr<Dispatcher>> create(store::Store& store, const Clock& clock, IdSource& ids,
                                                    const Config& config, Hosts& hosts, Authentication& authentication,
                                                    std::vector<Action> rows = all_actions());

  /// Answers a request, whatever it is.
  HttpResponse handle(const HttpRequest& request);

 private:
  enum class Mode { real, dry_run };

  /// One request on its way.
  struct Job {
    const HttpRequest& request;
    Dialect dialect;
    Envelope envelope;
    Caller caller = {};
    std::string action = {};
  };

  Dispatcher(store::Store& store, const Clock& clock, IdSource& ids, const Config& config, Hosts& hosts,
             Authentication& authentication, std::vector<Action> rows, PageTokens tokens);

  HttpResponse answer_job(Job& job);
  Result<HttpResponse> serve(Job& job);
  Result<HttpResponse> serve_ec2(Job& job, const Incoming& incoming);
  /// Works a call out unless its first copy has been answered already.
  Result<HttpResponse> perform_once(Job& job, const Action& action, const Incoming& incoming);
  Result<HttpResponse> perform(Job& job, const Action& action, const Incoming& incoming);
  /// Runs the row's preparation, if it has one. Errors: its own; RequestLimitExceeded when too many are under way.
  Result<Prepared> prepare(const Action& action, const void* request);
  Result<void> transact(Job& job, const Action& action, Action::Invocation& invocation, RequestSelection& selection,
                        Mode mode, Prepared prepared);

  store::Store& store_;
  const Clock& clock_;
  IdSource& ids_;
  const Config& config_;
  Hosts& hosts_;
  Authentication& authentication_;
  std::vector<Action> rows_;
  std::map<std::string_view, const Action*> by_name_;
  PageTokens tokens_;
  ReplayCache replays_;
  /// Preparations compute. One thread of the API is always left for requests that need none.
  std::counting_semaphore<> preparations_;
};

}  // namespace virga::api
