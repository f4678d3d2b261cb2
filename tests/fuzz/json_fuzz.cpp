// libFuzzer target: a JSON body decoded into RunInstances' request and, as an earlier answer of Virga's own, into its
// result; what was read is written, read again and written the same.

#include <cstdint>
#include <cstdlib>

#include "api/codec/json.h"
#include "api/codec/xml.h"
#include "ec2/op/RunInstances.h"

namespace {

using namespace virga;

template <class T>
void round_trip(std::string_view text, codec::Origin origin) {
  const auto& shape = ec2::describe<T>();
  T first, second, third;
  if (!codec::decode_json(text, shape, &first, origin)) return;
  const auto written = codec::encode_json(shape, &first);
  // What a caller may say may be said again, and what was kept is read whatever the bounds are by then.
  if (!codec::decode_json(written, shape, &second, origin)) std::abort();
  if (!codec::decode_json(written, shape, &third, codec::Origin::stored)) std::abort();
  if (codec::encode_json(shape, &second) != written || codec::encode_json(shape, &third) != written) std::abort();
  if (codec::encode_xml("RunInstances", "r", &shape, &first) != codec::encode_xml("RunInstances", "r", &shape, &third))
    std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  round_trip<ec2::RunInstancesRequest>(text, codec::Origin::request);
  round_trip<ec2::Reservation>(text, codec::Origin::stored);
  return 0;
}
