// Lets codec_test.py hold the codecs against botocore and the model, action by action. For each line it reads it writes
// one of JSON: what came of it, or {"error": code, "message": text}. The form of a line is "<Operation> <text>".
//
//   codec_probe requests   text is a Query form           -> the request as JSON
//   codec_probe json       text is a request in JSON      -> the request as JSON
//   codec_probe answers    text is an answer in JSON      -> [the answer as JSON, the answer as XML]
//   codec_probe sts        text is a caller's identity    -> [the answer as XML, an error with the ARN as its message]

#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "api/codec/json.h"
#include "api/codec/query.h"
#include "api/codec/xml.h"
#include "api/errors.h"
#include "api/sts.h"
#include "core/assert.h"

namespace virga {
namespace {

using ec2::Operation;
using ec2::Shape;

/// An instance of a structure known by its descriptor only: an element appended to a vector of its type, which begins,
/// like every vector, as three null pointers. Never freed: the program is short.
void* make(const Shape& shape) { return shape.access->append(new std::vector<std::byte>()); }

Result<std::string> query_request(const Operation* operation, std::string_view form) {
  codec::Parameters parameters;
  TRY_VOID(parameters.add(form));
  void* const made = make(*operation->input);
  TRY_VOID(codec::decode_query(parameters, *operation->input, made));
  return codec::encode_json(*operation->input, made);
}

Result<std::string> json_request(const Operation* operation, std::string_view text) {
  void* const made = make(*operation->input);
  TRY_VOID(codec::decode_json(text, *operation->input, made, codec::Origin::request));
  return codec::encode_json(*operation->input, made);
}

Result<std::string> answer(const Operation* operation, std::string_view text) {
  if (operation->output == nullptr)
    return nlohmann::json::array({"{}", codec::encode_xml(operation->name, "r-1", nullptr, nullptr)}).dump();
  void* const made = make(*operation->output);
  TRY_VOID(codec::decode_json(text, *operation->output, made, codec::Origin::stored));
  return nlohmann::json::array({codec::encode_json(*operation->output, made),
                                codec::encode_xml(operation->name, "r-1", operation->output, made)})
      .dump();
}

Result<std::string> caller_identity(const Operation*, std::string_view text) {
  const auto wanted = nlohmann::json::parse(text);
  api::Caller caller;
  caller.account = AccountId::trusted(wanted.at("Account").get<std::string>());
  caller.user_id = wanted.at("UserId");
  caller.arn = wanted.at("Arn");
  return nlohmann::json::array({api::caller_identity_xml(caller, "r-1"),
                                api::query_error_xml(api::sts_namespace, "Sender", "Code", caller.arn, "r-1")})
      .dump();
}

std::string error_line(const Error& error) {
  return nlohmann::json({{"error", api::wire_error(error.code).code}, {"message", error.message}}).dump();
}

void each_line(Result<std::string> (*mode)(const Operation*, std::string_view)) {
  std::ios::sync_with_stdio(false);
  for (std::string line; std::getline(std::cin, line);) {
    const auto space = line.find(' ');
    const auto* operation = ec2::find_operation(line.substr(0, space));
    VIRGA_ASSERT(operation != nullptr || mode == caller_identity);
    const auto text = mode(operation, std::string_view(line).substr(space + 1));
    std::cout << (text ? *text : error_line(text.error())) << '\n';
  }
}

}  // namespace
}  // namespace virga

int main(int count, char** arguments) {
  const std::string_view mode = count == 2 ? arguments[1] : "";
  if (mode == "requests")
    virga::each_line(virga::query_request);
  else if (mode == "json")
    virga::each_line(virga::json_request);
  else if (mode == "answers")
    virga::each_line(virga::answer);
  else if (mode == "sts")
    virga::each_line(virga::caller_identity);
  else
    return 2;
}
