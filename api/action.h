#pragma once

// One row per action. From the row and the operation's facts (api/model) come dispatch, decoding, access check, DryRun,
// idempotency, filters, paging, XML and JSON answers, journal context and the coverage page.
//
//   Result<ec2::DescribeVpcsResult> describe_vpcs(Call& call, const ec2::DescribeVpcsRequest& request);
//
//   std::vector<Action> vpc_actions() {
//     return {action("DescribeVpcs", Access::read, &describe_vpcs),
//             action("CreateVpc", Access::write, &create_vpc, {.refused = {"Ipv6CidrBlock", "Ipv4IpamPoolId"}})};
//   }

#include <any>
#include <functional>
#include <string_view>
#include <vector>

#include "api/call.h"
#include "core/result.h"

namespace virga::api {

/// Who may call it, and what the dispatcher opens for it: a snapshot for `read`, a write transaction for `write`.
enum class Access { read, write };

/// What a row's `prepare` hands to its handler.
struct Prepared {
  std::any product;
};

struct ActionOptions {
  /// Request members (top level, or dotted paths: "Placement.Affinity") that Virga does not honour: a request that
  /// gives one of them is refused with UnsupportedOperation naming it. Everything else a handler must honour.
  std::vector<std::string_view> refused = {};
  /// Paths that may be given with exactly this value only, which is what Virga does anyway
  /// ("HibernationOptions.Configured" = "false"). Any other value: UnsupportedOperation.
  struct Only {
    std::string_view path;
    std::vector<std::string_view> values;
  };
  std::vector<Only> only = {};
  /// For answers that need a host: called after the handler's transaction has ended, may change the response.
  std::function<Result<void>(Call& call, const void* request, void* response)> finish = {};
  /// For work that is too long for a transaction, during which all other changes wait (making an RSA key). Runs before
  /// it, when the caller is known to be permitted and the request to be well formed; the handler finds the product in
  /// call.prepared<T>(). Not run for a DryRun. Build it with prepare_with().
  std::function<Result<Prepared>(const void* request)> prepare = {};
  /// For actions with a ClientToken: makes the first answer, which a repeated call gets, say what is so now.
  /// Build it with refresh_with().
  std::function<Result<void>(Call& call, void* response)> refresh = {};
};

template <class Request, class Product>
std::function<Result<Prepared>(const void*)> prepare_with(Result<Product> (*make)(const Request&)) {
  return [make](const void* request) -> Result<Prepared> {
    auto product = TRY(make(*static_cast<const Request*>(request)));
    return Prepared{std::move(product)};
  };
}

template <class Response>
std::function<Result<void>(Call&, void*)> refresh_with(Result<Response> (*current)(Call&, const Response& first)) {
  return [current](Call& call, void* response) -> Result<void> {
    auto& answer = *static_cast<Response*>(response);
    answer = TRY(current(call, answer));
    return {};
  };
}

struct Action {
  std::string_view name;
  Access access;
  const ec2::Operation* operation;
  ActionOptions options;
  /// Type-erased: makes a request of the operation's input type, hands it out for decoding, runs, encodes.
  struct Invocation {
    virtual ~Invocation() = default;
    virtual void* request() = 0;
    virtual Result<void> run(Call& call) = 0;
    /// nullptr: NoOutput.
    virtual void* response() = 0;
  };
  std::function<std::unique_ptr<Invocation>()> invoke;
};

namespace detail {
template <class Request, class Response>
class TypedInvocation final : public Action::Invocation {
 public:
  using Handler = Result<Response> (*)(Call&, const Request&);
  explicit TypedInvocation(Handler handler) : handler_(handler) {}
  void* request() override { return &request_; }
  Result<void> run(Call& call) override {
    response_ = TRY(handler_(call, request_));
    return {};
  }
  void* response() override {
    if constexpr (std::is_same_v<Response, ec2::NoOutput>)
      return nullptr;
    else
      return &response_;
  }

 private:
  Handler handler_;
  Request request_{};
  Response response_{};
};
Action make_action(std::string_view name, Access access, const ec2::Shape* input, const ec2::Shape* output,
                   ActionOptions options);
}  // namespace detail

/// Builds a row. Asserts at start-up that the facts know the action and that the handler's types are the model's.
template <class Request, class Response>
Action action(std::string_view name, Access access, Result<Response> (*handler)(Call&, const Request&),
              ActionOptions options = {}) {
  const ec2::Shape* output = nullptr;
  if constexpr (!std::is_same_v<Response, ec2::NoOutput>) output = &ec2::describe<Response>();
  Action row = detail::make_action(name, access, &ec2::describe<Request>(), output, std::move(options));
  row.invoke = [handler]() -> std::unique_ptr<Action::Invocation> {
    return std::make_unique<detail::TypedInvocation<Request, Response>>(handler);
  };
  return row;
}

/// All rows of all families, by name. api/actions/all.cpp lists the families; a duplicate name asserts.
const std::vector<Action>& all_actions();
const Action* find_action(std::string_view name);

// The families (one file each in api/actions/).
std::vector<Action> region_actions();  // DescribeRegions, DescribeAvailabilityZones, DescribeAccountAttributes
std::vector<Action> tag_actions();
std::vector<Action> key_pair_actions();
std::vector<Action> image_actions();
std::vector<Action> instance_type_actions();
std::vector<Action> instance_actions();
std::vector<Action> volume_actions();
std::vector<Action> snapshot_actions();
std::vector<Action> vpc_actions();
std::vector<Action> subnet_actions();
std::vector<Action> internet_gateway_actions();
std::vector<Action> address_actions();
std::vector<Action> route_table_actions();
std::vector<Action> security_group_actions();
std::vector<Action> network_interface_actions();  // DescribeNetworkInterfaces, DescribeNetworkAcls, DescribeDhcpOptions

}  // namespace virga::api
