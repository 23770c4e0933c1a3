#include "proto/dtls/identity.h"

#include <gtest/gtest.h>
#include <openssl/x509.h>

namespace stoa::dtls {
namespace {

constexpr WallTime kNow = WallTime::from_seconds(1'800'000'000);
constexpr Duration kDay = Duration::seconds(86'400);

TEST(Identity, announces_the_fingerprint_and_expiry_of_its_certificate) {
  auto identity = Identity::make(kNow, kDay * 30);
  unsigned char* der = nullptr;
  int length = i2d_X509(identity->certificate(), &der);
  ASSERT_GT(length, 0);
  EXPECT_EQ(identity->fingerprint(), crypto::make_fingerprint(crypto::FingerprintHash::kSha256,
                                                              Bytes(der, static_cast<std::size_t>(length))));
  OPENSSL_free(der);
  EXPECT_EQ(identity->expires_at(), kNow + kDay * 30);
}

TEST(Identity, is_read_back_from_pem_and_refused_when_its_parts_do_not_fit) {
  auto one = crypto::make_webrtc_certificate(kNow, kDay), two = crypto::make_webrtc_certificate(kNow, kDay);
  EXPECT_TRUE(Identity::parse(one));
  EXPECT_EQ(Identity::parse({one.certificate, two.private_key}).error(), IdentityRefusal::kKeyDoesNotFit);
  EXPECT_EQ(Identity::parse({"", one.private_key}).error(), IdentityRefusal::kNoCertificate);
  EXPECT_EQ(Identity::parse({one.certificate, "nothing"}).error(), IdentityRefusal::kNoKey);
  EXPECT_EQ(Identity::parse({one.private_key, one.certificate}).error(), IdentityRefusal::kNoCertificate);
}

TEST(IdentityRotation, gives_the_same_identity_for_a_while_and_then_another) {
  IdentityRotation rotation({.lifetime = kDay * 30, .rotate_after = kDay});
  auto first = rotation.current(kNow);
  EXPECT_EQ(rotation.current(kNow + kDay - Duration::microseconds(1)), first);
  auto second = rotation.current(kNow + kDay);
  EXPECT_NE(second->fingerprint(), first->fingerprint());
  EXPECT_EQ(second->expires_at(), kNow + kDay * 31);
  EXPECT_EQ(first->expires_at(), kNow + kDay * 30);  // Who has it keeps it.
}

TEST(IdentityRotation, starts_anew_when_the_clock_is_set_back) {
  IdentityRotation rotation({.lifetime = kDay * 30, .rotate_after = kDay});
  auto first = rotation.current(kNow);
  EXPECT_NE(rotation.current(kNow - kDay), first);
}

}  // namespace
}  // namespace stoa::dtls
