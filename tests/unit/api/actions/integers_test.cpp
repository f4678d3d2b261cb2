// Threat C08: every integer that any action of the table takes, at the edges of what it may be, in both dialects.

#include <gtest/gtest.h>

#include <limits>
#include <set>

#include "api/action.h"
#include "api/codec/json.h"
#include "api/codec/query.h"

namespace virga::api {
namespace {

using ec2::Kind;
using ec2::Shape;

struct Parameter {
  const Action* action;
  std::string query;  ///< BlockDeviceMapping.1.Ebs.Iops
  std::string json;   ///< {"BlockDeviceMappings":[{"Ebs":{"Iops":@}}]}
  const Shape* shape;
};

/// Where a walk through a request's structures is.
struct Place {
  std::string query;
  std::string open;
  std::string close;
  std::set<const Shape*> above;  ///< the model has structures that hold themselves
};

void collect(const Action& action, const Shape& shape, Place place, std::vector<Parameter>& found) {
  if (!place.above.insert(&shape).second) return;
  for (const auto& member : shape.members) {
    const bool list = member.shape->kind == Kind::list;
    const Shape& value = list ? *member.shape->element : *member.shape;
    const Place below{place.query + (place.query.empty() ? "" : ".") + std::string(member.query) + (list ? ".1" : ""),
                      place.open + "{\"" + std::string(member.name) + "\":" + (list ? "[" : ""),
                      (list ? "]}" : "}") + place.close, place.above};
    if (value.kind == Kind::structure) collect(action, value, below, found);
    if (value.kind == Kind::integer || value.kind == Kind::long_integer)
      found.push_back({&action, below.query, below.open + "@" + below.close, &value});
  }
}

std::vector<Parameter> integer_parameters() {
  std::vector<Parameter> found;
  for (const auto& action : all_actions()) collect(action, *action.operation->input, {}, found);
  return found;
}

/// That others are missing is said after every value given has been read.
bool taken(const Result<void>& decoded) { return decoded || decoded.error().code == Code::missing_parameter; }

bool query_takes(const Parameter& parameter, const std::string& value) {
  codec::Parameters parameters;
  if (!parameters.add(parameter.query + "=" + value)) return false;
  const auto invocation = parameter.action->invoke();
  return taken(codec::decode_query(parameters, *parameter.action->operation->input, invocation->request()));
}

bool json_takes(const Parameter& parameter, const std::string& value) {
  auto text = parameter.json;
  text.replace(text.find('@'), 1, value);
  const auto invocation = parameter.action->invoke();
  return taken(
      codec::decode_json(text, *parameter.action->operation->input, invocation->request(), codec::Origin::request));
}

struct Range {
  std::int64_t min;
  std::int64_t max;
};

Range range_of(const Shape& shape) {
  const bool narrow = shape.kind == Kind::integer;
  using Narrow = std::numeric_limits<std::int32_t>;
  using Wide = std::numeric_limits<std::int64_t>;
  return {shape.min.value_or(narrow ? Narrow::min() : Wide::min()),
          shape.max.value_or(narrow ? Narrow::max() : Wide::max())};
}

TEST(Threat_C08, IntegersAreTakenUpToTheirEdgesAndNoFurther) {
  const auto parameters = integer_parameters();
  EXPECT_GE(parameters.size(), 40u);
  for (const auto& parameter : parameters) {
    SCOPED_TRACE(std::string(parameter.action->name) + " " + parameter.query);
    const auto [min, max] = range_of(*parameter.shape);
    for (const auto value : {min, max}) {
      EXPECT_TRUE(query_takes(parameter, std::to_string(value))) << value;
      EXPECT_TRUE(json_takes(parameter, std::to_string(value))) << value;
    }
    if (min > std::numeric_limits<std::int64_t>::min()) {
      EXPECT_FALSE(query_takes(parameter, std::to_string(min - 1)));
      EXPECT_FALSE(json_takes(parameter, std::to_string(min - 1)));
    }
    if (max < std::numeric_limits<std::int64_t>::max()) {
      EXPECT_FALSE(query_takes(parameter, std::to_string(max + 1)));
      EXPECT_FALSE(json_takes(parameter, std::to_string(max + 1)));
    }
  }
}

TEST(Threat_C08, NothingElseIsAnInteger) {
  const std::vector<std::string> in_query = {"0x10",
                                             "1e3",
                                             "010",
                                             "00",
                                             "%2B5",
                                             "%205",
                                             "5%20",
                                             "1.0",
                                             "five",
                                             "--1",
                                             "-",
                                             "1,000",
                                             "9223372036854775808",
                                             "-9223372036854775809",
                                             "18446744073709551616",
                                             "99999999999999999999999999",
                                             "%D9%A3",
                                             "NaN",
                                             "true",
                                             "5%00",
                                             "1%2C5",
                                             "1_0"};
  const std::vector<std::string> in_json = {"0x10",
                                            "1e3",
                                            "010",
                                            "+5",
                                            "1.0",
                                            "\"5\"",
                                            "\"\"",
                                            "true",
                                            "[5]",
                                            "{}",
                                            "9223372036854775808",
                                            "-9223372036854775809",
                                            "18446744073709551616",
                                            "1e400",
                                            "NaN",
                                            "-"};
  for (const auto& parameter : integer_parameters()) {
    SCOPED_TRACE(std::string(parameter.action->name) + " " + parameter.query);
    for (const auto& value : in_query) EXPECT_FALSE(query_takes(parameter, value)) << value;
    for (const auto& value : in_json) EXPECT_FALSE(json_takes(parameter, value)) << value;
  }
}

}  // namespace
}  // namespace virga::api
