#pragma once

// The one call of STS that clients make of EC2 endpoints: GetCallerIdentity (Terraform does, at every start). Version
// 2011-06-15; its envelopes are those of the AWS query protocol and differ from EC2's. IAM's errors look the same.

#include <string>
#include <string_view>

#include "api/call.h"

namespace virga::api {

std::string caller_identity_xml(const Caller& caller, std::string_view request_id);

/// The error answer of STS and IAM. `fault`: whose it is, "Sender" or "Receiver".
std::string query_error_xml(std::string_view xml_namespace, std::string_view fault, std::string_view code,
                            std::string_view message, std::string_view request_id);

inline constexpr std::string_view sts_namespace = "https://sts.amazonaws.com/doc/2011-06-15/";
inline constexpr std::string_view iam_namespace = "https://iam.amazonaws.com/doc/2010-05-08/";

}  // namespace virga::api
