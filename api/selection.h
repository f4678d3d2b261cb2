#pragma once

// What one Describe request selects: its filters, and its page by MaxResults and NextToken.

#include <limits>
#include <optional>

#include "api/call.h"
#include "api/filters.h"
#include "api/page_tokens.h"

namespace virga::api {

class RequestSelection final : public Selection {
 public:
  /// Errors: those of Filters::compile; InvalidParameterValue (MaxResults), InvalidParameterCombination (MaxResults
  /// with ids), InvalidNextToken.
  static Result<RequestSelection> create(const ec2::Operation& operation, const void* request, const PageTokens& tokens,
                                         const AccountId& account);

  bool matches(const ec2::Shape& shape, const void* item, const Hidden& hidden) const override {
    return filters_.match(shape, item, hidden);
  }
  const std::string& after() const override { return after_; }
  std::size_t room() const override { return room_; }
  void took(std::string_view key) override;
  void more() override { more_ = true; }

  /// Writes NextToken into an answer that has more.
  void finish(const ec2::Shape& output, void* response) const;

 private:
  RequestSelection(Filters filters, const PageTokens& tokens) : filters_(std::move(filters)), tokens_(&tokens) {}

  Filters filters_;
  const PageTokens* tokens_;
  PageTokens::List list_;
  std::string after_;
  std::string last_;
  std::size_t room_ = std::numeric_limits<std::size_t>::max();
  bool more_ = false;
};

}  // namespace virga::api
