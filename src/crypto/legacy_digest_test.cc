#include "crypto/legacy_digest.h"

#include <gtest/gtest.h>

#include "crypto/text.h"

namespace stoa::crypto {
namespace {

TEST(LegacyDigest, gives_the_values_of_the_rfcs) {
  EXPECT_EQ(write_hex(sha1(as_bytes("abc"))), "a9993e364706816aba3e25717850c26c9cd0d89d");  // RFC 3174
  EXPECT_EQ(write_hex(sha1({})), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
  EXPECT_EQ(write_hex(md5(as_bytes("abc"))), "900150983cd24fb0d6963f7d28e17f72");  // RFC 1321 A.5
  EXPECT_EQ(write_hex(md5({})), "d41d8cd98f00b204e9800998ecf8427e");
}

TEST(HmacSha1, gives_the_values_of_rfc_2202) {
  EXPECT_EQ(write_hex(hmac_sha1(Buffer(20, 0x0b), as_bytes("Hi There"))),
            "b617318655057264e28bc0b6fb378c8ef146be00");
  EXPECT_EQ(write_hex(hmac_sha1(as_bytes("Jefe"), as_bytes("what do ya want for nothing?"))),
            "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
  EXPECT_EQ(write_hex(hmac_sha1(Buffer(80, 0xaa),
                                as_bytes("Test Using Larger Than Block-Size Key - Hash Key First"))),
            "aa4ae5e15272d00e95705637ce8a3b55ed402112");
}

TEST(HmacSha1, takes_an_empty_key) {
  EXPECT_EQ(write_hex(hmac_sha1({}, {})), "fbdb1d1b18aa6c08324b7d64b71fb76370690e1d");
}

}  // namespace
}  // namespace stoa::crypto
