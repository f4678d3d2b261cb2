#include "compute/ssh_keys.h"

#include <gtest/gtest.h>

#include "compute/crypto.h"
#include "compute/ppk.h"
#include "compute/ssh_wire.h"

namespace virga::compute {
namespace {

const std::string ed25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
const std::string rsa =
    "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQCqmgsur0p9vxmxw3c0tyxTA67oVQ6xzsvaV3FaOoT2UuHNJVd9JGigf6qPhkx44xWPPCbXfShm"
    "jLyJWnLz3gtoiPfBqFdRjWYnY0TT6VVhNoct6tKu3msiGINtqIUJm0WFYbyYNc6vCqLuIdMBNPLY7lhjIiQ7b2Q0JgThpb5Pfw== r@t";

TEST(SshPublicKey, Ed25519FingerprintIsBase64Sha256) {
  const auto key = parse_public_key(ed25519 + " me@here\n");

  ASSERT_TRUE(key);
  EXPECT_EQ(key->type, KeyType::ed25519);
  EXPECT_EQ(key->line, ed25519 + " me@here");
  EXPECT_EQ(key->fingerprint, "ZkAslGjFiUHdGf/WUL8rQvkib4PTvQatUV0OUQSncCA=");
}

TEST(SshPublicKey, ImportedRsaFingerprintIsMd5OfDer) {
  const auto key = parse_public_key(rsa);

  ASSERT_TRUE(key);
  EXPECT_EQ(key->type, KeyType::rsa);
  EXPECT_EQ(key->fingerprint, "9b:49:71:fe:55:9d:22:c5:ca:39:ac:6a:1a:c8:55:79");
}

class BadKey : public testing::TestWithParam<std::string> {};

TEST_P(BadKey, IsRefused) {
  const auto key = parse_public_key(GetParam());

  ASSERT_FALSE(key);
  EXPECT_EQ(key.error().code, Code::invalid_key_format);
}

INSTANTIATE_TEST_SUITE_P(All, BadKey,
                         testing::Values("", "ssh-ed25519", "ssh-ed25519 ", "ssh-ed25519 !!!!",
                                         "ssh-rsa " + ed25519.substr(12), ed25519.substr(0, ed25519.size() - 4),
                                         ed25519 + "AAAA", ed25519 + "\nssh-ed25519 AAAA", "command=\"x\" " + ed25519,
                                         ed25519 + std::string(" a\0b", 4), rsa.substr(0, 60),
                                         "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTY=",
                                         "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAAQM=", std::string(40000, 'A')));

TEST(SshCreatedKey, Ed25519IsInOpensshFormatAndReadsBack) {
  const auto made = create_key(KeyType::ed25519, KeyFormat::pem, "my key");

  ASSERT_TRUE(made);
  EXPECT_TRUE(made->private_key.starts_with("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA"));
  EXPECT_TRUE(made->private_key.ends_with("\n-----END OPENSSH PRIVATE KEY-----\n"));
  EXPECT_EQ(parse_public_key(made->public_key.line)->fingerprint, made->public_key.fingerprint);
}

TEST(SshCreatedKey, RsaIsPkcs1WithSha1Fingerprint) {
  const auto made = create_key(KeyType::rsa, KeyFormat::pem, "my key");

  ASSERT_TRUE(made);
  EXPECT_TRUE(made->private_key.starts_with("-----BEGIN RSA PRIVATE KEY-----\n"));
  EXPECT_EQ(made->public_key.fingerprint.size(), 20 * 3 - 1U);
  EXPECT_TRUE(parse_public_key(made->public_key.line));
}

TEST(SshCreatedKey, PuttysFormatHoldsTheSameKey) {
  for (const auto& [type, name] : {std::pair(KeyType::rsa, "ssh-rsa"), std::pair(KeyType::ed25519, "ssh-ed25519")}) {
    const auto made = create_key(type, KeyFormat::ppk, "my key");

    ASSERT_TRUE(made);
    const auto& file = made->private_key;
    EXPECT_TRUE(file.starts_with(std::string("PuTTY-User-Key-File-3: ") + name +
                                 "\nEncryption: none\nComment: my key\nPublic-Lines: "));
    const auto from = file.find('\n', file.find("Public-Lines")) + 1;
    auto digits = file.substr(from, file.find("Private-Lines") - from);
    std::erase(digits, '\n');
    EXPECT_EQ(made->public_key.line, std::string(name) + " " + digits + " my key");
    EXPECT_EQ(file.size() - file.find("Private-MAC: "), 13 + 64 + 1U);
  }
}

TEST(Ppk, FileIsWhatPuttygenWrites) {
  // Made by puttygen 0.78, without a passphrase.
  const std::string file =
      "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nComment: me\nPublic-Lines: 2\n"
      "AAAAC3NzaC1lZDI1NTE5AAAAIO4D8q9kDkN+eZ1M2zLzl39WMYbh0voRPAbtVE2R\nusVM\nPrivate-Lines: 1\n"
      "AAAAIJtDGhEpOvQLZCuIrK6A6j3qcnll0pLHesLJOc8aePgZ\n"
      "Private-MAC: 50c261aa98fab658738ebf5b719d571adfa4685af67e6a4f33cef407704eb098\n";
  const auto open = *crypto::from_base64("AAAAC3NzaC1lZDI1NTE5AAAAIO4D8q9kDkN+eZ1M2zLzl39WMYbh0voRPAbtVE2RusVM");
  const auto secret = *crypto::from_base64("AAAAIJtDGhEpOvQLZCuIrK6A6j3qcnll0pLHesLJOc8aePgZ");

  EXPECT_EQ(ppk_file({"ssh-ed25519", "me", open, secret}), file);
}

TEST(SshWire, CutStringsAreNotRead) {
  std::string bytes;
  ssh_wire::put_string(bytes, "abc");
  for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
    std::string_view in(bytes.data(), cut);
    EXPECT_FALSE(ssh_wire::take_string(in));
  }
  std::string_view huge(
      "\xff\xff\xff\xff"
      "abc",
      7);
  EXPECT_FALSE(ssh_wire::take_string(huge));
}

}  // namespace
}  // namespace virga::compute
