#include "compute/host/libvirt_calls.h"

#include <gtest/gtest.h>

#include <future>
#include <stdexcept>

namespace virga::compute {
namespace {

using namespace std::chrono_literals;

Result<int> answer() { return 42; }

TEST(LibvirtCalls, GivesTheCallsResultOrError) {
  LibvirtCalls calls({});

  EXPECT_EQ(calls.run<int>("answer", 10s, answer).value(), 42);
  const auto failed = calls.run<int>("fail", 10s, [] { return Result<int>(fail(Code::incorrect_state, "no")); });
  EXPECT_EQ(failed.error().code, Code::incorrect_state);
  EXPECT_THROW(static_cast<void>(calls.run<int>("throw", 10s, []() -> Result<int> { throw std::runtime_error("x"); })),
               std::runtime_error);
}

TEST(LibvirtCalls, AHungCallIsUnavailableAndItsThreadIsReplaced) {
  LibvirtCalls calls({.workers = 1, .max_abandoned = 4});
  std::promise<void> release;
  const auto released = release.get_future().share();

  const auto hung = calls.run<int>("hang", 1ms, [released] {
    released.wait();
    return answer();
  });

  ASSERT_FALSE(hung);
  EXPECT_EQ(hung.error().code, Code::unavailable);
  EXPECT_EQ(calls.run<int>("answer", 10s, answer).value_or(0), 42);
  release.set_value();
}

TEST(LibvirtCalls, HungThreadsAreBounded) {
  LibvirtCalls calls({.workers = 1, .max_abandoned = 2});
  std::promise<void> release;
  const auto released = release.get_future().share();
  const auto hang = [released] {
    released.wait();
    return answer();
  };
  while (calls.abandoned() < 2) EXPECT_FALSE(calls.run<int>("hang", 1ms, hang));

  const auto refused = calls.run<int>("answer", 10s, answer);

  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::unavailable);
  release.set_value();
  while (calls.abandoned() > 0) std::this_thread::yield();
  EXPECT_EQ(calls.run<int>("answer", 10s, answer).value_or(0), 42);
}

TEST(LibvirtCalls, MayEndBeforeAHungCallDoes) {
  std::promise<void> release;
  std::promise<void> finished;
  const auto released = release.get_future().share();
  auto done = finished.get_future();
  {
    LibvirtCalls calls({.workers = 1, .max_abandoned = 4});
    // The call may not even begin within a millisecond; then there is nothing to outlive.
    while (calls.abandoned() == 0) {
      EXPECT_FALSE(calls.run<int>("hang", 1ms, [released, &finished] {
        released.wait();
        finished.set_value();
        return answer();
      }));
    }
  }

  release.set_value();

  EXPECT_EQ(done.wait_for(10s), std::future_status::ready);
}

}  // namespace
}  // namespace virga::compute
