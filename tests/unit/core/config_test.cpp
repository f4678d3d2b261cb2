#include "core/config.h"

#include <gtest/gtest.h>

#include <fstream>

#include "tests/support/temporary_directory.h"

namespace virga {
namespace {

class ConfigTest : public testing::Test {
 protected:
  Result<Config> load(const std::string& text) {
    const auto file = directory_.path() / "virga.toml";
    std::ofstream(file) << text;
    return Config::load({directory_.path(), directory_.path(), file});
  }
  test::TemporaryDirectory directory_;
};

TEST_F(ConfigTest, AMissingFileMeansTheDefaults) {
  const auto config = Config::load({directory_.path(), directory_.path(), directory_.path() / "none.toml"});
  ASSERT_TRUE(config);
  EXPECT_EQ(config->endpoint(), "http://127.0.0.1:8773");
  EXPECT_EQ(config->zone_names(), (std::vector<std::string>{"us-east-1a", "us-east-1b", "us-east-1c"}));
}

TEST_F(ConfigTest, KeysAreTaken) {
  const auto config = load("[api]\nlisten_port = 9000\n[region]\nname = \"eu-x-1\"\nzones = [\"a\"]\n[compute]\naccelerator = \"tcg\"\n");
  ASSERT_TRUE(config);
  EXPECT_EQ(config->listen_port, 9000);
  EXPECT_EQ(config->zone_names(), std::vector<std::string>{"eu-x-1a"});
  EXPECT_EQ(config->accelerator, Accelerator::tcg);
}

TEST_F(ConfigTest, UnknownKeysAreRefusedByNameAndLine) {
  const auto config = load("[api]\nlisten_port = 9000\nlisten_prot = 1\n");
  ASSERT_FALSE(config);
  EXPECT_NE(config.error().message.find(":3: unknown key 'api.listen_prot'"), std::string::npos) << config.error().message;
}

TEST_F(ConfigTest, WrongTypesAndRangesAreRefused) {
  for (const auto* wrong : {"[api]\nlisten_port = \"x\"\n", "[api]\nlisten_port = 70000\n", "[host]\nrealm = \"XYZ1\"\n",
                            "[compute]\ndisk_cache = \"maybe\"\n", "[region]\nzones = []\n", "port = 1\n", "[api\n"})
    EXPECT_FALSE(load(wrong)) << wrong;
}

TEST_F(ConfigTest, PublicAddressesComeFromBlocksThatMachinesCanHave) {
  const auto config = load("[network]\npublic_cidrs = [\"198.51.100.0/25\", \"192.0.2.7/32\"]\n");
  ASSERT_TRUE(config);
  EXPECT_EQ(config->public_cidrs, (std::vector<std::string>{"198.51.100.0/25", "192.0.2.7/32"}));

  for (const auto* wrong : {"", "198.51.100.0", "198.51.100.1/25", "198.51.100.0/", "198.51.100.0/33", "10.0.0.0/7",
                            "198.51.100.0/25 ", "198.51.100.0/+25", "198.51.100.0/025", "198.51.100.0\\u0000/25",
                            "2001:db8::/64", "127.0.0.0/24", "169.254.0.0/24",
                            "168.0.0.0/6", "169.0.0.0/8", "224.0.0.0/8", "0.0.0.0/8", "pool"})
    EXPECT_FALSE(load(std::string("[network]\npublic_cidrs = [\"") + wrong + "\"]\n")) << wrong;
  EXPECT_FALSE(load("[network]\npublic_cidrs = []\n"));
  EXPECT_FALSE(load("[network]\npublic_cidrs = \"198.51.100.0/25\"\n"));
  std::string many;
  for (int i = 0; i < 65; ++i) many += "\"198.51.100.0/25\",";
  EXPECT_FALSE(load("[network]\npublic_cidrs = [" + many + "]\n"));
}

}  // namespace
}  // namespace virga
