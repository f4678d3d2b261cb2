#pragma once

// A dispatcher with a store of its own, rows of the test's choice, and callers who are whom a header says.

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "api/dispatcher.h"

namespace virga::api {

/// Takes the name in the header for the caller's: "reader", or the service; refuses without one.
class FakeAuthentication final : public Authentication {
 public:
  Result<Identification> authenticate(const HttpRequest& request) override {
    const auto* who = request.headers.find("x-who");
    if (who == nullptr) return fail(Code::missing_authentication_token, "Request is missing Authentication Token");
    Identification found;
    found.service = *who == "sts" || *who == "iam" ? *who : "ec2";
    found.key.id = "AKIA" + *who;
    found.key.account = AccountId::trusted(*who == "other" ? "222222222222" : "111111111111");
    found.key.user_name = *who;
    found.key.user_id = "AIDA" + *who;
    found.key.arn = "arn:aws:iam::" + found.key.account.str() + ":user/" + *who;
    found.key.role = *who == "reader" ? Role::read_only : Role::administrator;
    return found;
  }
};

class NoHosts final : public Hosts {
 public:
  std::shared_ptr<hostapi::Host> find(const std::string&) override { return nullptr; }
};

class DispatcherFixture : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("virga-dispatcher-" + SystemIdSource().hex17());
    std::filesystem::create_directories(folder_);
    store_ = std::move(*store::Store::open((folder_ / "virga.db").string()));
    dispatcher_ = make();
  }
  void TearDown() override {
    dispatcher_.reset();
    store_.reset();
    std::filesystem::remove_all(folder_);
  }

  /// The table the requests of a test meet.
  virtual std::vector<Action> rows() = 0;
  std::unique_ptr<Dispatcher> make() {
    return std::move(*Dispatcher::create(*store_, clock_, ids_, config_, hosts_, authentication_, rows()));
  }

  static HttpRequest form(const std::string& body, const std::string& who = "alice") {
    HttpRequest request;
    request.method = "POST";
    request.target = "/";
    request.headers.add("Content-Type", "application/x-www-form-urlencoded; charset=utf-8");
    if (!who.empty()) request.headers.add("X-Who", who);
    request.body = body;
    return request;
  }
  static HttpRequest json(const std::string& action, const std::string& body) {
    HttpRequest request = form(body);
    request.target = "/api/v1/" + action;
    request.headers = {};
    request.headers.add("Content-Type", "application/json");
    request.headers.add("X-Who", "alice");
    return request;
  }
  HttpResponse post(const std::string& body, const std::string& who = "alice") {
    return dispatcher_->handle(form(body, who));
  }
  static std::string between(const std::string& text, const std::string& from, const std::string& to) {
    const auto start = text.find(from);
    if (start == std::string::npos) return {};
    const auto end = text.find(to, start + from.size());
    return text.substr(start + from.size(), end - start - from.size());
  }
  static std::string code(const HttpResponse& response) { return between(response.body, "<Code>", "</Code>"); }
  std::int64_t count(const std::string& pattern) {
    return *store_->read([&](store::Transaction& tx) -> Result<std::int64_t> {
      return tx.number("SELECT count(*) FROM setting WHERE name GLOB ?", pattern);
    });
  }

  std::filesystem::path folder_;
  ManualClock clock_;
  SystemIdSource ids_;
  Config config_;
  NoHosts hosts_;
  FakeAuthentication authentication_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<Dispatcher> dispatcher_;
};

}  // namespace virga::api
