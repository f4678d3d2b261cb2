#include "api/http/header_scan.h"

#include <gtest/gtest.h>

#include <string>

namespace virga::http {
namespace {

using Verdict = HeaderScan::Verdict;

Verdict scan_whole(std::string_view text, std::size_t max_bytes = 1000, std::size_t max_lines = 10) {
  return HeaderScan(max_bytes, max_lines).scan(text);
}

TEST(HeaderScan, FindsTheEndByteByByte) {
  const std::string header = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  const std::string all = header + "body";
  HeaderScan scan(1000, 10);
  for (std::size_t n = 1; n < header.size(); ++n)
    ASSERT_EQ(scan.scan(std::string_view(all).substr(0, n)), Verdict::need_more) << n;
  EXPECT_EQ(scan.scan(all), Verdict::complete);
  EXPECT_EQ(scan.size(), header.size());
}

TEST(HeaderScan, RefusesWhatParsersDisagreeAbout) {
  for (const std::string_view bad :
       {"GET / HTTP/1.1\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\n",
        "GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\tb\r\n\r\n", "GET / HTTP/1.1\r\r\n\r\n", "\r\nGET / HTTP/1.1\r\n\r\n",
        " GET / HTTP/1.1\r\n\r\n"})
    EXPECT_EQ(scan_whole(bad), Verdict::malformed) << bad;
  EXPECT_EQ(scan_whole(std::string_view("GET / HTTP/1.1\r\nA: \0\r\n\r\n", 24)), Verdict::malformed);
}

TEST(HeaderScan, HoldsTheByteLimitExactly) {
  const std::string header = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  EXPECT_EQ(scan_whole(header, header.size() - 1), Verdict::too_large);
  EXPECT_EQ(scan_whole(header, header.size()), Verdict::complete);
  EXPECT_EQ(scan_whole(header + "more", header.size()), Verdict::complete);
}

TEST(HeaderScan, HoldsTheLineLimitExactly) {
  std::string header = "GET / HTTP/1.1\r\n";
  for (int line = 0; line < 10; ++line) header += "A: b\r\n";
  EXPECT_EQ(scan_whole(header + "\r\n"), Verdict::complete);
  EXPECT_EQ(scan_whole(header + "A: b\r\n\r\n"), Verdict::too_large);
}

}  // namespace
}  // namespace virga::http
