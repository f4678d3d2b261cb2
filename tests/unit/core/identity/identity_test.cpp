#include "core/identity/identity.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "tests/support/temporary_directory.h"

namespace virga::identity {
namespace {

class Identity : public testing::Test {
 protected:
  void SetUp() override {
    store_ = *store::Store::open((directory_.path() / "virga.db").string());
    sealer_ = *Sealer::open((directory_.path() / "master.key").string());
    account_ = store_->write([&](store::Transaction& tx) { return create_account(tx, ids_, clock_.now(), "one"); })->id;
  }
  template <class Function>
  auto as(const AccountId& account, Function&& function) {
    return store_->write([&](store::Transaction& tx) {
      Scope scope{.tx = tx, .account = account, .now = clock_.now(), .ids = ids_, .action = {}, .request_id = {}};
      return function(scope);
    });
  }
  Result<AccessKey> key_of_a_new_user() {
    return as(account_, [&](Scope& scope) -> Result<AccessKey> {
      TRY(create_user(scope, "ann", Role::operator_));
      return create_access_key(scope, *sealer_, "ann");
    });
  }

  test::TemporaryDirectory directory_;
  ManualClock clock_;
  SeededIdSource ids_{7};
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<Sealer> sealer_;
  AccountId account_;
};

TEST_F(Identity, AKeyIsFoundWithItsSecretAndItsOwner) {
  const auto made = key_of_a_new_user();
  ASSERT_TRUE(made);

  const auto found = make_key_source(*store_, *sealer_)->find_access_key(made->id);

  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->secret, made->secret);
  EXPECT_EQ((*found)->arn, "arn:aws:iam::" + account_.str() + ":user/ann");
  EXPECT_EQ((*found)->role, Role::operator_);
}

TEST_F(Identity, SecretsAreNotInTheDatabaseFile) {
  const auto made = key_of_a_new_user();
  ASSERT_TRUE(made);
  store_.reset();

  for (const auto& entry : std::filesystem::directory_iterator(directory_.path())) {
    std::ifstream in(entry.path(), std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(in)), {});
    EXPECT_EQ(bytes.find(made->secret), std::string::npos) << entry.path();
  }
}

TEST_F(Identity, AnotherMasterKeyDoesNotOpenSecrets) {
  const auto made = key_of_a_new_user();
  const auto other = *Sealer::open((directory_.path() / "other.key").string());

  EXPECT_FALSE(make_key_source(*store_, *other)->find_access_key(made->id));
}

TEST_F(Identity, TheMasterKeyIsTheOwnersAloneAndOthersAreRefused) {
  const auto file = directory_.path() / "master.key";
  struct stat info {};
  ASSERT_EQ(stat(file.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);

  std::filesystem::permissions(file, std::filesystem::perms(0644));

  EXPECT_FALSE(Sealer::open(file.string()));
}

TEST_F(Identity, Threat_A08_DisablingAKeyShowsAtOnceAndChangesItsVersion) {
  const auto made = key_of_a_new_user();
  const auto source = make_key_source(*store_, *sealer_);
  ASSERT_TRUE(as(account_, [&](Scope& scope) { return set_access_key_active(scope, made->id, false); }));

  const auto found = *source->find_access_key(made->id);

  EXPECT_FALSE(found->active);
  EXPECT_GT(found->version, made->version);
}

TEST_F(Identity, Threat_A09_KeysOfAnotherAccountCannotBeChanged) {
  const auto made = key_of_a_new_user();
  const auto other = store_->write([&](store::Transaction& tx) { return create_account(tx, ids_, clock_.now(), "two"); });

  const auto changed = as(other->id, [&](Scope& scope) { return set_access_key_active(scope, made->id, false); });
  const auto deleted = as(other->id, [&](Scope& scope) { return delete_access_key(scope, made->id); });

  EXPECT_EQ(changed.error().code, Code::account_not_found);
  EXPECT_EQ(deleted.error().code, Code::account_not_found);
}

TEST_F(Identity, AUserHasAtMostTwoKeys) {
  ASSERT_TRUE(key_of_a_new_user());
  ASSERT_TRUE(as(account_, [&](Scope& scope) { return create_access_key(scope, *sealer_, "ann"); }));

  const auto third = as(account_, [&](Scope& scope) { return create_access_key(scope, *sealer_, "ann"); });

  EXPECT_EQ(third.error().code, Code::resource_limit_exceeded);
}

TEST_F(Identity, NamesAreUniqueAndOfIamsCharacters) {
  const auto again = store_->write([&](store::Transaction& tx) { return create_account(tx, ids_, clock_.now(), "one"); });
  const auto odd = store_->write([&](store::Transaction& tx) { return create_account(tx, ids_, clock_.now(), "a\nb"); });

  EXPECT_EQ(again.error().code, Code::account_already_exists);
  EXPECT_EQ(odd.error().code, Code::validation_error);
}

}  // namespace
}  // namespace virga::identity
