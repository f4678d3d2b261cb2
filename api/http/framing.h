#pragma once

// Judges a parsed request header and builds the header of an answer. The only rules here are those that keep two
// programs from disagreeing about where a message ends.

#include <boost/beast/http/fields.hpp>
#include <boost/beast/http/message.hpp>
#include <string>

#include "core/http.h"

namespace virga::http {

using RequestHeader = boost::beast::http::request_header<>;
using ResponseHeader = boost::beast::http::response_header<>;

/// 0, or the status a request with this header is refused with before its body is read.
int refuse_header(const RequestHeader& header);
bool expects_continue(const RequestHeader& header);
HttpRequest to_request(const RequestHeader& header, const HttpPeer& peer);

/// The header of the answer without its length. False: the handler's fields cannot be sent (a line break in a value).
bool to_header(const HttpResponse& response, ResponseHeader& header);
/// `Sun, 06 Nov 1994 08:49:37 GMT`
std::string http_date();

}  // namespace virga::http
