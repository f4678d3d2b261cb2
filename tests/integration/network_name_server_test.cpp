// A VPC's DHCP and DNS server: what it answers, what it may do, and that it comes back.

#include <random>

#include "tests/integration/network_fixture.h"
#include "tests/support/eventually.h"

namespace virga::test {
namespace {

using namespace std::chrono_literals;

const Ipv4 resolver = *Ipv4::parse("10.9.0.2");
constexpr std::string_view own_name = "ip-10-9-1-10";

class NetworkNameServer : public NetworkTest {
 protected:
  void SetUp() override {
    NetworkTest::SetUp();
    if (!network_) return;
    vpc_ = make_vpc(16);
    auto id = add_interface(vpc_, 1, 1, "10.9.1.10", {17});
    apply(vpc_);
    guest_ = &plug(vpc_, id);
    ASSERT_EQ(offered(*guest_), guest_->address);
    ASSERT_TRUE(takes_lease(*guest_));
    ASSERT_TRUE(resolves_within(10s));
  }
  /// Asks again and again, as guests do.
  bool resolves_within(std::chrono::milliseconds time) {
    const auto end = std::chrono::steady_clock::now() + time;
    while (std::chrono::steady_clock::now() < end)
      if (look_up(*guest_, resolver, own_name, ++last_id_ & 0xffff, 50ms) == guest_->address) return true;
    return false;
  }
  void kill_name_server() {
    int pid = name_server(vpc_);
    ASSERT_GT(pid, 1);
    ASSERT_EQ(::kill(pid, SIGKILL), 0);
  }
  /// A line of the server's status in the kernel.
  std::string status(const std::string& key) const {
    std::ifstream file(fmt::format("/proc/{}/status", name_server(vpc_)));
    for (std::string line; std::getline(file, line);)
      if (line.starts_with(key + ":\t")) return line.substr(key.size() + 2);
    return {};
  }
  network::WantedVpc vpc_;
  NetworkGuest* guest_ = nullptr;
  unsigned last_id_ = 0;
};

using Threat_M07 = NetworkNameServer;
using Threat_M06 = NetworkNameServer;
using Threat_M08 = NetworkNameServer;

TEST_F(Threat_M07, AKilledServerAnswersAgainWithinTwoSecondsAndKeepsLeases) {
  for (int round = 0; round < 3; ++round) {
    int before = name_server(vpc_);
    kill_name_server();

    EXPECT_TRUE(resolves_within(2s)) << round;
    EXPECT_NE(name_server(vpc_), before);
    EXPECT_TRUE(renews_lease(*guest_)) << round;
  }
  EXPECT_EQ(offered(*guest_), guest_->address);
  EXPECT_EQ(network_->problems().size(), 1U) << "the operator is told";
  apply(vpc_);
  EXPECT_TRUE(network_->problems().empty());
}

TEST_F(Threat_M07, ANewHostRoleWatchesTheServerItFinds) {
  int before = name_server(vpc_);
  network_ = restart();
  EXPECT_EQ(name_server(vpc_), before);

  kill_name_server();

  EXPECT_TRUE(resolves_within(2s));
}

TEST_F(Threat_M07, ANewHostRoleStartsTheServerThatDiedMeanwhile) {
  network_.reset();
  kill_name_server();

  network_ = restart();

  EXPECT_TRUE(resolves_within(2s));
}

TEST_F(Threat_M07, TheServerHasNoMoreRightsThanItNeeds) {
  EXPECT_FALSE(status("Uid").starts_with("0\t"));
  EXPECT_FALSE(status("Gid").starts_with("0\t"));
  EXPECT_EQ(status("NoNewPrivs"), "1");
  constexpr std::uint64_t bind = 1 << 10, admin = 1 << 12, raw = 1 << 13, setgid = 1 << 6, setuid = 1 << 7;
  std::uint64_t effective = std::stoull("0x" + status("CapEff"), nullptr, 16);
  std::uint64_t bounding = std::stoull("0x" + status("CapBnd"), nullptr, 16);
  EXPECT_EQ(effective & ~(bind | admin | raw), 0U) << status("CapEff");
  EXPECT_EQ(bounding, bind | admin | raw | setgid | setuid) << status("CapBnd");
}

/// Messages that begin as right ones and have bytes exchanged, inserted, cut off or repeated.
class Fuzzer {
 public:
  explicit Fuzzer(unsigned seed) : random_(seed) {}
  unsigned below(std::size_t bound) { return static_cast<unsigned>(random_() % std::max<std::size_t>(1, bound)); }
  Bytes mutate(Bytes message) {
    for (unsigned changes = 1 + below(8); changes > 0; --changes) {
      auto at = static_cast<std::ptrdiff_t>(below(message.size()));
      switch (below(5)) {
        case 0:
          message.resize(static_cast<std::size_t>(at));
          break;
        case 1:
          message.insert(message.begin() + at, below(64), static_cast<std::uint8_t>(below(256)));
          break;
        case 2:
          message = message + Bytes(message.begin() + at, message.end());
          break;
        default:
          if (!message.empty()) message[static_cast<std::size_t>(at)] = static_cast<std::uint8_t>(below(256));
      }
      if (message.size() > 1400) message.resize(1400);
    }
    return message;
  }
  Bytes dhcp(const Mac& mac) {
    Bytes options;
    for (unsigned count = below(12); count > 0; --count) {
      Bytes value(below(40));
      for (auto& byte : value) byte = static_cast<std::uint8_t>(below(256));
      // Lengths that lie now and then: the option that is told is not the one that follows.
      options = options + u8(below(256)) + u8(below(4) == 0 ? below(256) : static_cast<unsigned>(value.size())) + value;
    }
    return mutate(dhcp_request(below(20), mac, options));
  }
  Bytes dns() {
    std::string label(below(64), static_cast<char>(below(256)));
    Bytes question = dns_question(below(2) == 0 ? label : own_name, below(65536));
    if (below(3) == 0) question = question + u8(0) + u16(41) + u16(below(65536)) + u32(below(1 << 30)) + u16(below(64));
    return mutate(question);
  }

 private:
  std::mt19937 random_;
};

TEST_F(Threat_M07, FuzzedMessagesDoNotTakeItDown) {
  constexpr int messages = 40'000;
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  Fuzzer fuzz(seed);
  int before = name_server(vpc_);
  for (int i = 0; i < messages; ++i) {
    if (i % 2 == 0)
      guest_->send(ethernet(everyone, guest_->mac, type_ipv4,
                            ipv4({.from = Ipv4{0}, .to = Ipv4{~0U}}, udp(68, 67, fuzz.dhcp(guest_->mac)))));
    else
      guest_->send(ethernet(router, guest_->mac, type_ipv4,
                            ipv4({.from = guest_->address, .to = resolver}, udp(5000, 53, fuzz.dns()))));
    // An honest query in between: the server keeps up, so that its sockets drop nothing unread.
    if (i % 50 != 49) continue;
    ASSERT_TRUE(resolves_within(10s)) << "after message " << i;
  }

  EXPECT_EQ(name_server(vpc_), before);
  EXPECT_EQ(::kill(before, 0), 0);
  EXPECT_EQ(offered(*guest_), guest_->address);
  EXPECT_TRUE(network_->problems().empty());
}

/// What the grammar lets pass must be a name to the server too, not a number, an address or an option.
TEST_F(Threat_M06, OddButLegalDomainsAreJustDomains) {
  std::string longest = std::string(63, 'a');
  for (int i = 0; i < 2; ++i) longest += "." + std::string(63, 'b');
  for (const std::string& domain :
       {std::string("12"), std::string("10.9.9.9"), std::string("0x10"), std::string("ignore"), std::string("ff-ff"),
        std::string("X.ec2.internal"), longest}) {
    vpc_.domain_name = domain;
    apply(vpc_);

    EXPECT_EQ(offered(*guest_), guest_->address) << domain;
    Bytes option;
    for (int i = 0; i < 5 && option.empty(); ++i) {
      ask_dhcp(*guest_, 1, u8(55) + u8(1) + u8(15));
      auto offer = guest_->receive([](const Bytes& frame) { return read_u16(frame, 34) == 67; }, 1s);
      if (offer) option = dhcp_option(Bytes(offer->begin() + 42, offer->end()), 15);
    }
    EXPECT_EQ(option, text(domain)) << domain;
  }
}

TEST_F(Threat_M08, EqualNamesInTwoVpcsAreTwoAddresses) {
  auto other = make_vpc(32, "10.10");
  auto id = add_interface(other, 2, 1, "10.10.1.10", {33});
  other.interfaces.front().host_name = own_name;
  add_interface(other, 3, 1, "10.10.1.11", {33});
  apply(other);
  auto& stranger = plug(other, id);
  auto asks = [](const NetworkGuest& guest, const char* server, std::string_view name) {
    std::optional<Ipv4> answer;
    for (unsigned i = 1; i <= 20 && !answer; ++i) answer = look_up(guest, *Ipv4::parse(server), name, i, 100ms);
    return answer;
  };

  EXPECT_EQ(asks(stranger, "10.10.0.2", own_name), stranger.address);
  EXPECT_EQ(asks(*guest_, "10.9.0.2", own_name), guest_->address);
  EXPECT_EQ(asks(stranger, "10.10.0.2", "ip-10-10-1-11"), Ipv4::parse("10.10.1.11").value());
  EXPECT_EQ(asks(*guest_, "10.9.0.2", "ip-10-10-1-11"), std::nullopt);
  EXPECT_EQ(asks(*guest_, "169.254.169.253", "ip-10-10-1-11"), std::nullopt);
}

TEST_F(NetworkNameServer, ANamespaceMadeAnewIsServedAgain) {
  int before = name_server(vpc_);
  ASSERT_TRUE(network::remove_name_space(names_.name_space(vpc_.number)));

  apply(vpc_);

  EXPECT_TRUE(eventually(5s, [&] { return ::kill(before, 0) != 0; })) << "the old one serves nobody";
  auto connection = network_->connect(vpc_, "10.9.0.2", 53, 5s);
  EXPECT_TRUE(connection) << describe(connection.error());
}

TEST_F(NetworkNameServer, ADeletedVpcsServerStaysGone) {
  int before = name_server(vpc_);
  ASSERT_TRUE(network_->unplug(vpc_, vpc_.interfaces.front().id));

  ASSERT_TRUE(network_->remove(vpc_));

  EXPECT_TRUE(eventually(5s, [&] { return ::kill(before, 0) != 0; }));
  EXPECT_FALSE(std::filesystem::exists(runtime_ + "/" + realm_));
}

}  // namespace
}  // namespace virga::test
