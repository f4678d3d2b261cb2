// libFuzzer target: a form body decoded into RunInstances' request, the largest, and what was read encoded again.

#include <cstdint>
#include <cstdlib>

#include "api/codec/json.h"
#include "api/codec/query.h"
#include "ec2/op/RunInstances.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace virga;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto& shape = ec2::describe<ec2::RunInstancesRequest>();

  codec::Parameters parameters;
  ec2::RunInstancesRequest request;
  if (!parameters.add(text) || !codec::decode_query(parameters, shape, &request)) return 0;
  // What was accepted can be written and is then read back as the same.
  const auto written = codec::encode_json(shape, &request);
  ec2::RunInstancesRequest again;
  if (!codec::decode_json(written, shape, &again, codec::Origin::stored)) std::abort();
  if (codec::encode_json(shape, &again) != written) std::abort();
  return 0;
}
