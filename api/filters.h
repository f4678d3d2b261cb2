#pragma once

// The filters of one Describe request: values of a filter are alternatives, filters must all match.
// Bounds: 50 filters, 200 values each, 1,024 bytes a value.

#include <string>
#include <string_view>
#include <vector>

#include "api/call.h"
#include "api/codec/reflect.h"
#include "api/members.h"
#include "core/result.h"

namespace virga::api {

class Filters {
 public:
  static constexpr std::size_t max_filters = 50;
  static constexpr std::size_t max_values = 200;
  static constexpr std::size_t max_value_bytes = 1024;

  /// Reads the Filters member of a request, if its operation has one.
  /// Errors: InvalidParameterValue (a name the operation does not know, no values), FilterLimitExceeded.
  static Result<Filters> compile(const ec2::Operation& operation, const void* request);

  /// A filter looks at the member that it names and at what is hidden under its name.
  bool match(const ec2::Shape& shape, const void* item, const Hidden& hidden = {}) const;

 private:
  enum class Looks { at_member, at_tag_value_of_key, at_tag_keys, at_tag_values };
  struct Filter {
    std::string name;
    std::vector<std::string> values;
    Looks looks = Looks::at_member;
    std::string tag_key = {};
  };

  explicit Filters(const ec2::Operation& operation) : operation_(&operation) {}
  Result<void> add(std::string name, std::vector<std::string> values);
  bool passes(const Filter& filter, const ec2::Shape& shape, const void* item, const Hidden& hidden) const;

  const ec2::Operation* operation_;
  std::vector<Filter> filters_;
};

}  // namespace virga::api
