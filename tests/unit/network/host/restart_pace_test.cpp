#include "network/host/restart_pace.h"

#include <gtest/gtest.h>

namespace virga::network {
namespace {

using namespace std::chrono_literals;

const RestartPace::Clock::time_point start{1h};

TEST(RestartPace, StartsAtOnceWhatHasNotFailedYet) { EXPECT_EQ(RestartPace().wait(start), 0ms); }

TEST(RestartPace, DoublesThePauseUpToABound) {
  RestartPace pace;
  auto now = start;
  std::vector<std::chrono::milliseconds> pauses;
  for (int i = 0; i < 10; ++i) {
    now += pace.wait(now);
    pace.starting(now);
    pauses.push_back(pace.wait(now));
  }

  EXPECT_EQ(pauses, (std::vector<std::chrono::milliseconds>{250ms, 500ms, 1s, 2s, 4s, 8s, 16s, 30s, 30s, 30s}));
}

TEST(RestartPace, CountsWhatThePauseHasAlreadyLasted) {
  RestartPace pace;
  pace.starting(start);

  EXPECT_EQ(pace.wait(start + 100ms), 150ms);
  EXPECT_EQ(pace.wait(start + 1s), 0ms);
}

TEST(RestartPace, ForgetsTheFailuresOfAProcessThatProvedItself) {
  RestartPace pace;
  pace.starting(start);
  pace.starting(start + 250ms);
  ASSERT_EQ(pace.wait(start + 250ms), 500ms);

  pace.starting(start + 20s);

  EXPECT_EQ(pace.wait(start + 20s), 250ms);
}

}  // namespace
}  // namespace virga::network
