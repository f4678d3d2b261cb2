#include "hostapi/agent/host_identity.h"

#include <fstream>

#include "tests/unit/hostapi/fixture.h"

namespace virga::hostapi {
namespace {

TEST(HostIdentity, IsMadeOnceAndKept) {
  TemporaryDirectory directory;
  SystemIdSource ids;
  const auto first = host_identity(directory.path() / "identity", ids);
  ASSERT_TRUE(first);
  EXPECT_EQ(host_identity(directory.path() / "identity", ids).value(), *first);
  EXPECT_NE(host_identity(directory.path() / "another", ids).value(), *first);
}

TEST(HostIdentity, ADamagedFileIsNotReplacedByANewIdentity) {
  TemporaryDirectory directory;
  SystemIdSource ids;
  for (const char* content : {"", "short", "0123456789-0123456789-0123456789-01X\n"}) {
    std::ofstream(directory.path() / "identity") << content;
    EXPECT_FALSE(host_identity(directory.path() / "identity", ids)) << content;
  }
}

}  // namespace
}  // namespace virga::hostapi
