#include "api/http/crowd.h"

#include <gtest/gtest.h>

namespace virga::http {
namespace {

using State = Crowd::State;
constexpr Crowd::Time later = Crowd::Time::max();

struct FakeConnection final : Crowd::Member {
  void drop() override { dropped = true; }
  bool dropped = false;
};

TEST(Crowd, SendsAwayTheOneIdleLongestWhenFull) {
  Crowd crowd(2, 10);
  FakeConnection first, second, third;
  crowd.admit(first, "a", 1, later);
  crowd.admit(second, "b", 1, later);
  crowd.set(first, State::receiving, later);
  crowd.set(first, State::idle, later);

  EXPECT_TRUE(crowd.admit(third, "c", 1, later));

  EXPECT_TRUE(second.dropped);
  EXPECT_FALSE(first.dropped);
  EXPECT_EQ(crowd.count(), 2u);
}

TEST(Crowd, PrefersIdleOnesToSlowSenders) {
  Crowd crowd(2, 10);
  FakeConnection slow, idle, next, last;
  crowd.admit(slow, "a", 1, later);
  crowd.set(slow, State::receiving, later);
  crowd.admit(idle, "a", 1, later);

  EXPECT_TRUE(crowd.admit(next, "a", 1, later));
  EXPECT_TRUE(idle.dropped);
  crowd.set(next, State::busy, later);
  EXPECT_TRUE(crowd.admit(last, "a", 1, later));
  EXPECT_TRUE(slow.dropped);
}

TEST(Crowd, NeverSendsAwayABusyOne) {
  Crowd crowd(1, 10);
  FakeConnection busy, next;
  crowd.admit(busy, "a", 1, later);
  crowd.set(busy, State::busy, later);

  EXPECT_FALSE(crowd.admit(next, "a", 1, later));
  EXPECT_FALSE(crowd.evict_one());
  EXPECT_FALSE(busy.dropped);
}

TEST(Crowd, AtTheSourcesCapTheSourcesOwnConnectionGoes) {
  Crowd crowd(10, 1);
  FakeConnection other, first, second;
  crowd.admit(other, "a", 1, later);
  crowd.admit(first, "b", 1, later);

  EXPECT_TRUE(crowd.admit(second, "b", 1, later));

  EXPECT_FALSE(other.dropped);
  EXPECT_TRUE(first.dropped);
}

TEST(Crowd, DropsTheOverdueOnly) {
  Crowd crowd(10, 10);
  const Crowd::Time start{};
  FakeConnection early, late;
  crowd.admit(early, "a", 1, start + std::chrono::seconds(10));
  crowd.admit(late, "a", 1, start + std::chrono::seconds(10));
  crowd.set(late, State::receiving, start + std::chrono::seconds(30));

  crowd.drop_overdue(start + std::chrono::seconds(9));
  EXPECT_FALSE(early.dropped);
  crowd.drop_overdue(start + std::chrono::seconds(10));
  EXPECT_TRUE(early.dropped);
  EXPECT_FALSE(late.dropped);
}

TEST(Crowd, ForgetsWhoLeftAndStaysSilentAboutThem) {
  Crowd crowd(1, 1);
  FakeConnection gone, next;
  crowd.admit(gone, "a", 1, later);
  crowd.leave(gone);
  crowd.leave(gone);
  crowd.set(gone, State::busy, later);

  EXPECT_EQ(crowd.count(), 0u);
  EXPECT_TRUE(crowd.admit(next, "a", 1, later));
  EXPECT_FALSE(gone.dropped);
}

TEST(Crowd, DropsByListener) {
  Crowd crowd(10, 10);
  FakeConnection one, two;
  crowd.admit(one, "a", 1, later);
  crowd.admit(two, "a", 2, later);
  crowd.set(one, State::busy, later);

  crowd.drop_listener(1);

  EXPECT_TRUE(one.dropped);
  EXPECT_FALSE(two.dropped);
}

}  // namespace
}  // namespace virga::http
