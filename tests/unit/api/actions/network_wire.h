#pragma once

// The network families as clients meet them: Query requests through the dispatcher, XML answers back.

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "api/dispatcher.h"
#include "network/interfaces.h"
#include "tests/support/temporary_directory.h"

namespace virga::api {

class NetworkWire : public testing::Test {
 protected:
  NetworkWire() {
    must(store_->write([&](store::Transaction& tx) -> Result<std::int64_t> {
      return tx.execute("INSERT INTO account (id, name, created_ms) VALUES (?, 'alice', 0), (?, 'bob', 0)", alice, bob);
    }));
  }

  struct Answer {
    int status = 0;
    std::string body;
    std::string code() const { return text("Code"); }
    /// Content of the first element of that name; empty when there is none.
    std::string text(const std::string& element) const {
      const auto from = body.find("<" + element + ">");
      if (from == std::string::npos) return {};
      const auto start = from + element.size() + 2;
      return body.substr(start, body.find("</" + element + ">", start) - start);
    }
    bool has(const std::string& part) const { return body.find(part) != std::string::npos; }
    int count(const std::string& part) const {
      int found = 0;
      for (auto at = body.find(part); at != std::string::npos; at = body.find(part, at + 1)) ++found;
      return found;
    }
  };
  using Parameters = std::vector<std::pair<std::string, std::string>>;

  Answer call(const std::string& action, const Parameters& parameters = {}, const std::string& who = "alice") {
    HttpRequest request;
    request.method = "POST";
    request.target = "/";
    request.headers.add("Content-Type", "application/x-www-form-urlencoded; charset=utf-8");
    request.headers.add("X-Who", who);
    request.body = "Action=" + action + "&Version=2016-11-15";
    for (const auto& [name, value] : parameters) request.body += "&" + name + "=" + escaped(value);
    const auto response = dispatcher_->handle(request);
    return {response.status, response.body};
  }
  /// The answer of a call that must succeed.
  Answer ok(const std::string& action, const Parameters& parameters = {}, const std::string& who = "alice") {
    auto answer = call(action, parameters, who);
    if (answer.status != 200) throw std::runtime_error(action + ": " + answer.body);
    return answer;
  }
  std::string code(const std::string& action, const Parameters& parameters, const std::string& who = "alice") {
    return call(action, parameters, who).code();
  }
  std::string make_vpc(const std::string& cidr = "10.0.0.0/16", const std::string& who = "alice") {
    return ok("CreateVpc", {{"CidrBlock", cidr}}, who).text("vpcId");
  }
  std::string make_subnet(const std::string& vpc, const std::string& cidr = "10.0.1.0/24") {
    return ok("CreateSubnet", {{"VpcId", vpc}, {"CidrBlock", cidr}}).text("subnetId");
  }
  std::string make_group(const std::string& vpc, const std::string& name = "web") {
    return ok("CreateSecurityGroup", {{"GroupName", name}, {"GroupDescription", "d"}, {"VpcId", vpc}}).text("groupId");
  }
  network::Interface make_interface(const std::string& subnet) {
    return must(store_->write([&](store::Transaction& tx) {
      Scope scope{tx, alice, clock_.now(), ids_, "test", "RunInstances", "r-1"};
      network::InterfaceRequest request;
      request.subnet = SubnetId::trusted(subnet);
      request.instance = InstanceId::generate(ids_);
      request.host = "h1";
      return network::allocate_interface(scope, request);
    }));
  }
  template <class T>
  static T must(Result<T> result) {
    if (!result) throw std::runtime_error(describe(result.error()));
    return std::move(*result);
  }

  const AccountId alice = AccountId::trusted("111111111111");
  const AccountId bob = AccountId::trusted("222222222222");

 private:
  static std::string escaped(const std::string& text) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string out;
    for (const unsigned char c : text) {
      if (std::isalnum(c) != 0)
        out += static_cast<char>(c);
      else
        out += {'%', digits[c >> 4], digits[c & 15]};
    }
    return out;
  }

  /// Believes the header.
  class Believer final : public Authentication {
   public:
    Result<Identification> authenticate(const HttpRequest& request) override {
      const auto* who = request.headers.find("x-who");
      if (who == nullptr) return fail(Code::missing_authentication_token, "Request is missing Authentication Token");
      Identification found;
      found.service = "ec2";
      found.key.id = "AKIA" + *who;
      found.key.account = AccountId::trusted(*who == "bob" ? "222222222222" : "111111111111");
      found.key.user_name = *who;
      found.key.arn = "arn:aws:iam::" + found.key.account.str() + ":user/" + *who;
      found.key.role = Role::administrator;
      return found;
    }
  };
  class NoHost final : public Hosts {
   public:
    std::shared_ptr<hostapi::Host> find(const std::string&) override { return nullptr; }
  };

 protected:
  test::TemporaryDirectory directory_;
  ManualClock clock_;
  SeededIdSource ids_{11};
  Config config_;
  std::unique_ptr<store::Store> store_ = must(store::Store::open((directory_.path() / "virga.db").string()));

 private:
  NoHost hosts_;
  Believer authentication_;

 protected:
  std::unique_ptr<Dispatcher> dispatcher_ =
      must(Dispatcher::create(*store_, clock_, ids_, config_, hosts_, authentication_));
};

}  // namespace virga::api
