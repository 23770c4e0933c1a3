// RFC 7714 §16 (SRTP) and §17 (SRTCP): session key, session salt and packets as printed there.
#include <gtest/gtest.h>

#include "proto/srtp/test_srtp.h"

namespace stoa::srtp {
namespace {

constexpr char kSalt[] = "51756964 2070726f 2071756f";
constexpr char kRtp[] =
    "8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976 69736120 696e2070 61727465 "
    "73207472 6573";
constexpr char kRtcp[] =
    "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61 deadbeef deadbeef deadbeef "
    "deadbeef "
    "deadbeef";
constexpr std::uint32_t kRtcpSsrc = 0x4d617273, kRtcpIndex = 0x5d4;

struct Vector {
  const char* name;
  Profile profile;
  const char* key;
  const char* srtp;
  const char* srtcp;
  const char* srtcp_clear;
};

const Vector kVectors[] = {
    {"AEAD_AES_128_GCM", Profile::kAeadAes128Gcm, "00010203 04050607 08090a0b 0c0d0e0f",
     "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f 42a5f47a 51c7d19b "
     "36de3adf "
     "8833899d 7f27beb1 6a9152cf 765ee439 0cce",
     "81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d c676a5f1 730d6fda 4ce09b46 "
     "86303ded "
     "0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade 800005d4",
     "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61 deadbeef deadbeef deadbeef "
     "deadbeef "
     "deadbeef 841dd968 3dd78ec9 2ae58790 125f62b3 000005d4"},
    {"AEAD_AES_256_GCM", Profile::kAeadAes256Gcm,
     "00010203 04050607 08090a0b 0c0d0e0f 10111213 14151617 18191a1b 1c1d1e1f",
     "8040f17b 8041f8d3 5501a0b2 32b1de78 a822fe12 ef9f78fa 332e33aa b1801238 9a58e2f3 b50b2a02 76ffae0f "
     "1ba63799 "
     "b87b7aa3 db36dfff d6b0f9bb 7878d7a7 6c13",
     "81c8000d 4d617273 d50ae4d1 f5ce5d30 4ba297e4 7d470c28 2c3ece5d bffe0a50 a2eaa5c1 110555be 8415f658 "
     "c61de047 "
     "6f1b6fad 1d1eb30c 4446839f 57ff6f6c b26ac3be 800005d4",
     "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61 deadbeef deadbeef deadbeef "
     "deadbeef "
     "deadbeef 91db4afb feee5a97 8fab4393 ed2615fe 000005d4"},
};

class Rfc7714 : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!make_kernel(GetParam())) GTEST_SKIP() << "This processor or build has no libipsec-mb.";
  }
  static SessionKeys keys_of(const Vector& vector) {
    const SessionKey key{.key = crypto::Secret<32>(bytes_of(vector.key)),
                         .authentication_key = {},
                         .salt = crypto::Secret<14>(bytes_of(kSalt))};
    return {.rtp = key, .rtcp = key};
  }
};
INSTANTIATE_TEST_SUITE_P(Kernels, Rfc7714, testing::Values("openssl", "multi_buffer"),
                         [](const auto& tested) { return std::string(tested.param); });

TEST_P(Rfc7714, protects_rtp_as_section_16) {
  for (const Vector& vector : kVectors) {
    Transform transform(make_kernel(GetParam()));
    SendContext send(vector.profile, keys_of(vector), transform.kernel());
    const Buffer packet = bytes_of(kRtp);
    Buffer out(packet.size() + 16);
    const Outcome outcome = transform.protect(RtpToProtect{.context = &send,
                                                           .header = Bytes(packet).first(12),
                                                           .payload = Bytes(packet).subspan(12),
                                                           .out = out,
                                                           .outcome = {}});
    EXPECT_EQ(outcome, out.size());
    EXPECT_EQ(hex_of(out), hex_of(bytes_of(vector.srtp))) << vector.name;
  }
}

TEST_P(Rfc7714, protects_rtcp_as_section_17) {
  for (const Vector& vector : kVectors) {
    for (bool is_encrypted : {true, false}) {
      Transform transform(make_kernel(GetParam()));
      SendContext send(vector.profile, keys_of(vector), transform.kernel());
      ASSERT_TRUE(send.resume_stream(kRtcpSsrc, 0, kRtcpIndex));
      const Buffer packet = bytes_of(kRtcp);
      Buffer out(packet.size() + 20);
      const Outcome outcome = transform.protect(RtcpToProtect{
          .context = &send, .packet = packet, .is_encrypted = is_encrypted, .out = out, .outcome = {}});
      EXPECT_EQ(outcome, out.size());
      EXPECT_EQ(hex_of(out), hex_of(bytes_of(is_encrypted ? vector.srtcp : vector.srtcp_clear)))
          << vector.name;
    }
  }
}

TEST_P(Rfc7714, unprotects_both_as_sections_16_and_17) {
  for (const Vector& vector : kVectors) {
    Transform transform(make_kernel(GetParam()));
    for (const char* rtcp : {vector.srtcp, vector.srtcp_clear}) {
      ReceiveContext receive(vector.profile, keys_of(vector), transform.kernel(),
                             {.accepts_clear_rtcp = true});
      Buffer first = bytes_of(vector.srtp), second = bytes_of(rtcp);
      PacketToUnprotect packets[] = {{.context = &receive, .packet = first, .outcome = {}},
                                     {.context = &receive, .packet = second, .outcome = {}}};
      transform.unprotect(packets);
      ASSERT_TRUE(packets[0].outcome) << vector.name;
      ASSERT_TRUE(packets[1].outcome) << vector.name;
      EXPECT_EQ(hex_of(Bytes(first).first(*packets[0].outcome)), hex_of(bytes_of(kRtp)));
      EXPECT_EQ(hex_of(Bytes(second).first(*packets[1].outcome)), hex_of(bytes_of(kRtcp)));
      EXPECT_TRUE(packets[1].is_rtcp);
      EXPECT_EQ(packets[1].index, kRtcpIndex);
    }
  }
}

}  // namespace
}  // namespace stoa::srtp
