#include "api/error_page.h"

#include <gtest/gtest.h>

#include <set>

#include "api/errors.h"

namespace virga::api {
namespace {

TEST(ErrorPage, HasEachCodeOnceWithItsStatus) {
  const auto page = error_codes_page();
  std::set<std::string_view> seen;
#define X(name, wire, status, when)                                                             \
  EXPECT_TRUE(seen.insert(wire).second) << wire << " is in the list twice";                     \
  EXPECT_NE(page.find("| `" wire "` | " #status " | " when " |\n"), std::string::npos) << wire; \
  EXPECT_EQ(wire_error(Code::name).code, wire);
#include "core/error_codes.def"
#undef X
}

TEST(ErrorPage, IsInOrder) {
  const auto page = error_codes_page();
  EXPECT_LT(page.find("| `AccessDenied` |"), page.find("| `AddressLimitExceeded` |"));
  EXPECT_LT(page.find("| `UnknownParameter` |"), page.find("| `VpcLimitExceeded` |"));
}

}  // namespace
}  // namespace virga::api
