#include "api/sts.h"

#include "api/codec/xml.h"

namespace virga::api {

namespace {
void append_element(std::string& out, std::string_view name, std::string_view text) {
  out.append("<").append(name).append(">");
  codec::append_escaped(out, text);
  out.append("</").append(name).append(">");
}
}  // namespace

std::string caller_identity_xml(const Caller& caller, std::string_view request_id) {
  std::string out = R"(<?xml version="1.0" encoding="UTF-8"?><GetCallerIdentityResponse xmlns=")";
  out.append(sts_namespace).append("\"><GetCallerIdentityResult>");
  append_element(out, "Arn", caller.arn);
  append_element(out, "UserId", caller.user_id);
  append_element(out, "Account", caller.account.str());
  out.append("</GetCallerIdentityResult><ResponseMetadata>");
  append_element(out, "RequestId", request_id);
  return out.append("</ResponseMetadata></GetCallerIdentityResponse>");
}

std::string query_error_xml(std::string_view xml_namespace, std::string_view fault, std::string_view code,
                            std::string_view message, std::string_view request_id) {
  std::string out = R"(<?xml version="1.0" encoding="UTF-8"?><ErrorResponse xmlns=")";
  out.append(xml_namespace).append("\"><Error>");
  append_element(out, "Type", fault);
  append_element(out, "Code", code);
  append_element(out, "Message", message);
  out.append("</Error>");
  append_element(out, "RequestId", request_id);
  return out.append("</ErrorResponse>");
}

}  // namespace virga::api
