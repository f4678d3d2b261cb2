// libFuzzer target: a request whose first line is its target, the second its Authorization, the third its X-Amz-Date
// and the rest its body. Nothing the fuzzer makes may verify, since it does not know the secret.

#include <cstdint>
#include <cstdlib>

#include "api/auth/authenticator.h"
#include "tests/unit/api/auth/fake_keys.h"

namespace {

std::string take_line(std::string_view& input) {
  const auto end = std::min(input.find('\n'), input.size());
  std::string line(input.substr(0, end));
  input.remove_prefix(std::min(end + 1, input.size()));
  return line;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace virga;
  static auth::test::FakeKeys keys;
  static const ManualClock clock(parse_iso8601("2026-11-22T10:00:00Z").value());
  static const auth::Authenticator authenticator(keys, clock, "us-east-1");
  constexpr std::string_view services[] = {"ec2", "sts", "iam"};

  std::string_view input(reinterpret_cast<const char*>(data), size);
  HttpRequest request;
  request.method = "POST";
  request.target = take_line(input);
  request.headers.add("Host", "h");
  request.headers.add("Authorization", take_line(input));
  request.headers.add("X-Amz-Date", take_line(input));
  request.body = input;
  if (authenticator.authenticate(request, services)) std::abort();
  return 0;
}
