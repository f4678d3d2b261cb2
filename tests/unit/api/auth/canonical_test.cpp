#include "api/auth/canonical.h"

#include <gtest/gtest.h>

#include "api/auth/credential.h"
#include "api/auth/signer.h"

namespace virga::auth {
namespace {

TEST(Threat_A05_Canonical, TheDocumentedIamExampleHasItsPublishedSignature) {
  HttpRequest request;
  request.method = "GET";
  request.target = "/?Action=ListUsers&Version=2010-05-08";
  request.headers.add("Content-Type", "application/x-www-form-urlencoded; charset=utf-8");
  request.headers.add("Host", "iam.amazonaws.com");

  sign(request,
       {.key_id = "AKIDEXAMPLE",
        .secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        .region = "us-east-1",
        .service = "iam"},
       parse_iso8601("2015-08-30T12:36:00Z").value());

  EXPECT_EQ(*request.headers.find("X-Amz-Date"), "20150830T123600Z");
  EXPECT_EQ(*request.headers.find("Authorization"),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, "
            "SignedHeaders=content-type;host;x-amz-date, "
            "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7");
}

TEST(Threat_A05_Canonical, TheDocumentedSigningKeyIsDerived) {
  EXPECT_EQ(to_hex(signing_key("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", {"20150830", "us-east-1", "iam"})),
            "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9");
}

std::string canonical(std::string_view query) { return canonical_query(parse_query(query).value()); }

TEST(Threat_A05_Canonical, QueriesHaveOneForm) {
  EXPECT_EQ(canonical(""), "");
  EXPECT_EQ(canonical("b=2&a=1"), "a=1&b=2");
  EXPECT_EQ(canonical("a=2&a=1&a="), "a=&a=1&a=2");
  EXPECT_EQ(canonical("a"), "a=");
  EXPECT_EQ(canonical("a=b=c"), "a=b%3Dc");
  EXPECT_EQ(canonical("a=%7e%2fx+y"), "a=~%2Fx%20y");
  EXPECT_EQ(canonical("%C3%BC=%c3%bc"), "%C3%BC=%C3%BC");
  EXPECT_EQ(canonical("a-b=1&a=1"), "a=1&a-b=1") << "by name, not by the whole pair";
  for (const auto* bad : {"a=%", "a=%2", "a=%zz", "%=1"}) EXPECT_FALSE(parse_query(bad)) << bad;
}

TEST(Threat_A05_Canonical, PathsAreEncodedOnceMoreAndMustBeNormal) {
  EXPECT_EQ(canonical_path("/"), "/");
  EXPECT_EQ(canonical_path("/a%20b/~c"), "/a%2520b/~c");
  for (const auto* bad : {"", "a", "//", "/a//b", "/./a", "/a/..", "/../a", "*"})
    EXPECT_FALSE(canonical_path(bad)) << bad;
}

TEST(Threat_A05_Canonical, ValuesAreTrimmedAndFolded) {
  EXPECT_EQ(canonical_value("  a   b \t c  "), "a b c");
  EXPECT_EQ(canonical_value("   "), "");
}

TEST(Threat_A01_Dates, OnlyRealMomentsInTheExactFormAreDates) {
  EXPECT_EQ(parse_amz_date("20261122T100000Z"), parse_iso8601("2026-11-22T10:00:00Z").value());
  EXPECT_TRUE(parse_amz_date("20240229T235959Z"));
  for (const auto* bad : {"",
                          "Z",
                          "20261122",
                          "20261122T100000",
                          "20261122T100000z",
                          "20261122t100000Z",
                          "20261122 100000Z",
                          "20261122T1000000Z",
                          "020261122T100000Z",
                          "2026112T100000Z",
                          "20261122T10000Z",
                          "20261122T100000ZZ",
                          " 20261122T100000Z",
                          "20261122T100000Z ",
                          "20261322T100000Z",
                          "20260022T100000Z",
                          "20261100T100000Z",
                          "20261131T100000Z",
                          "20230229T100000Z",
                          "20261122T240000Z",
                          "20261122T106000Z",
                          "20261122T100060Z",
                          "20261122T235960Z",
                          "2026-11-22T10:00:00Z",
                          "2026112200T0000Z",
                          "+0261122T100000Z",
                          "-0261122T100000Z",
                          "2026 122T100000Z",
                          "20261122T 00000Z",
                          "20261122T+10000Z",
                          "20261122T-10000Z",
                          "20261122T1e0000Z",
                          "20261122T10000aZ",
                          "20261122T100000+",
                          "Sun, 22 Nov 2026",
                          "1795341600",
                          "0x261122T100000Z",
                          "20261122T100000\0",
                          "99999999T999999Z",
                          "00000000T000000Z",
                          "2026112\xd9\xa0T10000Z"})
    EXPECT_FALSE(parse_amz_date(bad)) << bad;
}

}  // namespace
}  // namespace virga::auth
