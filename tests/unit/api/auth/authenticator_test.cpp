#include "api/auth/authenticator.h"

#include <gtest/gtest.h>

#include "api/auth/signer.h"
#include "tests/unit/api/auth/fake_keys.h"
#include "tests/unit/api/auth/golden_requests.h"

namespace virga::auth {
namespace {

constexpr std::string_view services[] = {"ec2", "sts", "iam"};
const Time signing_time = parse_iso8601("2026-11-22T10:00:00Z").value();

struct AuthenticatorTest : testing::Test {
  Result<Authenticated> verify(const HttpRequest& request) { return authenticator.authenticate(request, services); }
  /// The refusal's code; `internal` when it was accepted.
  Code refusal(const HttpRequest& request) {
    const auto result = verify(request);
    return result ? Code::internal : result.error().code;
  }

  test::FakeKeys keys;
  ManualClock clock{signing_time};
  Authenticator authenticator{keys, clock, "us-east-1"};
};
using Threat_A01 = AuthenticatorTest;
using Threat_A02 = AuthenticatorTest;
using Threat_A03 = AuthenticatorTest;
using Threat_A04 = AuthenticatorTest;
using Threat_A05 = AuthenticatorTest;
using Threat_A06 = AuthenticatorTest;
using Threat_A07 = AuthenticatorTest;
using Threat_A08 = AuthenticatorTest;

HttpRequest unsigned_request() {
  HttpRequest request;
  request.method = "POST";
  request.target = "/";
  request.headers.add("Host", "127.0.0.1:8773");
  request.headers.add("Content-Type", "application/x-www-form-urlencoded");
  request.body = "Action=DescribeVpcs&Version=2016-11-15";
  return request;
}

struct Signing {
  std::string key_id = test::key_id;
  std::string secret = test::secret;
  std::string region = "us-east-1";
  std::string service = "ec2";
  Time time = signing_time;
};

HttpRequest signed_request(const Signing& how = {}) {
  HttpRequest request = unsigned_request();
  sign(request, {how.key_id, how.secret, how.region, how.service}, how.time);
  return request;
}

HttpRequest with_headers(const HttpRequest& from, const HttpHeaders& headers) {
  HttpRequest request = from;
  request.headers = headers;
  return request;
}

/// The request with one header's value replaced; removed when there is none.
HttpRequest replace(const HttpRequest& request, const std::string& name, std::optional<std::string> new_value) {
  HttpHeaders headers;
  for (const auto& [field, value] : request.headers.all()) {
    if (field != name)
      headers.add(field, value);
    else if (new_value)
      headers.add(field, *new_value);
  }
  return with_headers(request, headers);
}

HttpRequest add(HttpRequest request, const std::string& name, const std::string& value) {
  request.headers.add(name, value);
  return request;
}

std::string authorization(const HttpRequest& request) { return *request.headers.find("Authorization"); }

HttpRequest golden(const test::GoldenRequest& from) {
  HttpRequest request;
  request.method = from.method;
  request.target = from.target;
  request.body = from.body;
  for (const auto& [name, value] : from.headers) request.headers.add(name, value);
  return request;
}

bool is_steering(const std::string& header) {
  return header == "Authorization" || header == "Host" || header == "Content-Type" || header.starts_with("X-Amz-");
}

TEST_F(Threat_A05, RequestsOfTheSdksVerify) {
  for (const auto& recorded : test::golden_requests()) {
    const auto result = verify(golden(recorded));
    ASSERT_TRUE(result) << recorded.name << ": " << result.error().message;
    EXPECT_EQ(result->key.id, test::key_id);
  }
}

TEST_F(Threat_A05, NoOneByteChangeOfASignedPartVerifies) {
  for (const auto& recorded : test::golden_requests()) {
    const HttpRequest original = golden(recorded);
    const auto expect_refused = [&](const HttpRequest& changed, const std::string& what) {
      const auto result = verify(changed);
      EXPECT_FALSE(result) << recorded.name << ": " << what;
    };
    const auto mutate = [&](const std::string& text, const std::string& what, const auto& put) {
      for (std::size_t i = 0; i < text.size(); ++i)
        for (const char flip : {'\x01', '\x20'}) {
          std::string changed = text;
          changed[i] = static_cast<char>(changed[i] ^ flip);
          // Equal by definition: a blank's kind, and the case of an escape's digits.
          if (what != "body" && (text[i] == ' ' || changed[i] == ' ')) continue;
          if (what == "target" && flip == '\x20' && i > 0 && text.find('%') != std::string::npos &&
              (text[i - 1] == '%' || (i > 1 && text[i - 2] == '%')))
            continue;
          expect_refused(put(changed), what + " byte " + std::to_string(i) + ": " + changed);
        }
    };
    mutate(original.method, "method", [&](std::string text) {
      HttpRequest request = original;
      request.method = std::move(text);
      return request;
    });
    mutate(original.target, "target", [&](std::string text) {
      HttpRequest request = original;
      request.target = std::move(text);
      return request;
    });
    mutate(original.body, "body", [&](std::string text) {
      HttpRequest request = original;
      request.body = std::move(text);
      return request;
    });
    for (const auto& [name, value] : original.headers.all())
      if (is_steering(name))
        mutate(value, name, [&, header = name](std::string text) { return replace(original, header, text); });
  }
}

TEST_F(Threat_A01, TheClockMayDifferByFiveMinutes) {
  for (const auto& [offset, accepted] : {std::pair(-301, false), {-299, true}, {0, true}, {299, true}, {301, false}}) {
    const auto request = signed_request({.time = signing_time + std::chrono::seconds(offset)});
    if (accepted)
      EXPECT_TRUE(verify(request)) << offset;
    else
      EXPECT_EQ(refusal(request), Code::request_expired) << offset;
  }
}

TEST_F(Threat_A01, MissingMalformedAndForeignDatesAreRefused) {
  const auto request = signed_request();
  EXPECT_EQ(refusal(replace(request, "X-Amz-Date", std::nullopt)), Code::incomplete_signature);
  for (const auto* bad : {"", "0", "20261122", "20261122T100000", "2026-11-22T10:00:00Z", "20261122T106000Z",
                          "20261131T100000Z", "Sun, 22 Nov 2026 10:00:00 GMT", "20261123T100000Z"})
    EXPECT_EQ(refusal(replace(request, "X-Amz-Date", bad)), Code::auth_failure) << bad;
}

/// Signed with a Date header in place of X-Amz-Date; the signature's own text has the date in one form only.
HttpRequest signed_with_date(const std::string& header, const std::string& amz_date = "20261122T100000Z") {
  auto request = unsigned_request();
  request.headers.add("Date", header);
  const std::vector<std::string> names = {"content-type", "date", "host"};
  const CredentialScope scope{amz_date.substr(0, 8), "us-east-1", "ec2"};
  const auto canonical = canonical_request(request, {}, names, sha256_hex(request.body)).value();
  request.headers.add("Authorization", std::string(algorithm) + " Credential=" + test::key_id + "/" + scope.str() +
                                           ", SignedHeaders=content-type;date;host, Signature=" +
                                           signature(signing_key(test::secret, scope), amz_date, scope, canonical));
  return request;
}

TEST_F(Threat_A01, ADateHeaderServesInPlaceOfXAmzDate) {
  EXPECT_TRUE(verify(signed_with_date("Sun, 22 Nov 2026 10:00:00 GMT")));
  EXPECT_TRUE(verify(signed_with_date("20261122T100000Z")));
  EXPECT_EQ(refusal(signed_with_date("Sun, 22 Nov 2026 09:54:59 GMT", "20261122T095459Z")), Code::request_expired);
  EXPECT_EQ(refusal(signed_with_date("Sun, 22 Nov 2026 09:59:59 GMT")), Code::auth_failure);
  for (const auto* bad : {"", "Mon, 22 Nov 2026 10:00:00 GMT", "Sun, 22 Nov 2026 10:00:00 +0000", "22 Nov 2026"})
    EXPECT_EQ(refusal(signed_with_date(bad)), Code::auth_failure) << bad;
  auto both = signed_request();
  both.headers.add("Date", "Sun, 22 Nov 2026 01:00:00 GMT");
  EXPECT_TRUE(verify(both)) << "X-Amz-Date counts where both are given";
}

TEST_F(Threat_A01, TheScopesDateMustBeTheRequestsDay) {
  clock.set(parse_iso8601("2026-11-23T00:01:00Z").value());
  auto request = signed_request({.time = parse_iso8601("2026-11-22T23:59:00Z").value()});
  EXPECT_TRUE(verify(request)) << "both before midnight";
  auto text = authorization(request);
  text.replace(text.find("/20261122/"), 10, "/20261123/");
  EXPECT_EQ(refusal(replace(request, "Authorization", text)), Code::auth_failure);
}

TEST_F(Threat_A02, HeadersThatSteerMustBeSigned) {
  const auto request = signed_request();
  for (const auto* name : {"X-Amz-Security-Token", "X-Amz-Content-Sha256", "X-Amz-Target", "x-amz-meta", "X-AMZ-ACL",
                           "X-Amz-", "X-Amz-Date"})
    EXPECT_FALSE(verify(add(request, name, "1"))) << name;
  EXPECT_TRUE(verify(add(request, "Amz-Sdk-Request", "attempt=1"))) << "botocore sends it unsigned";

  auto text = authorization(request);
  text.replace(text.find(";host"), 5, "");
  EXPECT_EQ(refusal(replace(request, "Authorization", text)), Code::auth_failure);
  EXPECT_EQ(refusal(replace(request, "Host", "other")), Code::auth_failure);
}

TEST_F(Threat_A02, ASignedHeaderGivenTwiceIsRefused) {
  const auto request = signed_request();
  for (const auto* name : {"Host", "Content-Type", "X-Amz-Date"})
    EXPECT_EQ(refusal(add(request, name, *request.headers.find(name))), Code::auth_failure) << name;
}

TEST_F(Threat_A03, TheBodysHashIsThatOfTheBytesReceived) {
  HttpRequest request = unsigned_request();
  request.headers.add("X-Amz-Content-Sha256", sha256_hex(request.body));
  sign(request, {test::key_id, test::secret, "us-east-1", "ec2"}, signing_time);
  EXPECT_TRUE(verify(request));
  request.body += " ";
  EXPECT_EQ(refusal(request), Code::auth_failure);
}

TEST_F(Threat_A03, PayloadsOutsideTheSignatureAreRefused) {
  for (const auto* special :
       {"UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", ""}) {
    HttpRequest request = unsigned_request();
    request.headers.add("X-Amz-Content-Sha256", special);
    sign(request, {test::key_id, test::secret, "us-east-1", "ec2"}, signing_time);
    EXPECT_EQ(refusal(request), Code::auth_failure) << special;
  }
}

TEST_F(Threat_A04, SignaturesForOthersAreRefused) {
  EXPECT_EQ(refusal(signed_request({.service = "s3"})), Code::signature_does_not_match);
  EXPECT_EQ(refusal(signed_request({.region = "eu-west-1"})), Code::signature_does_not_match);
  constexpr std::string_view only_ec2[] = {"ec2"};
  EXPECT_FALSE(authenticator.authenticate(signed_request({.service = "iam"}), only_ec2));
  EXPECT_EQ(verify(signed_request({.service = "sts"}))->service, "sts");
}

TEST_F(Threat_A06, TheSignatureComesOnceAndComplete) {
  const auto request = signed_request();
  const auto text = authorization(request);
  EXPECT_EQ(refusal(unsigned_request()), Code::missing_authentication_token);
  EXPECT_EQ(refusal(add(request, "authorization", text)), Code::incomplete_signature);
  HttpRequest both = request;
  both.target = "/?X-Amz-Algorithm=AWS4-HMAC-SHA256";
  EXPECT_EQ(refusal(both), Code::incomplete_signature);

  const std::string credential = text.substr(17, text.find(", SignedHeaders") - 17);
  const std::string rest = text.substr(text.find(", SignedHeaders"));
  for (const std::string& bad :
       {std::string(),
        std::string("Bearer x"),
        std::string("AWS4-HMAC-SHA256"),
        std::string("AWS4-HMAC-SHA256 "),
        "AWS4-HMAC-SHA512" + text.substr(16),
        text + ",",
        text + ", Extra=1",
        text + ", " + credential,
        "AWS4-HMAC-SHA256 " + rest.substr(2),
        "AWS4-HMAC-SHA256 " + credential,
        "AWS4-HMAC-SHA256 Credential=A/20261122/us-east-1/ec2" + rest,
        "AWS4-HMAC-SHA256 Credential=A/20261122/us-east-1/ec2/aws4_request/x" + rest,
        "AWS4-HMAC-SHA256 Credential=A/2026112/us-east-1/ec2/aws4_request" + rest,
        "AWS4-HMAC-SHA256 Credential=/20261122/us-east-1/ec2/aws4_request" + rest,
        "AWS4-HMAC-SHA256 " + credential + ", SignedHeaders=x-amz-date;host, Signature=" + std::string(64, 'a'),
        "AWS4-HMAC-SHA256 " + credential + ", SignedHeaders=host;host, Signature=" + std::string(64, 'a'),
        "AWS4-HMAC-SHA256 " + credential + ", SignedHeaders=Host;x-amz-date, Signature=" + std::string(64, 'a'),
        "AWS4-HMAC-SHA256 " + credential + ", SignedHeaders=, Signature=" + std::string(64, 'a'),
        "AWS4-HMAC-SHA256 " + credential + ", SignedHeaders=host;x-amz-date, Signature=" + std::string(63, 'a'),
        "AWS4-HMAC-SHA256 " + credential + ", SignedHeaders=host;x-amz-date, Signature=" + std::string(64, 'A')})
    EXPECT_EQ(refusal(replace(request, "Authorization", bad)), Code::incomplete_signature) << bad;
}

TEST_F(Threat_A07, UnknownKeyAndWrongSignatureLookTheSameForEc2) {
  const auto unknown = verify(signed_request({.key_id = "AKIAUNKNOWN"}));
  const auto wrong = verify(signed_request({.secret = "other"}));
  ASSERT_FALSE(unknown);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(unknown.error().code, Code::auth_failure);
  EXPECT_EQ(wrong.error().code, Code::auth_failure);
  EXPECT_EQ(unknown.error().message, "AWS was not able to validate the provided access credentials");
  EXPECT_EQ(unknown.error().message, wrong.error().message);
}

TEST_F(Threat_A07, StsAndIamTellThemApartAsAwsDoes) {
  for (const auto* service : {"sts", "iam"}) {
    EXPECT_EQ(refusal(signed_request({.key_id = "AKIAUNKNOWN", .service = service})), Code::invalid_client_token_id);
    EXPECT_EQ(refusal(signed_request({.secret = "other", .service = service})), Code::signature_does_not_match);
  }
}

TEST_F(Threat_A07, TheStandInKeyOpensNothing) {
  for (const auto* guess : {"", "unknownunknownunknownunknownunknownunkno"})
    EXPECT_EQ(refusal(signed_request({.key_id = "AKIAUNKNOWN", .secret = guess})), Code::auth_failure);
}

TEST_F(Threat_A08, KeysAreReadForEveryRequest) {
  const auto request = signed_request();
  ASSERT_TRUE(verify(request));
  keys.keys[test::key_id].active = false;
  EXPECT_EQ(refusal(request), Code::auth_failure) << "disabled";
  keys.keys.clear();
  EXPECT_EQ(refusal(request), Code::auth_failure) << "deleted";
  keys.put(test::key_id, "rotated", 2);
  EXPECT_EQ(refusal(request), Code::auth_failure) << "rotated";
  EXPECT_TRUE(verify(signed_request({.secret = "rotated"})));
  EXPECT_EQ(keys.lookups, 5);
}

TEST_F(AuthenticatorTest, AFailingKeySourceIsPassedOn) {
  keys.broken = true;
  EXPECT_EQ(refusal(signed_request()), Code::internal);
  EXPECT_FALSE(verify(signed_request()));
}

TEST_F(AuthenticatorTest, TemporaryCredentialsAreRefused) {
  HttpRequest request = unsigned_request();
  request.headers.add("X-Amz-Security-Token", "token");
  sign(request, {test::key_id, test::secret, "us-east-1", "ec2"}, signing_time);
  EXPECT_EQ(refusal(request), Code::invalid_client_token_id);
}

HttpRequest presigned() {
  for (const auto& recorded : test::golden_requests())
    if (std::string_view(recorded.name) == "presigned GET") return golden(recorded);
  return {};
}

TEST_F(AuthenticatorTest, APresignedUrlLastsUntilItExpires) {
  clock.set(signing_time + std::chrono::seconds(600));
  EXPECT_TRUE(verify(presigned()));
  clock.set(signing_time + std::chrono::seconds(601));
  EXPECT_EQ(refusal(presigned()), Code::request_expired);
  clock.set(signing_time + std::chrono::seconds(-301));
  EXPECT_EQ(refusal(presigned()), Code::request_expired);
}

/// The golden presigned request with another lifetime, signed anew.
HttpRequest presigned_for(const std::string& seconds) {
  HttpRequest request = presigned();
  request.target.replace(request.target.find("Expires=600"), 11, "Expires=" + seconds);
  request.target.resize(request.target.find("&X-Amz-Signature="));
  const CredentialScope scope{"20261122", "us-east-1", "ec2"};
  const auto canonical = canonical_request(request, *parse_query(request.query()), {"host"}, sha256_hex(""));
  request.target +=
      "&X-Amz-Signature=" + signature(signing_key(test::secret, scope), "20261122T100000Z", scope, *canonical);
  return request;
}

TEST_F(AuthenticatorTest, APresignedUrlMayLastAWeekAndNoLonger) {
  constexpr std::chrono::seconds week{604'800};
  clock.set(signing_time + week);
  EXPECT_TRUE(verify(presigned_for("604800")));
  clock.set(signing_time + week + std::chrono::seconds(1));
  EXPECT_EQ(refusal(presigned_for("604800")), Code::request_expired);
  clock.set(signing_time);
  EXPECT_EQ(refusal(presigned_for("604801")), Code::incomplete_signature);
  EXPECT_TRUE(verify(presigned_for("1")));
  // A week after its key was disabled it is worth nothing, like any other signature.
  keys.keys[test::key_id].active = false;
  EXPECT_EQ(refusal(presigned_for("604800")), Code::auth_failure);
}

TEST_F(Threat_A06, PresignedParametersComeOnceAndWithinTheirRange) {
  const auto original = presigned();
  for (const auto* name : {"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders",
                           "X-Amz-Signature"}) {
    HttpRequest request = original;
    request.target += std::string("&") + name + "=1";
    EXPECT_EQ(refusal(request), Code::incomplete_signature) << name;
    request.target = original.target;
    request.target.replace(request.target.find(name), 6, "Y-Amz-");
    EXPECT_EQ(refusal(request), Code::incomplete_signature) << name;
  }
  for (const auto* seconds : {"0", "-1", "604801", "", "1e3", "600x", "99999999999999999999"}) {
    HttpRequest request = original;
    request.target.replace(request.target.find("Expires=600"), 11, std::string("Expires=") + seconds);
    EXPECT_EQ(refusal(request), Code::incomplete_signature) << seconds;
  }
  HttpRequest more = original;
  more.target += "&Action=TerminateInstances";
  EXPECT_EQ(refusal(more), Code::auth_failure);
  more = original;
  more.body = "Action=TerminateInstances";
  EXPECT_EQ(refusal(more), Code::auth_failure);
}

TEST(SigningKeys, StaysBoundedAndKeepsVersionsApart) {
  SigningKeys cache(3);
  const CredentialScope scope{"20261122", "us-east-1", "ec2"};
  for (int i = 0; i < 10; ++i) {
    cache.find("key" + std::to_string(i), 1, "secret", scope);
    EXPECT_LE(cache.size(), 3u);
  }
  EXPECT_EQ(cache.find("a", 1, "one", scope), signing_key("one", scope));
  EXPECT_EQ(cache.find("a", 2, "two", scope), signing_key("two", scope));
  EXPECT_EQ(cache.find("a", 1, "one", scope), signing_key("one", scope));
}

}  // namespace
}  // namespace virga::auth
