#include "api/envelope.h"

#include "api/codec/json.h"
#include "api/codec/xml.h"
#include "api/errors.h"
#include "api/incoming.h"
#include "api/sts.h"

namespace virga::api {

HttpResponse wrap(const Envelope& envelope, int status, std::string body) {
  HttpResponse response;
  response.status = status;
  response.content_type = envelope.style == Style::json ? "application/json" : "text/xml;charset=UTF-8";
  response.body = std::move(body);
  response.headers.add("x-amzn-RequestId", envelope.request_id);
  return response;
}

HttpResponse answer(const Envelope& envelope, std::string_view action, const ec2::Shape* shape, const void* response) {
  if (envelope.style != Style::json)
    return wrap(envelope, 200, codec::encode_xml(action, envelope.request_id, shape, response));
  return wrap(envelope, 200, shape == nullptr ? R"({"Return":true})" : codec::encode_json(*shape, response));
}

HttpResponse answer_error(const Envelope& envelope, const Error& error) {
  const auto [code, status] = wire_error(error.code);
  const auto query_error = [&](std::string_view xml_namespace) {
    return query_error_xml(xml_namespace, status < 500 ? "Sender" : "Receiver", code, error.message,
                           envelope.request_id);
  };
  switch (envelope.style) {
    case Style::ec2:
      return wrap(envelope, status, codec::encode_xml_error(code, error.message, envelope.request_id));
    case Style::sts:
      return wrap(envelope, status, query_error(sts_namespace));
    case Style::iam:
      return wrap(envelope, status, query_error(iam_namespace));
    case Style::json:
      break;
  }
  return wrap(envelope, status, codec::encode_json_error(code, error.message, envelope.request_id));
}

HttpResponse answer_unknown_path(const Envelope& envelope) {
  return wrap({Style::json, envelope.request_id}, 404,
              codec::encode_json_error("NotFound", "There is nothing at this path.", envelope.request_id));
}

Style claimed_style(const HttpRequest& request) {
  if (request.path().starts_with(json_prefix)) return Style::json;
  const auto* authorization = request.headers.find("authorization");
  const std::string_view signature = authorization != nullptr ? std::string_view(*authorization) : std::string_view();
  const auto claims = [&](std::string_view in_header, std::string_view in_query) {
    return signature.find(in_header) != std::string_view::npos ||
           request.query().find(in_query) != std::string_view::npos;
  };
  if (claims("/sts/aws4_request", "%2Fsts%2Faws4_request")) return Style::sts;
  if (claims("/iam/aws4_request", "%2Fiam%2Faws4_request")) return Style::iam;
  return Style::ec2;
}

}  // namespace virga::api
