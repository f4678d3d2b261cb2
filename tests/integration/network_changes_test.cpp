// Nothing forbidden passes while the VPC changes: a sender that never stops, through everything a port goes through.

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "tests/integration/network_fixture.h"
#include "tests/support/eventually.h"

namespace virga::test {
namespace {

using namespace std::chrono_literals;

/// Every millisecond: what the receiver's groups forbid, what they permit, and a stolen source. From new ports each
/// time, so that each datagram is judged by itself and not as part of a connection.
class Sender {
 public:
  Sender(const NetworkGuest& from, Mac to_mac, Ipv4 to)
      : from_(from), to_mac_(to_mac), to_(to), thread_([this](std::stop_token stop) { run(stop); }) {}
  unsigned rounds() const { return round_; }

  static inline const Bytes forbidden = text("<forbidden>");
  static inline const Bytes permitted = text("<permitted>");

 private:
  void run(const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any pause;
    std::unique_lock lock(mutex);
    while (!stop.stop_requested()) {
      unsigned port = 1024 + round_ % 60'000;
      send(from_.address, port, 9, forbidden);
      send(*Ipv4::parse("10.9.1.99"), port, 10, forbidden);
      send(from_.address, port, 10, permitted);
      ++round_;
      pause.wait_for(lock, stop, 1ms, [] { return false; });
    }
  }
  void send(Ipv4 source, unsigned from_port, unsigned port, const Bytes& mark) const {
    from_.send(ethernet(to_mac_, from_.mac, type_ipv4, ipv4({source, to_}, udp(from_port, port, mark))));
  }
  const NetworkGuest& from_;
  const Mac to_mac_;
  const Ipv4 to_;
  std::atomic<unsigned> round_ = 0;
  std::jthread thread_;
};

/// Counts what arrives at a guest's tap, as long as it exists.
class Receiver {
 public:
  explicit Receiver(const NetworkGuest& guest)
      : thread_([this, &guest](std::stop_token stop) {
          while (!stop.stop_requested())
            guest.receive(
                [&](const Bytes& frame) {
                  if (contains(frame, Sender::forbidden)) ++forbidden;
                  if (contains(frame, Sender::permitted)) ++permitted;
                  return stop.stop_requested();
                },
                50ms);
        }) {}
  std::atomic<unsigned> forbidden = 0;
  std::atomic<unsigned> permitted = 0;

 private:
  std::jthread thread_;
};

class NetworkChanges : public NetworkTest {
 protected:
  void SetUp() override {
    NetworkTest::SetUp();
    if (!network_) return;
    vpc_ = make_vpc(16);
    add_group(vpc_, 18, {allow(false, "udp", 10, 10, "0.0.0.0/0")});
    add_group(vpc_, 19, {allow(false, "udp", 11, 20, "0.0.0.0/0")});
    auto a = add_interface(vpc_, 1, 1, "10.9.1.10", {17});
    target_ = add_interface(vpc_, 2, 1, "10.9.1.11", {18});
    apply(vpc_);
    sender_ = std::make_unique<Sender>(plug(vpc_, a), mac_of(2), *Ipv4::parse("10.9.1.11"));
  }
  void TearDown() override {
    receiver_.reset();
    sender_.reset();
    NetworkTest::TearDown();
  }
  void start_target() {
    auto& guest = open_tap(vpc_, target_);
    receiver_ = std::make_unique<Receiver>(guest);
    auto plugged = network_->plug(vpc_, target_);
    ASSERT_TRUE(plugged) << describe(plugged.error());
  }
  /// The sender has been at work for a while since, and what is permitted arrives.
  void expect_only_permitted(const char* after) {
    const unsigned since = sender_->rounds();
    const unsigned arrived = receiver_->permitted;
    EXPECT_TRUE(eventually(10s, [&] { return sender_->rounds() > since + 20 && receiver_->permitted > arrived + 10; }))
        << after << ": what is permitted does not arrive";
    EXPECT_EQ(receiver_->forbidden, 0U) << after;
  }
  network::WantedVpc vpc_;
  NetworkInterfaceId target_;
  std::unique_ptr<Sender> sender_;
  std::unique_ptr<Receiver> receiver_;
};

using Threat_N05 = NetworkChanges;

TEST_F(Threat_N05, NothingForbiddenPassesWhileAPortComesAndGoes) {
  for (int round = 0; round < 5; ++round) {
    start_target();
    expect_only_permitted("start");
    if (round % 2 == 0) {
      EXPECT_TRUE(network_->unplug(vpc_, target_));
    }
    EXPECT_EQ(receiver_->forbidden, 0U);
    receiver_.reset();
    guests_.pop_back();
  }
}

TEST_F(Threat_N05, NothingForbiddenPassesWhileGroupsChange) {
  start_target();
  for (int round = 0; round < 10; ++round) {
    vpc_.interfaces[1].groups = round % 2 == 0 ? std::vector<std::uint32_t>{18, 19} : std::vector<std::uint32_t>{18};
    vpc_.groups[2].rules.front().to_port = 20 + round;
    apply(vpc_);
  }
  expect_only_permitted("changes of groups");
  EXPECT_TRUE(network_->is_plugged(vpc_, target_));
}

TEST_F(Threat_N05, NothingForbiddenPassesWhileEverythingIsLoadedAnew) {
  start_target();
  for (int round = 0; round < 5; ++round) {
    apply(vpc_);
    // Somebody's meddling makes the next application replace all tables.
    inside(vpc_, {"nft", "add", "rule", "inet", "vgsg", "si19", "counter"});
    apply(vpc_);
    inside(vpc_, {"nft", "flush", "map", "inet", "vgsg", "in_mac"});
    apply(vpc_);
    network_ = restart();
    apply(vpc_);
  }
  expect_only_permitted("loading anew and restarts of the host role");
}

TEST_F(Threat_N05, ARevokedRuleForbidsFromThenOn) {
  start_target();
  expect_only_permitted("start");
  vpc_.groups[1].rules.front().to_port = vpc_.groups[1].rules.front().from_port = 12;

  apply(vpc_);

  const unsigned since = sender_->rounds();
  EXPECT_TRUE(eventually(10s, [&] { return sender_->rounds() > since + 50; }));
  const unsigned arrived = receiver_->permitted;
  EXPECT_TRUE(eventually(10s, [&] { return sender_->rounds() > since + 300; }));
  EXPECT_EQ(receiver_->permitted, arrived);
}

}  // namespace
}  // namespace virga::test
