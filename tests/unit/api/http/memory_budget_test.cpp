#include "api/http/memory_budget.h"

#include <gtest/gtest.h>

namespace virga::http {
namespace {

constexpr std::size_t first = MemoryBudget::Share::free_bytes;

TEST(MemoryBudget, FirstBytesAreFreeAndTheRestIsShared) {
  MemoryBudget budget(1000);
  MemoryBudget::Share one(budget);
  MemoryBudget::Share other(budget);
  EXPECT_TRUE(one.hold(first));
  EXPECT_EQ(budget.charged(), 0u);
  EXPECT_TRUE(one.hold(first + 600));
  EXPECT_TRUE(other.hold(first + 400));
  EXPECT_FALSE(other.hold(first + 401));
  EXPECT_EQ(budget.charged(), 1000u) << "a refusal changes nothing";
}

TEST(MemoryBudget, ASmallerHoldAndTheEndGiveBack) {
  MemoryBudget budget(1000);
  MemoryBudget::Share one(budget);
  {
    MemoryBudget::Share other(budget);
    EXPECT_TRUE(one.hold(first + 500));
    EXPECT_TRUE(other.hold(first + 500));
    EXPECT_TRUE(one.hold(first + 200));
    EXPECT_EQ(budget.charged(), 700u);
  }
  EXPECT_EQ(budget.charged(), 200u);
  one.release();
  EXPECT_EQ(budget.charged(), 0u);
}

TEST(MemoryBudget, WhatIsAloneFitsAndThenNobodyElseDoes) {
  MemoryBudget budget(1000);
  MemoryBudget::Share one(budget);
  MemoryBudget::Share other(budget);
  EXPECT_TRUE(one.hold(first + 5000));
  EXPECT_FALSE(other.hold(first + 1));
  EXPECT_TRUE(other.hold(first));
  EXPECT_TRUE(one.hold(first + 4000)) << "who gives back is never refused";
}

}  // namespace
}  // namespace virga::http
