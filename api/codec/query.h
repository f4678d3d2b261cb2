#pragma once

// EC2's Query dialect: a flat form whose dotted names spell a structure ("TagSpecification.1.Tag.2.Key=Name").
//
// Bounds: 2,000 parameters, 16 levels, list indexes to 1,000. Indexes may start at 0 or 1 and may have gaps; elements
// are ordered by index. A name given twice, text that is not UTF-8 and characters that XML 1.0 cannot carry are errors.

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "api/codec/reflect.h"
#include "core/result.h"

namespace virga::codec {

/// Parameters of one request, as the tree that their dotted names spell.
class Parameters {
 public:
  struct Node {
    std::optional<std::string> value;
    std::map<std::string, Node, std::less<>> children;
  };
  static constexpr std::size_t max_parameters = 2000;
  static constexpr std::size_t max_levels = 16;
  static constexpr std::int64_t max_index = 1000;

  /// Adds those of a form or a URL's query. Errors: MalformedQueryString, InvalidParameterValue, InvalidParameter.
  Result<void> add(std::string_view form);
  /// The value of an undotted name, or nullptr.
  const std::string* find(std::string_view name) const;
  const Node& root() const { return root_; }

 private:
  Result<void> add_pair(std::string name, std::string value);
  Node root_;
  std::size_t count_ = 0;
};

/// Fills a structure of `shape` from the parameters; Action, Version and those of a presigned URL are not its own.
/// Errors: UnknownParameter, MissingParameter, InvalidParameterValue.
Result<void> decode_query(const Parameters& parameters, const ec2::Shape& shape, void* request);

}  // namespace virga::codec
