#include "network/host/simulated_network.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/unit/network/host/sample_vpc.h"

namespace virga::network {
namespace {

const auto eni = NetworkInterfaceId::trusted("eni-00000000000000001");

WantedVpc vpc_with_interface() {
  WantedVpc vpc;
  vpc.id = VpcId::trusted("vpc-00000000000000001");
  vpc.generation = 1;
  vpc.number = 1;
  WantedInterface interface;
  interface.id = eni;
  interface.number = 7;
  vpc.interfaces = {interface};
  return vpc;
}

class SimulatedNetworkTest : public ::testing::Test {
 protected:
  SimulatedNetworkTest() {
    std::string name = (std::filesystem::temp_directory_path() / "virga-test-XXXXXX").string();
    directory_ = ::mkdtemp(name.data());
    restart();
  }
  ~SimulatedNetworkTest() override { std::filesystem::remove_all(directory_); }
  void restart() {
    network_.reset();
    faults_ = std::make_unique<Faults>();
    network_ = std::move(SimulatedNetwork::create(directory_, *faults_).value());
  }

  const WantedVpc vpc_ = vpc_with_interface();
  std::filesystem::path directory_;
  std::unique_ptr<Faults> faults_;
  std::unique_ptr<SimulatedNetwork> network_;
};

TEST_F(SimulatedNetworkTest, PlugsOnlyATapThatExistsIntoAVpcThatIsThere) {
  EXPECT_FALSE(network_->plug(vpc_, eni));
  ASSERT_TRUE(network_->create_tap(vpc_, eni));
  EXPECT_FALSE(network_->plug(vpc_, eni));
  ASSERT_TRUE(network_->apply(vpc_));
  EXPECT_FALSE(network_->is_plugged(vpc_, eni));
  ASSERT_TRUE(network_->plug(vpc_, eni));
  EXPECT_TRUE(network_->plug(vpc_, eni));
  EXPECT_TRUE(network_->is_plugged(vpc_, eni));
  EXPECT_FALSE(network_->create_tap(vpc_, NetworkInterfaceId::trusted("eni-00000000000000002")));
}

TEST_F(SimulatedNetworkTest, IsNotRemovedWhileAnInterfaceIsPlugged) {
  ASSERT_TRUE(network_->apply(vpc_));
  ASSERT_TRUE(network_->create_tap(vpc_, eni));
  ASSERT_TRUE(network_->plug(vpc_, eni));
  EXPECT_EQ(network_->remove(vpc_).error().code, Code::incorrect_state);
  EXPECT_TRUE(network_->remove_orphans({}).value().empty());
  ASSERT_TRUE(network_->unplug(vpc_, eni));
  ASSERT_TRUE(network_->unplug(vpc_, eni));
  EXPECT_TRUE(network_->remove(vpc_));
  EXPECT_TRUE(network_->vpcs().empty());
}

TEST_F(SimulatedNetworkTest, OutlivesTheProcessAndLosesItsOrphans) {
  ASSERT_TRUE(network_->apply(vpc_));
  ASSERT_TRUE(network_->create_tap(vpc_, eni));
  restart();
  ASSERT_EQ(network_->vpcs().size(), 1U);
  EXPECT_EQ(network_->vpcs()[0].taps.size(), 1U);
  EXPECT_TRUE(network_->remove_orphans({vpc_}).value().empty());
  EXPECT_EQ(network_->remove_orphans({}).value().size(), 1U);
  restart();
  EXPECT_TRUE(network_->vpcs().empty());
}

TEST_F(SimulatedNetworkTest, ForgetsWhatItIsToldToForget) {
  ASSERT_TRUE(network_->apply(vpc_));
  ASSERT_TRUE(network_->create_tap(vpc_, eni));
  ASSERT_TRUE(network_->plug(vpc_, eni));
  ASSERT_TRUE(faults_->inject({.kind = FaultKind::forget, .object = eni.str(), .count = 1, .delay = {}}));
  EXPECT_FALSE(network_->is_plugged(vpc_, eni));
  ASSERT_TRUE(faults_->inject({.kind = FaultKind::forget, .object = vpc_.id.str(), .count = 1, .delay = {}}));
  EXPECT_TRUE(network_->vpcs().empty());
}

TEST_F(SimulatedNetworkTest, KnowsWhichPublicAddressesWouldAnswer) {
  auto vpc = sample_vpc();
  vpc.generation = 1;
  vpc.internet_gateway = true;
  vpc.addresses = {{"203.0.113.10", "10.9.1.10"}, {"203.0.113.12", "10.9.2.11"}};
  ASSERT_TRUE(network_->apply(vpc));
  restart();
  EXPECT_EQ(network_->vpcs()[0].addresses, (std::map<std::string, std::string>{{"203.0.113.10", "10.9.1.10"}}));

  vpc.internet_gateway = false;
  ASSERT_TRUE(network_->apply(vpc));
  EXPECT_TRUE(network_->vpcs()[0].addresses.empty());
}

}  // namespace
}  // namespace virga::network
