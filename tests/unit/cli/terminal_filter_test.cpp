#include "cli/terminal_filter.h"

#include <gtest/gtest.h>

namespace virga::cli {
namespace {

std::string filtered(std::string_view bytes) { return TerminalFilter().filter(bytes); }

TEST(Threat_D05, TextAndColoursPass) {
  EXPECT_EQ(filtered("login: \x1b[1;32mroot\x1b[0m\r\n"), "login: \x1b[1;32mroot\x1b[0m\r\n");
  EXPECT_EQ(filtered("caf\xc2\xa9\xc2\xb0"), "caf\xc2\xa9\xc2\xb0");
  EXPECT_EQ(filtered("Gr\xc3\xbc\xc3\x9f""e\n"), "Gr\xc3\xbc\xc3\x9f""e\n");
}

TEST(Threat_D05, ClipboardTitleAndDeviceControlAreDropped) {
  EXPECT_EQ(filtered("a\x1b]52;c;ZXZpbA==\ab"), "ab");
  EXPECT_EQ(filtered("a\x1b]0;title\x1b\\b"), "ab");
  EXPECT_EQ(filtered("a\x1bP$q\"p\x1b\\b"), "ab");
  EXPECT_EQ(filtered("a\x1b_private\x1b\\b"), "ab");
}

TEST(Threat_D05, QuestionsToTheTerminalAreDropped) {
  EXPECT_EQ(filtered("a\x1b[6nb"), "ab");
  EXPECT_EQ(filtered("a\x1b[cb"), "ab");
  EXPECT_EQ(filtered("a\x1b[21tb"), "ab");
}

TEST(Threat_D05, C1ControlsInUtf8AreDropped) { EXPECT_EQ(filtered("a\xc2\x9d""52;c;x\xc2\x9c""b"), "a52;c;xb"); }

TEST(Threat_D05, SequencesSplitBetweenChunksAreStillSeen) {
  TerminalFilter filter;
  EXPECT_EQ(filter.filter("a\x1b]52;c;ZX"), "a");
  EXPECT_EQ(filter.filter("ZpbA==\x1b"), "");
  EXPECT_EQ(filter.filter("\\b"), "b");
}

TEST(Threat_D05, EndlessSequencesDoNotGrowWithoutBound) {
  TerminalFilter filter;
  EXPECT_EQ(filter.filter("\x1b[" + std::string(1000, '1') + "x"), std::string(1000 - 62 - 1, '1') + "x");
}

}  // namespace
}  // namespace virga::cli
