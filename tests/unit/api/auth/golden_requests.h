#pragma once

// Requests as botocore 1.43 signed them on 2026-11-22 at 10:00:00 UTC (the Go SDK's: its recorded set of signed
// headers), with the key AKIAIOSFODNN7EXAMPLE of AWS's documentation.

#include <string>
#include <utility>
#include <vector>

namespace virga::auth::test {

struct GoldenRequest {
  const char* name;
  const char* method;
  const char* target;
  std::vector<std::pair<std::string, std::string>> headers;
  const char* body;
};

inline const std::vector<GoldenRequest>& golden_requests() {
  static const std::vector<GoldenRequest> requests = {
      {"botocore DescribeRegions",
       "POST",
       "/",
       {{"Host", "127.0.0.1:8773"},
        {"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"},
        {"X-Amz-Date", "20261122T100000Z"},
        {"Authorization",
         "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261122/us-east-1/ec2/aws4_request, "
         "SignedHeaders=content-type;host;x-amz-date, "
         "Signature=2839c76c6015a0e3bb30bd6af242c9cb35c8bcdfe0c79bbaff9dda7f4b1aa334"},
        {"amz-sdk-invocation-id", "7a782664-6f0e-4d72-aa70-921fbfa34d5a"},
        {"amz-sdk-request", "attempt=1"}},
       "Action=DescribeRegions&Version=2016-11-15"},
      {"botocore RunInstances",
       "POST",
       "/",
       {{"Host", "127.0.0.1:8773"},
        {"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"},
        {"X-Amz-Date", "20261122T100000Z"},
        {"Authorization",
         "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261122/us-east-1/ec2/aws4_request, "
         "SignedHeaders=content-type;host;x-amz-date, "
         "Signature=c14692faa17f36dddeb62e106966001da31af3cafefbbc746d3818ffd732cb46"},
        {"amz-sdk-invocation-id", "a990a80d-f1d1-4786-a048-d02388960e11"},
        {"amz-sdk-request", "attempt=1"}},
       "Action=RunInstances&Version=2016-11-15&ImageId=ami-0123456789abcdef0&MinCount=1&MaxCount=2&UserData="
       "IyEvYmluL3NoCmVjaG8gR3LDvMOfZSArICYgPSAlCg%3D%3D&ClientToken=t-1&TagSpecification.1.ResourceType=instance&"
       "TagSpecification.1.Tag.1.Key=Name&TagSpecification.1.Tag.1.Value=a+b"},
      {"botocore GetCallerIdentity",
       "POST",
       "/",
       {{"Host", "127.0.0.1:8773"},
        {"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"},
        {"X-Amz-Date", "20261122T100000Z"},
        {"Authorization",
         "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261122/us-east-1/sts/aws4_request, "
         "SignedHeaders=content-type;host;x-amz-date, "
         "Signature=1f236ae93513d6aeb0ecf016d2dc7eca66f27d7e571ae2203a8e407e3a7c67d4"},
        {"amz-sdk-invocation-id", "338b1740-9882-4a00-9d58-b63655064c12"},
        {"amz-sdk-request", "attempt=1"}},
       "Action=GetCallerIdentity&Version=2011-06-15"},
      {"botocore GetUser over TLS",
       "POST",
       "/",
       {{"Host", "virga.example:8773"},
        {"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"},
        {"X-Amz-Date", "20261122T100000Z"},
        {"Authorization",
         "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261122/us-east-1/iam/aws4_request, "
         "SignedHeaders=content-type;host;x-amz-date, "
         "Signature=18cf5a2f23437f6e6cf28ea192485d66f498b7fa05effcebbdd6b3268ee215c1"},
        {"amz-sdk-invocation-id", "2ac26974-3975-4edf-b877-6946543506ba"},
        {"amz-sdk-request", "attempt=1"}},
       "Action=GetUser&Version=2010-05-08"},
      {"Go SDK v2 DescribeVpcs",
       "POST",
       "/",
       {{"Host", "127.0.0.1:8773"},
        {"Amz-Sdk-Invocation-Id", "0a2b7c54-8f0e-4b6a-9d3e-5f1c2d3e4f50"},
        {"Amz-Sdk-Request", "attempt=1; max=3"},
        {"Content-Length", "38"},
        {"Content-Type", "application/x-www-form-urlencoded"},
        {"X-Amz-Date", "20261122T100000Z"},
        {"Authorization",
         "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261122/us-east-1/ec2/aws4_request, "
         "SignedHeaders=amz-sdk-invocation-id;amz-sdk-request;content-length;content-type;host;x-amz-date, "
         "Signature=5ed11b607dde18fa9374843967cafc25083e3e2ebed41aa0a3591a0e88df6f12"}},
       "Action=DescribeVpcs&Version=2016-11-15"},
      {"GET with a query",
       "GET",
       "/?Version=2016-11-15&Action=DescribeTags&Filter.1.Name=tag%3AName&Filter.1.Value.1=a%20b%2F%C3%BC%2Bc~&Empty=&"
       "Empty=&Z=2&Z=1",
       {{"Host", "h:1"},
        {"X-Amz-Date", "20261122T100000Z"},
        {"Authorization",
         "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261122/us-east-1/ec2/aws4_request, "
         "SignedHeaders=host;x-amz-date, Signature=8d49064928398b2d506b0e58c1033d2c81699249c296b3c31c0456bf7b88b025"}},
       ""},
      {"escaped path",
       "GET",
       "/api/v1/a%20b/c%2Fd~e",
       {{"Host", "h:1"},
        {"X-Amz-Date", "20261122T100000Z"},
        {"Authorization",
         "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261122/us-east-1/ec2/aws4_request, "
         "SignedHeaders=host;x-amz-date, Signature=cebd3b4fede4dab36eaceef69dcb01a4226ce7756deff3587e8523d1b927a66f"}},
       ""},
      {"blanks in a value",
       "POST",
       "/",
       {{"Host", "h:1"},
        {"X-Amz-Meta", "  a   b  c "},
        {"Content-Type", "application/x-www-form-urlencoded"},
        {"X-Amz-Date", "20261122T100000Z"},
        {"Authorization",
         "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261122/us-east-1/ec2/aws4_request, "
         "SignedHeaders=content-type;host;x-amz-date;x-amz-meta, "
         "Signature=c4f159bdb885f359e7a12858bcaefb3d5b616e20ece6a5544316ec2235c37db3"}},
       "Action=DescribeVpcs&Version=2016-11-15"},
      {"content hash",
       "POST",
       "/",
       {{"Host", "h:1"},
        {"X-Amz-Content-SHA256", "d821ac2c2958664a08eb0f0b183ebf80201e8a50da5d9e98eca9bc36ef648656"},
        {"X-Amz-Date", "20261122T100000Z"},
        {"Authorization",
         "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261122/us-east-1/ec2/aws4_request, "
         "SignedHeaders=host;x-amz-content-sha256;x-amz-date, "
         "Signature=7c0aff1b8427c5c2307e2e283105c4f72c0433818e20dc0aeb1bb7b5131a266a"}},
       "Action=DescribeVpcs&Version=2016-11-15"},
      {"presigned GET",
       "GET",
       "/?Action=DescribeVpcs&Version=2016-11-15&Name=a%20b&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential="
       "AKIAIOSFODNN7EXAMPLE%2F20261122%2Fus-east-1%2Fec2%2Faws4_request&X-Amz-Date=20261122T100000Z&X-Amz-Expires=600&"
       "X-Amz-SignedHeaders=host&X-Amz-Signature=8c3848ee03c8ad3ba0a3f3a44235df40558aefc8d0c6ab7186204f4e93673bd1",
       {{"Host", "h:1"}},
       ""},
  };
  return requests;
}

}  // namespace virga::auth::test
