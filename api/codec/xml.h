#pragma once

// Answers as XML, appended straight to a string. Absent scalars are left out (an empty number breaks clients); the
// wrapper of a list is always written, since botocore drops the key otherwise.

#include <string>
#include <string_view>

#include "api/codec/reflect.h"

namespace virga::codec {

/// The whole answer of an EC2 action: <XResponse><requestId/>members</XResponse>. `response` of no shape: NoOutput.
std::string encode_xml(std::string_view action, std::string_view request_id, const ec2::Shape* shape,
                       const void* response);
/// EC2's error answer.
std::string encode_xml_error(std::string_view code, std::string_view message, std::string_view request_id);
/// Appends text with XML's special characters escaped; what XML cannot carry becomes '?'.
void append_escaped(std::string& out, std::string_view text);

}  // namespace virga::codec
