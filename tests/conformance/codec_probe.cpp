// Lets codec_test.py hold the codecs against botocore's model, shape by shape.
//
//   codec_probe requests   reads lines "<Operation> <form>", writes each request as JSON, or "error <message>"
//   codec_probe answers    writes, for every operation with an output, "<Operation>\t<json>\t<xml>" of a filled answer

#include <fmt/format.h>

#include <iostream>
#include <string>
#include <vector>

#include "api/codec/json.h"
#include "api/codec/query.h"
#include "api/codec/xml.h"
#include "core/assert.h"

namespace virga {
namespace {

using ec2::Kind;
using ec2::Shape;

/// An instance of a structure known by its descriptor only: an element appended to a vector of its type, which begins,
/// like every vector, as three null pointers. Never freed: the program is short.
void* make(const Shape& shape) { return shape.access->append(new std::vector<std::byte>()); }

void fill(const Shape& shape, void* value, int& counter);

void fill_members(const Shape& shape, void* structure, int& counter) {
  for (const auto& member : shape.members) {
    void* slot = static_cast<std::byte*>(structure) + member.offset;
    if (member.shape->kind != Kind::list) {
      fill(*member.shape, member.shape->access->emplace(slot), counter);
      continue;
    }
    for (int i = 0; i < 2; ++i) fill(*member.shape->element, member.shape->element->access->append(slot), counter);
  }
}

void fill(const Shape& shape, void* value, int& counter) {
  const int number = ++counter;
  switch (shape.kind) {
    case Kind::string:
      *static_cast<std::string*>(value) = fmt::format("text <{}> & \"it's\"", number);
      return;
    case Kind::enumeration:
      *static_cast<std::string*>(value) = shape.values.empty() ? "open" : std::string(shape.values.front());
      return;
    case Kind::integer:
      *static_cast<std::int32_t*>(value) = -number;
      return;
    case Kind::long_integer:
      *static_cast<std::int64_t*>(value) = (std::int64_t{1} << 40) + number;
      return;
    case Kind::real:
      *static_cast<double*>(value) = number + 0.25;
      return;
    case Kind::boolean:
      *static_cast<bool*>(value) = number % 2 == 0;
      return;
    case Kind::timestamp:
      *static_cast<Time*>(value) = {1'795'334'535'120 + number};
      return;
    case Kind::blob:
      static_cast<ec2::Blob*>(value)->bytes = std::string("\0\xFF", 2) + std::to_string(number);
      return;
    case Kind::structure:
      return fill_members(shape, value, counter);
    case Kind::list:
      break;
  }
  assertion_failed("no lists of lists", __FILE__, __LINE__);
}

void answers() {
  for (const auto& operation : ec2::operations()) {
    if (operation.output == nullptr) continue;
    void* const made = make(*operation.output);
    int counter = 0;
    fill_members(*operation.output, made, counter);
    std::cout << operation.name << '\t' << codec::encode_json(*operation.output, made) << '\t'
              << codec::encode_xml(operation.name, "r-1", operation.output, made) << '\n';
  }
}

Result<std::string> decode(const ec2::Operation& operation, std::string_view form) {
  codec::Parameters parameters;
  TRY_VOID(parameters.add(form));
  void* const made = make(*operation.input);
  TRY_VOID(codec::decode_query(parameters, *operation.input, made));
  return codec::encode_json(*operation.input, made);
}

void requests() {
  for (std::string line; std::getline(std::cin, line);) {
    const auto space = line.find(' ');
    const auto* operation = ec2::find_operation(line.substr(0, space));
    VIRGA_ASSERT(operation != nullptr);
    const auto json = decode(*operation, std::string_view(line).substr(space + 1));
    std::cout << (json ? *json : "error " + json.error().message) << '\n';
  }
}

}  // namespace
}  // namespace virga

int main(int count, char** arguments) {
  if (count == 2 && std::string_view(arguments[1]) == "answers")
    virga::answers();
  else if (count == 2 && std::string_view(arguments[1]) == "requests")
    virga::requests();
  else
    return 2;
}
