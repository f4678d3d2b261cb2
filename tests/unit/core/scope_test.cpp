#include "core/scope.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/temporary_directory.h"

namespace virga {
namespace {

class ScopeTest : public testing::Test {
 protected:
  void SetUp() override {
    store_ = *store::Store::open((directory_.path() / "virga.db").string());
    for (const auto* id : {"111111111111", "222222222222"})
      ASSERT_TRUE(store_->write([&](store::Transaction& tx) -> Result<void> {
        tx.execute("INSERT INTO account (id, name, created_ms) VALUES (?, ?, 0)", id, id);
        return {};
      }));
  }
  template <class Function>
  auto as(const char* account, Function&& function) {
    return store_->write([&](store::Transaction& tx) {
      Scope scope{.tx = tx, .account = AccountId::trusted(account), .now = clock_.now(), .ids = ids_, .action = "Test",
                  .request_id = {}};
      return function(scope);
    });
  }
  VpcId make_vpc(const char* account) {
    return *as(account, [](Scope& scope) -> Result<VpcId> { return scope.create_resource<VpcId>().id; });
  }

  test::TemporaryDirectory directory_;
  ManualClock clock_;
  SeededIdSource ids_{1};
  std::unique_ptr<store::Store> store_;
};
constexpr auto one = "111111111111";
constexpr auto two = "222222222222";

TEST_F(ScopeTest, NumbersAreDenseAndNeverUsedAgain) {
  const auto number = [&] {
    return *as(one, [](Scope& scope) -> Result<std::uint32_t> {
      const auto made = scope.create_resource<VpcId>();
      scope.delete_resource(made.id.str());
      return made.number;
    });
  };
  const auto first = number();

  EXPECT_EQ(number(), first + 1);
}

TEST_F(ScopeTest, AResourceIsItsOwnersAlone) {
  const auto vpc = make_vpc(one);

  EXPECT_EQ(*as(one, [&](Scope& s) -> Result<std::optional<std::string>> { return resource_type(s, vpc.str()); }), "vpc");
  EXPECT_EQ(*as(two, [&](Scope& s) -> Result<std::optional<std::string>> { return resource_type(s, vpc.str()); }),
            std::nullopt);
  ASSERT_TRUE(as(two, [&](Scope& s) -> Result<void> {
    s.delete_resource(vpc.str());
    return {};
  }));
  EXPECT_EQ(*as(one, [&](Scope& s) -> Result<std::optional<std::string>> { return resource_type(s, vpc.str()); }), "vpc");
}

TEST_F(ScopeTest, FiftyTagsFitAndTheFiftyFirstIsRefusedWhole) {
  const auto vpc = make_vpc(one);
  tags::Tags fifty;
  for (int i = 0; i < 50; ++i) fifty["k" + std::to_string(i)] = "v";

  EXPECT_TRUE(as(one, [&](Scope& s) { return tags::put(s, vpc.str(), fifty); }));
  EXPECT_EQ(as(one, [&](Scope& s) { return tags::put(s, vpc.str(), {{"k0", "new"}, {"more", "x"}}); }).error().code,
            Code::tag_limit_exceeded);
  EXPECT_EQ(as(one, [&](Scope& s) -> Result<tags::Tags> { return tags::of(s, vpc.str()); })->at("k0"), "v");
}

TEST_F(ScopeTest, TagsOfReservedOrTooLongKeysAreRefused) {
  const auto vpc = make_vpc(one);

  for (const auto& key : {std::string("aws:x"), std::string(), std::string(128, 'k')})
    EXPECT_EQ(as(one, [&](Scope& s) { return tags::put(s, vpc.str(), {{key, "v"}}); }).error().code,
              Code::invalid_parameter_value);
  EXPECT_FALSE(as(one, [&](Scope& s) { return tags::put(s, vpc.str(), {{"k", std::string(257, 'v')}}); }));
}

TEST_F(ScopeTest, ATagWithAnotherValueIsNotRemoved) {
  const auto vpc = make_vpc(one);
  ASSERT_TRUE(as(one, [&](Scope& s) { return tags::put(s, vpc.str(), {{"k", "v"}}); }));

  const auto left = as(one, [&](Scope& s) -> Result<std::size_t> {
    tags::remove(s, vpc.str(), "k", "other");
    return tags::of(s, vpc.str()).size();
  });

  EXPECT_EQ(*left, 1u);
}

TEST_F(ScopeTest, AQuotaIsChargedToItsLimitAndGivenBack) {
  ASSERT_TRUE(as(one, [](Scope& s) -> Result<void> {
    quota::set_limit(s, quota::Name::volumes, 2);
    return {};
  }));

  EXPECT_TRUE(as(one, [](Scope& s) { return quota::charge(s, quota::Name::volumes, 2); }));
  EXPECT_EQ(as(one, [](Scope& s) { return quota::charge(s, quota::Name::volumes); }).error().code, Code::volume_limit_exceeded);
  EXPECT_TRUE(as(two, [](Scope& s) { return quota::charge(s, quota::Name::volumes, 3); })) << "another account's own count";
  ASSERT_TRUE(as(one, [](Scope& s) -> Result<void> {
    quota::release(s, quota::Name::volumes);
    return {};
  }));
  EXPECT_TRUE(as(one, [](Scope& s) { return quota::charge(s, quota::Name::volumes); }));
}

TEST_F(ScopeTest, RolledBackChargesAreNotCounted) {
  ASSERT_FALSE(as(one, [](Scope& s) -> Result<void> {
    TRY_VOID(quota::charge(s, quota::Name::vpcs, 5));
    return fail(Code::incorrect_state, "no");
  }));

  EXPECT_EQ(*as(one, [](Scope& s) -> Result<std::int64_t> { return quota::used(s, quota::Name::vpcs); }), 0);
}

TEST_F(ScopeTest, TheJournalSaysWhoChangedWhat) {
  ASSERT_TRUE(as(one, [](Scope& s) -> Result<void> {
    s.record("vpc-1", nullptr, {{"cidr", "10.0.0.0/16"}});
    return {};
  }));

  const auto row = store_->read([](store::Transaction& tx) -> Result<std::string> {
    return *tx.one("SELECT actor || ' ' || action || ' ' || account || ' ' || coalesce(before, '-') || ' ' || after FROM journal",
                   [](store::Row& r) { return r.text(0); });
  });
  EXPECT_EQ(*row, "virga Test 111111111111 - {\"cidr\":\"10.0.0.0/16\"}");
}

}  // namespace
}  // namespace virga
