#pragma once

// What goes around an answer: EC2's XML, the XML of STS and IAM, or JSON; the request's id is in all of them.

#include <string>
#include <string_view>

#include "api/codec/reflect.h"
#include "core/error.h"
#include "core/http.h"

namespace virga::api {

enum class Style { ec2, sts, iam, json };

struct Envelope {
  Style style = Style::ec2;
  std::string request_id;
};

/// A body of the style's content type, with the request's id as header.
HttpResponse wrap(const Envelope& envelope, int status, std::string body);
HttpResponse answer(const Envelope& envelope, std::string_view action, const ec2::Shape* shape, const void* response);
HttpResponse answer_error(const Envelope& envelope, const Error& error);
/// The one answer for every path that is not served: fixed text, nothing of the request in it.
HttpResponse answer_unknown_path(const Envelope& envelope);

/// Which envelope an error gets before it is known who asks: by path, and the service the signature claims.
Style claimed_style(const HttpRequest& request);

}  // namespace virga::api
